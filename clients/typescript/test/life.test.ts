import { describe, expect, it, vi } from 'vitest';
import type { ClientEvent } from '../src/index.js';
import { fakeTime, pass, stage, type Stage } from './support.js';

fakeTime();

const named = ({ told }: Stage, name: string): unknown[] => told.filter(([each]) => each === name).map(([, value]) => value);
const created = (events: ClientEvent[]): ClientEvent[] => events.filter(({ type }) => type === 'conversation.item.create');

describe('when a secret nears its end', () => {
  it('fetches the next one and keeps the connection', async () => {
    const all = stage({ secretSeconds: 60 }, { secretSeconds: 60 });
    await all.session.start();
    await pass(49_000);
    const refresh = all.server.requests.find(({ path }) => path === '/api/client-secrets/gr_1/refresh');
    expect(refresh?.body).toEqual({ expires_after: { anchor: 'created_at', seconds: 60 } });
    expect(all.server.connections).toHaveLength(1);
    expect(named(all, 'renewed')).toMatchObject([{ kind: 'secret', grant: { id: 'gr_2' } }]);
    await pass(49_000);
    expect(named(all, 'renewed')).toHaveLength(2);
  });

  it('does nothing where told to keep', async () => {
    const { server, session } = stage({}, { directRenewal: 'keep' });
    await session.start();
    await pass(600_000);
    expect(server.secrets).toHaveLength(1);
    expect(session.status).toBe('open');
  });

  it('ends the session where the user was revoked', async () => {
    const { server, session, ends } = stage();
    await session.start();
    server.revoke();
    await pass(49_000);
    expect(ends).toMatchObject([{ cause: 'revoked', error: { userMessage: 'Your access was withdrawn.' } }]);
    await pass(600_000);
    expect(server.connections).toHaveLength(1);
  });

  it('goes on where the server is away, and tries again when it said', async () => {
    const all = stage();
    await all.session.start();
    all.server.refuse({ path: '/refresh', status: 503, code: 'upstream_unreachable', retryAfter: 20, times: 1 });
    await pass(49_000);
    expect(named(all, 'renewalFailed')).toMatchObject([{ retryInMs: 20_000 }]);
    expect(all.session.status).toBe('open');
    await pass(20_000);
    expect(named(all, 'renewed')).toHaveLength(1);
  });

  it('is noticed late, but at once, when the page wakes', async () => {
    const page = new EventTarget();
    vi.stubGlobal('window', page);
    const { server, session } = stage();
    await session.start();
    // A laptop that slept: the time is over, no timer ran.
    vi.setSystemTime(Date.now() + 55_000);
    page.dispatchEvent(new Event('focus'));
    await pass(0);
    expect(server.secrets).toHaveLength(2);
    vi.unstubAllGlobals();
  });
});

describe('a replaced connection', () => {
  it('takes over between turns with the whole conversation, and nothing twice', async () => {
    const all = stage({ secretSeconds: 60 }, { directRenewal: 'replace' });
    const { server, session, words } = all;
    await session.start();
    const first = server.connection;
    first.say('What did you build?');
    first.hear('A bridge.');
    await pass(0);
    // A reply is still under way when the time comes.
    const reply = first.begin();
    reply.word('Tell ');
    await pass(49_000);
    expect(server.open).toHaveLength(2);
    expect(session.status).toBe('renewing');
    reply.word('me more.');
    reply.finish();
    await pass(100);
    expect(session.status).toBe('open');
    expect(first.closed).toMatchObject({ code: 1000, by: 'page' });
    expect(server.connection.told).toEqual(['What did you build?', 'A bridge.', 'Tell me more.']);
    expect(words()).toEqual(['assistant: What did you build?', 'user: A bridge.', 'assistant: Tell me more.']);
    expect(named(all, 'renewed')).toMatchObject([{ kind: 'connection', restored: { restored: 'history', items: 3, inFlight: 'none', lostAudioMs: 0 } }]);
    server.connection.hear('Gladly.');
    expect(words().at(-1)).toBe('user: Gladly.');
    // The grant of the old one is reported as left, the new one as connected.
    const reports = server.requests.filter(({ path }) => path.endsWith('/events')).map(({ path, body }) => `${path.split('/')[3]} ${body['type']}`);
    expect(reports.filter((line) => !line.endsWith('usage'))).toEqual(['gr_1 connected', expect.stringContaining('connected'), 'gr_1 disconnected']);
  });

  it('tells assistant turns as text and user turns as text, by their own ids', async () => {
    const { server, session } = stage();
    await session.start();
    server.connection.say('Question');
    const heard = server.connection.hear('Answer');
    server.connection.say('I see.');
    void session.replace();
    await pass(100);
    const items = created(server.connection.received).map((event) => (event.type === 'conversation.item.create' ? event.item : undefined));
    expect(items).toMatchObject([
      { role: 'assistant', content: [{ type: 'output_text', text: 'Question' }] },
      { id: heard.id, role: 'user', content: [{ type: 'input_text', text: 'Answer' }] },
      { role: 'assistant', content: [{ type: 'output_text', text: 'I see.' }] },
    ]);
  });

  it('waits until the user has finished speaking and was understood', async () => {
    const { server, session } = stage();
    await session.start();
    const first = server.connection;
    first.emit({ type: 'input_audio_buffer.speech_started', item_id: 'u1' });
    void session.replace();
    await pass(1000);
    expect(session.status).toBe('renewing');
    first.emit({ type: 'input_audio_buffer.speech_stopped', item_id: 'u1' });
    first.emit({ type: 'input_audio_buffer.committed', item_id: 'u1' });
    first.emit({ type: 'conversation.item.added', item: { id: 'u1', type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_audio', transcript: null }] } });
    await pass(1000);
    expect(session.status).toBe('renewing');
    const reply = first.begin();
    reply.word('Yes.');
    reply.finish();
    first.emit({ type: 'conversation.item.input_audio_transcription.completed', item_id: 'u1', content_index: 0, transcript: 'Can you hear me?' });
    await pass(200);
    expect(session.status).toBe('open');
    expect(server.connection.told).toEqual(['Can you hear me?', 'Yes.']);
  });

  it('sends microphone sound to one connection only', async () => {
    const { server, session } = stage();
    await session.start();
    const first = server.connection;
    const reply = first.begin();
    void session.replace();
    await pass(10);
    for (let sound = 0; sound < 4; sound++) {
      session.send({ type: 'input_audio_buffer.append', audio: `s${sound}` });
      if (sound === 1) {
        reply.finish();
        await pass(200);
      }
    }
    const sounds = (at: number): string[] => (server.connections[at]?.received ?? []).flatMap((event) => (event.type === 'input_audio_buffer.append' ? [event.audio] : []));
    expect([sounds(0), sounds(1)]).toEqual([['s0', 's1'], ['s2', 's3']]);
  });

  it('waits for the player', async () => {
    const { server, session } = stage();
    let playing = true;
    session.isPlaying = () => playing;
    await session.start();
    void session.replace();
    await pass(2000);
    expect(server.open).toHaveLength(2);
    playing = false;
    await pass(100);
    expect(server.open).toHaveLength(1);
  });

  it('comes at last in the middle of a turn, and says what that cost', async () => {
    const all = stage({}, { maxTurnWaitMs: 5000 });
    await all.session.start();
    const first = all.server.connection;
    first.begin().word('And so on and on');
    void all.session.replace();
    await pass(5100);
    expect(first.received.map(({ type }) => type)).toContain('response.cancel');
    expect(named(all, 'renewed')).toMatchObject([{ restored: { inFlight: 'lost' } }]);
    expect(all.session.transcript).toMatchObject([{ text: 'And so on and on', interrupted: true, final: true }]);
  });

  it('applies what the page set with session.update, at every depth', async () => {
    const { server, session } = stage({}, { sessionUpdate: { audio: { output: { voice: 'cedar' } } } });
    await session.start();
    session.send({ type: 'session.update', session: { audio: { input: { turn_detection: null } } } });
    session.send({ type: 'input_audio_buffer.clear' });
    void session.replace();
    await pass(100);
    const update = server.connection.received.find(({ type }) => type === 'session.update');
    expect(update).toMatchObject({ session: { audio: { input: { turn_detection: null }, output: { voice: 'cedar' } } } });
  });

  it('goes on where one item is refused', async () => {
    const all = stage();
    await all.session.start();
    all.server.connection.say('fine');
    all.server.connection.say('too odd');
    all.server.refuses = 'too odd';
    void all.session.replace();
    await pass(100);
    expect(all.session.status).toBe('open');
    expect(all.server.connection.told).toEqual(['fine']);
    expect(all.words()).toEqual(['assistant: fine', 'assistant: too odd']);
  });

  it('is tried again where the new one does not come up', async () => {
    const all = stage({ secretSeconds: 60 }, { directRenewal: 'replace' });
    await all.session.start();
    all.server.refuse({ path: '/refresh', status: 503, code: 'upstream_timeout', times: 1 });
    await pass(49_000);
    expect(named(all, 'renewalFailed')).toHaveLength(1);
    expect(all.session.status).toBe('open');
    await pass(10_000);
    expect(all.server.connections).toHaveLength(2);
    expect(named(all, 'renewed')).toHaveLength(1);
  });

  it('is the way back where the old one is cut meanwhile', async () => {
    const all = stage();
    await all.session.start();
    const first = all.server.connection;
    first.say('Before.');
    first.begin().word('Cut ');
    void all.session.replace();
    await pass(10);
    first.close(1006);
    await pass(200);
    expect(all.session.status).toBe('open');
    expect(all.server.connections).toHaveLength(2);
    expect(all.server.connection.told).toEqual(['Before.']);
    expect(all.ends).toEqual([]);
  });
});

describe("OpenAI's wall at 60 minutes", () => {
  it('is gone around before it is reached', async () => {
    const all = stage({ secretSeconds: 60, sessionSeconds: 3600 });
    await all.session.start();
    all.server.connection.say('Hello.');
    await pass(3_509_000);
    expect(all.server.connections).toHaveLength(1);
    await pass(2000);
    expect(all.server.connections).toHaveLength(2);
    expect(all.server.open).toEqual([all.server.connection]);
    expect(all.server.connection.told).toEqual(['Hello.']);
    await pass(3_600_000);
    expect(all.session.status).toBe('open');
    expect(all.words()).toEqual(['assistant: Hello.']);
  });

  it('is got over when it comes unannounced', async () => {
    const all = stage();
    await all.session.start();
    all.server.connection.say('Hello.');
    all.server.connection.expire();
    await pass(10);
    expect(all.session.status).toBe('open');
    expect(named(all, 'reconnecting')).toMatchObject([{ cause: 'session_cap', inMs: 0 }]);
    expect(named(all, 'reconnected')).toEqual([{ restored: 'history', items: 1, inFlight: 'none', lostAudioMs: 0 }]);
  });
});

describe('a lease', () => {
  it('is renewed without a new connection', async () => {
    const all = stage({ mode: 'relay', leaseSeconds: 30 });
    await all.session.start();
    await pass(300_000);
    expect(all.server.connections).toHaveLength(1);
    expect(named(all, 'renewed').length).toBeGreaterThan(10);
    expect(all.server.requests.filter(({ path }) => path === '/api/sessions/gr_1/renew').length).toBeGreaterThan(10);
    expect(all.server.secrets).toHaveLength(1);
  });

  it('ends the session where its renewal is refused', async () => {
    const { server, session, ends } = stage({ mode: 'relay', leaseSeconds: 30 });
    await session.start();
    server.refuse({ path: '/renew', status: 403, code: 'access_revoked' });
    await pass(30_000);
    expect(ends).toMatchObject([{ cause: 'revoked' }]);
    expect(server.open).toEqual([]);
  });

  it('is tried again while it lasts', async () => {
    const all = stage({ mode: 'relay', leaseSeconds: 60 });
    await all.session.start();
    all.server.refuse({ path: '/renew', status: 503, code: 'store_unavailable', times: 2 });
    await pass(60_000);
    expect(named(all, 'renewalFailed')).toHaveLength(2);
    expect(all.session.status).toBe('open');
  });
});

describe('a lost connection', () => {
  it.each([1001, 1005, 1006, 1011, 1012, 1013])('comes back after close %i', async (code) => {
    const all = stage();
    await all.session.start();
    all.server.connection.say('Hello.');
    all.server.connection.close(code);
    expect(all.session.status).toBe('reconnecting');
    await pass(20_000);
    expect(all.session.status).toBe('open');
    expect(all.server.connection.told).toEqual(['Hello.']);
    expect(all.words()).toEqual(['assistant: Hello.']);
  });

  it.each([
    [1008, 'revoked', 'revoked'],
    [1008, 'budget_exhausted', 'budget'],
    [1008, "The session's lease may not be renewed.", 'unauthorized'],
    [1008, 'Your session hit its maximum duration.', 'time_limit'],
    [1008, 'The session was idle for too long.', 'time_limit'],
    [1008, 'The operator ended this session.', 'operator'],
    [1002, 'A frame broke the WebSocket protocol.', 'policy'],
    [4000, 'invalid_request_error.invalid_model', 'policy'],
    [3000, 'invalid_request_error', 'token'],
    [1000, '', 'ended'],
  ])('stays away after close %i %s', async (code, reason, cause) => {
    const { server, session, ends } = stage();
    await session.start();
    server.connection.close(code, reason);
    await pass(3_600_000);
    expect(server.connections).toHaveLength(1);
    expect(ends).toMatchObject([{ cause, code }]);
    expect(server.secrets).toHaveLength(1);
  });

  it('stays away after an error nothing cures', async () => {
    const { server, session, ends } = stage();
    await session.start();
    server.connection.emit({ type: 'error', error: { type: 'insufficient_quota', code: 'insufficient_quota' } });
    server.connection.close(1011);
    await pass(60_000);
    expect(ends).toMatchObject([{ cause: 'budget' }]);
    expect(server.connections).toHaveLength(1);
  });

  it('waits longer each time, with jitter, and gives up', async () => {
    const all = stage();
    await all.session.start();
    await pass(15_000);
    all.server.reachable = false;
    all.server.connection.close(1006);
    await pass(60_000);
    const waits = named(all, 'reconnecting').map((each) => (each as { inMs: number }).inMs);
    expect(waits).toEqual([250, 500, 1000, 2000, 4000]);
    expect(all.ends).toMatchObject([{ cause: 'network', error: { code: 'network', retryable: true } }]);
  });

  it('obeys Retry-After', async () => {
    const all = stage();
    await all.session.start();
    all.server.refuse({ path: '/generate', status: 503, code: 'overloaded', retryAfter: 9, times: 1 });
    all.server.connection.close(1013);
    await pass(600);
    expect(named(all, 'reconnecting').at(-1)).toMatchObject({ attempt: 2, inMs: 9000 });
    await pass(9000);
    expect(all.session.status).toBe('open');
  });

  it('waits for the network to be back', async () => {
    const page = new EventTarget();
    const browser = { onLine: false };
    vi.stubGlobal('window', page);
    vi.stubGlobal('navigator', browser);
    const { server, session } = stage();
    await session.start();
    server.connection.close(1006);
    await pass(5000);
    expect(server.connections).toHaveLength(1);
    browser.onLine = true;
    page.dispatchEvent(new Event('online'));
    await pass(10);
    expect(server.connections).toHaveLength(2);
    vi.unstubAllGlobals();
  });

  it('says that the reply under way is lost, and does not ask for it again', async () => {
    const all = stage();
    await all.session.start();
    all.server.connection.hear('Tell me a story.');
    all.server.connection.begin().word('Once upon ');
    all.server.connection.close(1006);
    await pass(5000);
    expect(named(all, 'reconnected')).toMatchObject([{ restored: 'history', items: 1, inFlight: 'lost' }]);
    expect(all.session.transcript.at(-1)).toMatchObject({ text: 'Once upon ', interrupted: true });
    expect(all.server.connection.received.map(({ type }) => type)).not.toContain('response.create');
  });

  it('asks again for a reply that never began', async () => {
    const all = stage();
    await all.session.start();
    all.server.connection.hear('Are you there?');
    all.server.connection.close(1006);
    await pass(5000);
    expect(all.server.connection.received.at(-1)?.type).toBe('response.create');
    expect(all.words()).toEqual(['user: Are you there?', 'assistant: You said: Are you there?']);
  });

  it('keeps the newest sound, and says how much was lost', async () => {
    const all = stage();
    await all.session.start();
    all.server.connection.close(1006);
    const second = 'A'.repeat(64_000);
    for (let at = 0; at < 8; at++) all.session.send({ type: 'input_audio_buffer.append', audio: `${second}${at}` });
    expect(() => all.session.send({ type: 'response.create' })).toThrow('not_connected');
    await pass(5000);
    const sounds = all.server.connection.received.flatMap((event) => (event.type === 'input_audio_buffer.append' ? [event.audio.at(-1)] : []));
    expect(sounds).toEqual(['4', '5', '6', '7']);
    expect((named(all, 'reconnected')[0] as { lostAudioMs: number }).lostAudioMs).toBeCloseTo(4000, -2);
  });

  it('stops where the next secret is refused', async () => {
    const { server, session, ends } = stage();
    await session.start();
    server.revoke();
    server.connection.close(1006);
    await pass(60_000);
    expect(ends).toMatchObject([{ cause: 'revoked' }]);
    expect(server.requests.filter(({ path }) => path.includes('generate'))).toHaveLength(2);
  });

  it('asks for a new secret where the old one can not be refreshed', async () => {
    const { server, session } = stage();
    await session.start();
    server.refuse({ path: '/refresh', status: 410, code: 'grant_expired' });
    await pass(49_500);
    await pass(5000);
    expect(server.requests.map(({ path }) => path).filter((path) => path.includes('generate'))).toHaveLength(2);
    expect(session.status).toBe('open');
  });
});

describe('an end that Hallpass explains', () => {
  it.each([
    ['revoked', 'revoked', 'Your access was withdrawn.'],
    ['budget', 'budget', 'The budget for this conversation is used up.'],
    ['time_limit', 'time_limit', 'The time for this conversation is over.'],
    ['lease_refused', 'unauthorized', 'Please sign in again.'],
    ['operator', 'operator', 'The conversation is over.'],
  ])('is told by its code: %s', async (code, cause, userMessage) => {
    const { server, session, ends } = stage({ mode: 'relay' });
    await session.start();
    server.connection.emit({ type: 'error', error: { type: 'invalid_request_error', code, message: 'why' } });
    server.connection.close(1008, '');
    await pass(600_000);
    expect(ends).toMatchObject([{ cause, code: 1008, error: { userMessage } }]);
    expect(server.connections).toHaveLength(1);
  });
});
