import { inspect } from 'node:util';
import { getHeapSnapshot } from 'node:v8';
import { describe, expect, it, vi } from 'vitest';
import { HallpassError, HallpassSession, RealtimeWebSocketManager } from '../src/index.js';
import { FakeHallpass } from '../src/testing/index.js';
import { fakeTime, pass, stage } from './support.js';

fakeTime();

/** Everything that can be reached from a value by members and entries, as one text. */
function walked(root: unknown): string {
  const seen = new Set<unknown>();
  const texts: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value);
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    seen.add(value);
    for (const name of Reflect.ownKeys(value)) {
      try {
        visit((value as Record<string | symbol, unknown>)[name]);
      } catch {
        // A getter that throws hides nothing we could have held.
      }
    }
    if (value instanceof Map || value instanceof Set) for (const entry of value) visit(entry);
  };
  visit(root);
  // What a developer sees who logs it.
  return texts.join('\n') + inspect(root, { depth: 20, showHidden: true, getters: true });
}

/** Whether a text is anywhere on the heap, after a collection of garbage. */
async function heapHolds(text: () => string): Promise<boolean> {
  const chunks: Buffer[] = [];
  for await (const chunk of getHeapSnapshot()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).includes(text());
}

describe('a secret', () => {
  it('is found in nothing a session holds, tells or throws', async () => {
    const { server, session, told, ends } = stage({ secretSeconds: 60 });
    const fakes = { fetch: server.fetch, WebSocket: class extends server.WebSocket {} };
    const second = new HallpassSession(fakes);
    await Promise.all([session.start(), second.start()]);
    await pass(49_000);
    server.connections[0]?.say('Hello.');
    // The fake server holds every secret, so it is looked past.
    for (const secret of server.secrets) {
      for (const thing of [told, ends, session.grant, session.transcript, JSON.stringify(session)]) {
        expect(walked(thing)).not.toContain(secret);
      }
      expect(Object.keys(session)).toEqual([]);
    }
    expect(server.secrets.length).toBe(4);
  });

  it('is nowhere in memory once the connection is up', async () => {
    vi.useRealTimers();
    // Kept as numbers, so that the test itself is not what is found.
    const codes: number[] = [];
    const given = (): Response => {
      const value = `ek_${Array.from({ length: 40 }, () => Math.floor(Math.random() * 10)).join('')}`;
      codes.push(...[...value].map((letter) => letter.charCodeAt(0)));
      const expires_at = Date.now() / 1000 + 600;
      return Response.json({ id: 'gr_1', value, mode: 'direct', expires_at, connect: { url: 'wss://x.test' } });
    };
    vi.spyOn(Math, 'random').mockRestore();
    class Socket {
      readyState = 1;
      onmessage: ((event: { data: string }) => void) | undefined;
      constructor(_url: string, protocols: string[]) {
        const offered = protocols[1]?.length;
        queueMicrotask(() => this.onmessage?.({ data: JSON.stringify({ type: 'session.created', session: { offered } }) }));
      }
      send(): void {}
      close(): void {}
    }
    const session = new HallpassSession({ fetch: async () => given(), WebSocket: Socket as never });
    await session.start();
    expect(session.status).toBe('open');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await heapHolds(() => 'session.created')).toBe(true);
    expect(await heapHolds(() => String.fromCharCode(...codes))).toBe(false);
    session.stop();
  }, 30_000);

  it('is not in the error of a WebSocket that will not open', async () => {
    const server = new FakeHallpass();
    class Refusing {
      constructor(_url: string, protocols: string[]) {
        throw new SyntaxError(`The subprotocol '${protocols[1]}' is invalid.`);
      }
    }
    const session = new HallpassSession({ fetch: server.fetch, WebSocket: Refusing as never });
    const error = (await session.start().catch((caught: unknown) => caught)) as HallpassError;
    expect(error).toBeInstanceOf(HallpassError);
    expect(walked(error) + String(error.stack)).not.toContain(server.secrets[0]);
  });

  it('is scrubbed from what the other side says', async () => {
    const { server, session, ends } = stage();
    await session.start();
    const secret = server.secrets[0] ?? '';
    server.connection.close(1008, `revoked: ${secret}`);
    expect(secret).toMatch(/^ek_/);
    expect(walked(ends)).not.toContain(secret);
    expect(ends[0]?.error?.message).toContain('ek_…');
  });

  it('is dropped when the page is hidden', async () => {
    const page = new EventTarget();
    vi.stubGlobal('window', page);
    const { server, session, ends } = stage();
    await session.start();
    await pass(49_000);
    page.dispatchEvent(new Event('pagehide'));
    await pass(0);
    expect(server.open).toEqual([]);
    expect(ends).toMatchObject([{ cause: 'client', reason: 'page hidden' }]);
    vi.unstubAllGlobals();
  });

  it('is not in a manager', async () => {
    const server = new FakeHallpass();
    const manager = new RealtimeWebSocketManager('ek_given_to_the_manager', {}, { WebSocket: server.WebSocket });
    expect(walked(manager)).not.toContain('given_to_the');
  });
});
