import { describe, expect, it } from 'vitest';
import { RealtimeWebSocketManager, TokenError, type Disconnection, type Status } from '../src/index.js';
import { FakeHallpass } from '../src/testing/index.js';
import { fakeTime, pass } from './support.js';

fakeTime();

interface Told {
  connected: number;
  ends: Disconnection[];
  states: Status[];
  renewed: number;
}

function manage(token: ConstructorParameters<typeof RealtimeWebSocketManager>[0], server = new FakeHallpass(), options = {}): { manager: RealtimeWebSocketManager; server: FakeHallpass; told: Told } {
  const told: Told = { connected: 0, ends: [], states: [], renewed: 0 };
  const handlers = {
    onConnected: () => void told.connected++,
    onDisconnected: (end: Disconnection) => void told.ends.push(end),
    onStateChange: (state: Status) => void told.states.push(state),
    onRenewed: () => void told.renewed++,
  };
  const manager = new RealtimeWebSocketManager(token, handlers, { WebSocket: server.WebSocket, ...options });
  return { manager, server, told };
}

describe('the manager', () => {
  it('connects with a token, and disconnects', async () => {
    const { manager, server, told } = manage('ek_given');
    await manager.connect();
    expect(server.connection.protocols).toEqual(['realtime', 'openai-insecure-api-key.ek_given']);
    expect(server.connection.url).toBe('wss://api.openai.com/v1/realtime');
    manager.disconnect();
    expect(told.connected).toBe(1);
    expect(told.ends).toEqual([{ cause: 'client', code: 1000, reason: 'user ended it' }]);
    expect(told.states).toEqual(['connecting', 'open', 'closed']);
  });

  it('names the model where asked to', async () => {
    const { manager, server } = manage('ek_given', undefined, { url: 'wss://h.test/v1/realtime?x=1', model: 'gpt realtime' });
    await manager.connect();
    expect(server.connection.url).toBe('wss://h.test/v1/realtime?x=1&model=gpt%20realtime');
  });

  it('asks its function for each next token, and why', async () => {
    const reasons: string[] = [];
    const { manager, server, told } = manage(async ({ reason }) => {
      reasons.push(reason);
      return { value: `ek_${reasons.length}`, expiresAt: Date.now() / 1000 + 60, url: 'wss://voice.test/v1/realtime' };
    });
    await manager.connect();
    await pass(48_000);
    expect(reasons).toEqual(['start', 'renew']);
    expect(told.renewed).toBe(1);
    server.connection.close(1006);
    await pass(1000);
    expect(server.connection.protocols[1]).toBe('openai-insecure-api-key.ek_2');
    expect(server.connection.url).toBe('wss://voice.test/v1/realtime');
    expect(told.connected).toBe(1);
  });

  it('can be connected again once it is over', async () => {
    const { manager, server, told } = manage('ek_given');
    await manager.connect();
    manager.disconnect();
    await manager.connect();
    expect(server.open).toHaveLength(1);
    expect(told.connected).toBe(2);
  });

  it('tells a failing function from an empty one', async () => {
    const failing = manage(async () => { throw new Error('my backend is down'); });
    await expect(failing.manager.connect()).rejects.toMatchObject({ name: 'TokenError', code: 'token_function_failed' });
    const empty = manage(async () => '');
    await expect(empty.manager.connect()).rejects.toMatchObject({ code: 'malformed_answer' });
  });

  it('passes on a TokenError of its function, whose word is final', async () => {
    const { manager, server, told } = manage(async ({ reason }) => {
      if (reason !== 'start') throw new TokenError('unauthorized', { status: 401 });
      return 'ek_first';
    });
    await manager.connect();
    server.connection.close(1006);
    await pass(60_000);
    expect(told.ends).toMatchObject([{ cause: 'unauthorized', error: { userMessage: 'Please sign in again.' } }]);
  });
});
