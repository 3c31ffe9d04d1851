import { describe, expect, it } from 'vitest';
import { ConnectError, HallpassSession, SessionError, TokenError } from '../src/index.js';
import { FakeHallpass } from '../src/testing/index.js';
import { fakeTime, pass, stage } from './support.js';

fakeTime();

describe('a session', () => {
  it('asks Hallpass for its secret and connects as the answer says', async () => {
    const { server, session, told } = stage({}, { profile: 'interview', sessionId: 'i-1', mode: 'direct', secretSeconds: 60, url: 'https://voice.test/' });
    await session.start();
    expect(server.requests[0]).toMatchObject({
      path: '/api/generate-client-secret',
      body: { profile: 'interview', session_id: 'i-1', mode: 'direct', expires_after: { anchor: 'created_at', seconds: 60 } },
    });
    expect(server.connection.protocols).toEqual(['realtime', `openai-insecure-api-key.${server.secrets[0]}`]);
    expect(session.status).toBe('open');
    expect(session.grant).toMatchObject({ id: 'gr_1', mode: 'direct', profile: 'interview' });
    expect(told.map(([name]) => name)).toEqual(['status', 'status', 'connected']);
  });

  it('takes the answer of /api/interview/realtime-token too', async () => {
    const { server, session } = stage({}, { endpoint: '/api/interview/realtime-token' });
    await session.start();
    expect(server.requests[0]?.path).toBe('/api/interview/realtime-token');
    expect(session.grant).toMatchObject({ id: 'gr_1', mode: 'direct' });
  });

  it('offers hallpass.v1 where Hallpass itself is at the other end', async () => {
    const { server, session } = stage({ mode: 'relay' });
    await session.start();
    expect(server.connection.protocols).toContain('hallpass.v1');
  });

  it('sends the headers a function gives, anew for each request', async () => {
    let turn = 0;
    const { server, session } = stage({}, { headers: () => ({ authorization: `Bearer jwt-${++turn}` }) });
    await session.start();
    await pass(0);
    expect(server.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer jwt-1', 'Bearer jwt-2']);
  });

  it('keeps the transcript of both sides', async () => {
    const { server, session, words } = stage();
    await session.start();
    server.connection.say('What did you build?');
    server.connection.hear('A bridge.');
    expect(words()).toEqual(['assistant: What did you build?', 'user: A bridge.']);
    expect(session.usage.total_tokens).toBe(30);
  });

  it('passes typed events on, and ends a subscription', async () => {
    const { server, session } = stage();
    await session.start();
    const seen: string[] = [];
    const off = session.on('response.output_audio_transcript.delta', ({ delta }) => seen.push(delta));
    server.connection.say('one two');
    off();
    server.connection.say('three');
    expect(seen).toEqual(['one ', 'two']);
  });

  it('lets no listener of the page break it', async () => {
    const { server, session } = stage();
    await session.start();
    const thrown: unknown[] = [];
    const queue = globalThis.queueMicrotask;
    globalThis.queueMicrotask = (run) => queue(() => { try { run(); } catch (error) { thrown.push(error); } });
    session.on('transcript', () => { throw new Error('mine'); });
    server.connection.say('hello');
    await pass(0);
    globalThis.queueMicrotask = queue;
    expect(session.status).toBe('open');
    expect(thrown.length).toBeGreaterThan(0);
  });

  it('ends when told, reports it, and sends nothing after', async () => {
    const { server, session, ends } = stage();
    await session.start();
    server.connection.say('hello');
    session.stop();
    await pass(0);
    expect(server.connection.closed).toEqual({ code: 1000, reason: 'user ended it', by: 'page' });
    expect(ends).toEqual([{ cause: 'client', code: 1000, reason: 'user ended it' }]);
    expect(() => session.send({ type: 'response.create' })).toThrow(SessionError);
    const reports = server.requests.filter(({ path }) => path.endsWith('/events'));
    expect(reports.map(({ body }) => body['type'])).toEqual(['connected', 'usage', 'disconnected']);
    expect(reports[1]?.body['usage']).toMatchObject({ total_tokens: 30, input_audio_tokens: 5 });
  });

  it('tells the server nothing of what it sees itself', async () => {
    const { server, session } = stage({ mode: 'relay' });
    await session.start();
    server.connection.say('hello');
    session.stop();
    await pass(0);
    expect(server.requests.filter(({ path }) => path.endsWith('/events'))).toEqual([]);
  });

  it('can be given up while it connects', async () => {
    const { session, ends } = stage();
    const abort = new AbortController();
    const started = session.start({ signal: abort.signal });
    abort.abort();
    await expect(started).rejects.toBeInstanceOf(ConnectError);
    expect(session.status).toBe('closed');
    expect(ends).toHaveLength(1);
  });

  it('is used once', async () => {
    const { session } = stage();
    await session.start();
    await expect(session.start()).rejects.toBeInstanceOf(SessionError);
  });
});

describe('a session that is refused', () => {
  it.each([
    [401, 'missing_credential', false, 'Please sign in again.'],
    [403, 'access_revoked', false, 'Your access was withdrawn.'],
    [429, 'rate_limited', true, 'Too many attempts. Please wait a moment.'],
    [503, 'upstream_unreachable', true, 'The voice service is not available. Please try again shortly.'],
  ])('says why: %i %s', async (status, code, retryable, userMessage) => {
    const { server, session, ends } = stage();
    server.refuse({ path: '/api/generate', status, code, retryAfter: 7 });
    const error = await session.start().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TokenError);
    expect(error).toMatchObject({ code, status, retryable, userMessage, requestId: 'req_fake', retryAfterMs: 7000 });
    expect((error as TokenError).remedy).not.toBe('');
    expect(ends).toMatchObject([{ error: { code } }]);
  });

  it('says that the server is not there', async () => {
    const { server, session } = stage();
    server.reachable = false;
    await expect(session.start()).rejects.toMatchObject({ name: 'ConnectError', code: 'network', retryable: true });
  });

  it('says that what answered is no Hallpass', async () => {
    const session = new HallpassSession({ fetch: async () => Response.json({ hello: 'world' }) });
    await expect(session.start()).rejects.toMatchObject({ code: 'malformed_answer' });
  });

  it('gives up on a connection that never becomes a session', async () => {
    const server = new FakeHallpass();
    class Silent { readyState = 0; close(): void {} }
    const session = new HallpassSession({ fetch: server.fetch, WebSocket: Silent as never, connectTimeoutMs: 3000 });
    const started = session.start().catch((error: unknown) => error);
    await pass(3000);
    expect(await started).toMatchObject({ code: 'timeout' });
  });
});
