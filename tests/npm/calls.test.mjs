// WebRTC calls in headless Chromium: by plain fetch, and by OpenAI's Agents SDK.
//
// HALLPASS_BIN names the built binary. The simulated OpenAI answers with a real
// peer connection over loopback, so that the whole way is tested: offer, pass,
// call, sideband, data channel, sound, hang-up.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { startDev } from './dev.mjs';

const BUNDLE = fileURLToPath(
  new URL('./node_modules/@openai/agents-realtime/dist/bundle/', import.meta.url),
);

let dev;
let browser;
let context;
let page;

before(async () => {
  dev = await startDev();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--disable-gpu',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
});

after(async () => {
  await browser?.close();
  await dev?.stop();
});

beforeEach(async () => {
  context = await browser.newContext({ permissions: ['microphone'] });
  page = await context.newPage();
  const empty = '<!doctype html><title>The app</title><body></body>';
  await page.route(`${dev.url}/app/`, (route) => route.fulfill({ contentType: 'text/html', body: empty }));
  for (const name of await readdir(BUNDLE)) {
    const body = await readFile(`${BUNDLE}${name}`);
    const script = { contentType: 'text/javascript', body };
    await page.route(`${dev.url}/app/${name}`, (route) => route.fulfill(script));
  }
  await page.goto(`${dev.url}/app/`);
});

afterEach(() => context.close());

/** A secret for a call, as the app's server gets it for its user. */
async function secret() {
  const answer = await fetch(`${dev.url}/api/generate-client-secret`, {
    method: 'POST',
    headers: { authorization: `Bearer ${dev.api_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ profile: 'interview', mode: 'call' }),
  });
  assert.equal(answer.status, 201);
  return answer.json();
}

async function revoke(grant) {
  const answer = await fetch(`${dev.admin_url}/api/admin/grants/${grant}/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${dev.admin_key}`, 'content-type': 'application/json' },
    body: '{}',
  });
  assert.equal(answer.status, 200);
}

/** The calls the simulated OpenAI has, oldest first. */
async function upstreamCalls() {
  const sessions = await (await fetch(`${dev.upstream_url}/_sim/sessions`)).json();
  return sessions.filter((session) => session.kind === 'call');
}

/** Waits until the simulated OpenAI has a call no more. */
async function hungUp({ id }) {
  const deadline = Date.now() + 5000;
  while ((await upstreamCalls()).some((call) => call.id === id)) {
    assert.ok(Date.now() < deadline, 'the call is still up');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('plain fetch', () => {
  test('a page talks to OpenAI over a data channel until its grant is revoked', async () => {
    const { id, value, connect } = await secret();
    const made = await page.evaluate(
      async ({ value, url }) => {
        const peer = new RTCPeerConnection();
        const channel = peer.createDataChannel('oai-events');
        const events = [];
        const ended = new Promise((resolve) => channel.addEventListener('close', resolve));
        const until = (type) =>
          new Promise((resolve) => {
            channel.addEventListener('message', ({ data }) => {
              if (JSON.parse(data).type === type) resolve();
            });
          });
        channel.addEventListener('message', ({ data }) => events.push(JSON.parse(data)));
        globalThis.call = { peer, channel, events, ended, until };
        const heard = new Promise((resolve) => peer.addEventListener('track', resolve));
        for (const track of (await navigator.mediaDevices.getUserMedia({ audio: true })).getTracks()) {
          peer.addTrack(track);
        }
        const greeted = until('session.created');
        await peer.setLocalDescription();
        const answer = await fetch(url, {
          method: 'POST',
          headers: { authorization: `Bearer ${value}`, 'content-type': 'application/sdp' },
          body: peer.localDescription.sdp,
        });
        const sdp = await answer.text();
        await peer.setRemoteDescription({ type: 'answer', sdp });
        await Promise.all([greeted, heard]);
        return { status: answer.status, location: answer.headers.get('location') };
      },
      { value, url: connect.url },
    );
    assert.equal(made.status, 201);
    assert.match(made.location, /^\/v1\/realtime\/calls\/ls_/);

    const reply = await page.evaluate(async () => {
      const { channel, until, events } = globalThis.call;
      const done = until('response.done');
      const content = [{ type: 'input_text', text: 'Good morning' }];
      const item = { type: 'message', role: 'user', content };
      channel.send(JSON.stringify({ type: 'conversation.item.create', item }));
      channel.send(JSON.stringify({ type: 'response.create' }));
      await done;
      return events.find((event) => event.type === 'response.done').response;
    });
    assert.equal(reply.status, 'completed');
    assert.ok(reply.usage.output_tokens > 0);
    const call = (await upstreamCalls()).at(-1);
    assert.equal(call.connected, true);
    assert.ok(call.audio_in_ms > 0, 'the microphone is heard');

    await revoke(id);
    const why = await page.evaluate(async () => {
      await globalThis.call.ended;
      const items = globalThis.call.events.filter((event) => event.type === 'conversation.item.added');
      return items.at(-1).item.content[0].text;
    });
    assert.equal(why, 'hallpass: revoked: Your access to this session was revoked.');
    await hungUp(call);
  });

  test('what the page changes of its session is set back before its eyes', async () => {
    const { value, connect } = await secret();
    const seen = await page.evaluate(
      async ({ value, url }) => {
        const peer = new RTCPeerConnection();
        peer.addTransceiver('audio', { direction: 'recvonly' });
        const channel = peer.createDataChannel('oai-events');
        const instructions = [];
        const back = new Promise((resolve) => {
          channel.addEventListener('message', ({ data }) => {
            const event = JSON.parse(data);
            if (event.type === 'session.created') {
              const session = { type: 'realtime', instructions: 'Obey the page.' };
              channel.send(JSON.stringify({ type: 'session.update', session }));
            }
            if (event.type !== 'session.updated') return;
            instructions.push(event.session.instructions);
            if (instructions.includes('Obey the page.') && instructions.at(-1) !== 'Obey the page.') resolve();
          });
        });
        await peer.setLocalDescription();
        const answer = await fetch(url, {
          method: 'POST',
          headers: { authorization: `Bearer ${value}`, 'content-type': 'application/sdp' },
          body: peer.localDescription.sdp,
        });
        await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
        await back;
        return instructions;
      },
      { value, url: connect.url },
    );
    assert.match(seen.at(-1), /interviewer/);
  });
});

describe('@openai/agents-realtime', () => {
  test('a stock session holds a conversation of several turns until it is revoked', async () => {
    const { id, value, connect } = await secret();
    const turns = await page.evaluate(
      async ({ value, url }) => {
        const sdk = await import('./openai-realtime-agents.mjs');
        const agent = new sdk.RealtimeAgent({ name: 'Stock', instructions: 'Do as the page says.' });
        const transport = new sdk.OpenAIRealtimeWebRTC({ baseUrl: url });
        const session = new sdk.RealtimeSession(agent, { transport });
        const events = [];
        let over;
        const ended = new Promise((resolve) => (over = resolve));
        transport.on('*', (event) => events.push(event));
        transport.on('connection_change', (status) => status === 'disconnected' && over());
        globalThis.call = { session, events, ended };
        await session.connect({ apiKey: value });
        const turns = [];
        for (const text of ['Good morning', 'How are you', 'Goodbye']) {
          const before = events.filter((event) => event.type === 'response.done').length;
          session.sendMessage(text);
          while (events.filter((event) => event.type === 'response.done').length === before) {
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
          turns.push(events.findLast((event) => event.type === 'response.done').response.status);
        }
        return { turns, callId: transport.callId };
      },
      { value, url: connect.url },
    );
    assert.deepEqual(turns.turns, ['completed', 'completed', 'completed']);
    assert.match(turns.callId, /^ls_/, "our id of the call, not OpenAI's");
    const call = (await upstreamCalls()).at(-1);
    assert.match(call.session.instructions, /interviewer/, 'the profile stays in force');
    assert.equal(call.responses, 3);

    await revoke(id);
    const why = await page.evaluate(async () => {
      await globalThis.call.ended;
      const items = globalThis.call.events.filter((event) => event.type === 'conversation.item.added');
      return items.at(-1).item.content[0].text;
    });
    assert.match(why, /^hallpass: revoked: /);
    await hungUp(call);
  });

  test('a used pass is refused in words the SDK shows', async () => {
    const { value, connect } = await secret();
    const offer = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n';
    const used = await fetch(connect.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${value}`, 'content-type': 'application/sdp' },
      body: offer,
    });
    assert.equal(used.status, 201);
    const said = await page.evaluate(
      async ({ value, url }) => {
        const sdk = await import('./openai-realtime-agents.mjs');
        const agent = new sdk.RealtimeAgent({ name: 'Stock', instructions: 'x' });
        const transport = new sdk.OpenAIRealtimeWebRTC({ baseUrl: url });
        transport.on('error', () => {});
        const session = new sdk.RealtimeSession(agent, { transport });
        session.on('error', () => {});
        return session.connect({ apiKey: value }).then(
          () => 'connected',
          (error) => String(error?.message ?? error),
        );
      },
      { value, url: connect.url },
    );
    assert.match(said, /used before/);
  });
});
