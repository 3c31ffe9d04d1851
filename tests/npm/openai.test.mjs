// OpenAI's own npm package, given nothing but another base URL.
//
// HALLPASS_BIN names the built binary; each run has a data directory and ports
// of its own.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI, { AuthenticationError, BadRequestError, RateLimitError } from 'openai';
import { startDev } from './dev.mjs';
import { openSession } from './session.mjs';

const REALTIME = { session: { type: 'realtime', model: 'gpt-realtime-2.1' } };

/** What the role "candidate" of `hallpass dev` may mint at once. */
const CANDIDATES_BURST = 5;

let dev;

before(async () => {
  dev = await startDev();
});

after(() => dev?.stop());

/** A client as an app's author writes it, whose requests are counted. */
function client(apiKey, options = {}) {
  const answers = [];
  const counting = async (...request) => {
    const response = await fetch(...request);
    answers.push({ status: response.status, headers: response.headers });
    return response;
  };
  const openai = new OpenAI({ apiKey, baseURL: `${dev.url}/v1`, fetch: counting, ...options });
  return { openai, answers };
}

/** Client secrets OpenAI's side has given out. */
async function mintsUpstream() {
  const log = await (await fetch(`${dev.upstream_url}/_sim/log`)).json();
  return log.filter((entry) => entry.route === 'client_secrets' && entry.status === 200).length;
}

describe('clientSecrets.create', () => {
  test('answers with a client secret and nothing a browser may not see', async () => {
    const { openai, answers } = client(dev.api_key);

    const secret = await openai.realtime.clientSecrets.create(REALTIME);

    assert.match(secret.value, /^ek_/);
    assert.ok(secret.expires_at > Date.now() / 1000);
    assert.equal(secret.session.type, 'realtime');
    assert.equal(secret.session.model, 'gpt-realtime-2.1');
    assert.equal(secret.session.instructions, undefined);
    assert.equal(answers.length, 1);
    assert.equal(answers[0].headers.get('cache-control'), 'no-store');
  });

  test('gives the life that was asked for', async () => {
    const { openai } = client(dev.api_key);
    const asked = { ...REALTIME, expires_after: { anchor: 'created_at', seconds: 300 } };

    const secret = await openai.realtime.clientSecrets.create(asked);

    const left = secret.expires_at - Date.now() / 1000;
    assert.ok(left > 240 && left <= 301, `${left} seconds are left`);
  });

  test('answers for a transcription session too', async () => {
    const { openai } = client(dev.api_key);

    const secret = await openai.realtime.clientSecrets.create({ session: { type: 'transcription' } });

    assert.match(secret.value, /^ek_/);
    assert.equal(secret.session.type, 'transcription');
  });
});

describe('OpenAIRealtimeWS', () => {
  test('opens a session with the secret and gets a whole response', async () => {
    const { openai } = client(dev.api_key);
    const { value } = await openai.realtime.clientSecrets.create(REALTIME);

    const events = await openSession({ secret: value, upstream: dev.upstream_url, ca: dev.ca_file });

    assert.equal(events[0].type, 'session.created');
    assert.equal(events[0].session.model, 'gpt-realtime-2.1');
    const done = events.find((event) => event.type === 'response.done');
    assert.equal(done.response.status, 'completed');
    assert.ok(done.response.usage.total_tokens > 0);
    assert.ok(events.some((event) => event.type === 'response.output_audio.delta'));
  });

  test('opens none with a secret nobody issued', async () => {
    const forged = `ek_${'0'.repeat(32)}`;

    const opening = openSession({ secret: forged, upstream: dev.upstream_url, ca: dev.ca_file });

    await assert.rejects(opening, /invalid|incorrect|auth|3000/i);
  });
});

describe('errors', () => {
  test('a wrong credential is an AuthenticationError with the request’s id, sent once', async () => {
    const { openai, answers } = client(`${dev.api_key.slice(0, -1)}${dev.api_key.endsWith('0') ? '1' : '0'}`);

    const error = await openai.realtime.clientSecrets.create(REALTIME).catch((thrown) => thrown);

    assert.ok(error instanceof AuthenticationError, String(error));
    assert.equal(error.status, 401);
    assert.equal(error.code, 'invalid_api_key');
    assert.equal(error.requestID, answers[0].headers.get('x-request-id'));
    assert.match(error.requestID, /^req_[0-9a-f]{32}$/);
    assert.equal(answers.length, 1);
  });

  test('a member that is not allowed is named, and sent once', async () => {
    const { openai, answers } = client(dev.api_key);
    const asked = { session: { ...REALTIME.session, instructions: 'Do as I say.' } };

    const error = await openai.realtime.clientSecrets.create(asked).catch((thrown) => thrown);

    assert.equal(error.status, 403);
    assert.equal(error.code, 'override_not_allowed');
    assert.equal(error.param, 'session.instructions');
    assert.equal(answers.length, 1);
  });

  test('a life out of range is a BadRequestError that names its member', async () => {
    const { openai } = client(dev.api_key);
    const asked = { ...REALTIME, expires_after: { anchor: 'created_at', seconds: 9 } };

    const error = await openai.realtime.clientSecrets.create(asked).catch((thrown) => thrown);

    assert.ok(error instanceof BadRequestError, String(error));
    assert.equal(error.param, 'expires_after.seconds');
  });

  test('a limit is a RateLimitError after the SDK waited as told, and mints nothing more', async (t) => {
    const mintsBefore = await mintsUpstream();
    const { openai, answers } = client(dev.user_jwt);
    for (let mint = 0; mint < CANDIDATES_BURST; mint += 1) {
      await openai.realtime.clientSecrets.create(REALTIME);
    }
    answers.length = 0;
    const waits = skipWaits(t, answers);

    const error = await openai.realtime.clientSecrets.create(REALTIME).catch((thrown) => thrown);

    assert.ok(error instanceof RateLimitError, String(error));
    assert.equal(error.status, 429);
    assert.equal(error.code, 'rate_limit_exceeded');
    assert.equal(error.headers.get('ratelimit-policy'), '"caller-minute";q=5;w=60');
    // The first try and the SDK's two, each after the time Retry-After gave.
    assert.deepEqual(answers.map((answer) => answer.status), [429, 429, 429]);
    assert.equal(waits.length, 2);
    assert.ok(waits.every((wait) => wait > 0 && wait <= 12_000), `waited ${waits} ms`);
    assert.equal(await mintsUpstream(), mintsBefore + CANDIDATES_BURST);
  });
});

/** Makes the waits that Retry-After asks for pass at once, and keeps their lengths. */
function skipWaits(t, answers) {
  const waits = [];
  const real = globalThis.setTimeout;
  t.mock.method(globalThis, 'setTimeout', (run, length, ...rest) => {
    // fetch has timers of its own, which stay as they are.
    const asked = Number(answers.at(-1)?.headers.get('retry-after')) * 1000;
    if (!asked || length !== asked) return real(run, length, ...rest);
    waits.push(length);
    return real(run, 1, ...rest);
  });
  return waits;
}
