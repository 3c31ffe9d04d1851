// A hostile page in headless Chromium against a running server.
//
// The browser holds a good session. Pages of two hostile origins (one of another
// site, one of the same site on another port) try what a page can try; then the
// app's own page does the same and succeeds. Cookies are set as SameSite=None,
// which is the worst case: the browser adds them to every request.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { FORMATS, seal } from './session-cookie.mjs';
import { startServe } from './hallpass.mjs';

const MINT = '/api/generate-client-secret';
const MINTS = [MINT, '/api/interview/realtime-token', '/v1/realtime/client_secrets'];
const COOKIE = FORMATS['next-auth-v4'].cookie;
const SECRET = randomBytes(32).toString('hex');

let pages;
let hallpass;
let browser;
let context;

/** An empty page at every path, for any host name. */
async function startPages() {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><meta charset="utf-8"><title>A page</title><body></body>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const port = (server) => server.address().port;
/** The app's own origin, of the server's site as a rule; and the hostile ones. */
const app = () => `http://127.0.0.1:${port(pages.app)}`;
const hostiles = () => ({
  'another site': `http://localhost:${port(pages.hostile)}`,
  'the same site on another port': `http://127.0.0.1:${port(pages.hostile)}`,
});

const configuration = (upstream) => `
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
data_dir = "data"
allowed_origins = ["${app()}"]
drain_delay_seconds = 0

[[upstream]]
base_url = "${upstream}/v1"

[[auth.session_cookie]]
name = "web"
format = "next-auth-v4"
cookie = "${COOKIE}"
secrets = ["${SECRET}"]

[auth]
default_role = "candidate"

[roles.candidate]
profiles = ["interview"]
permissions = ["grants:create", "grants:read:own", "grants:revoke:own"]
limits = { per_minute = 1000 }
`;

before(async () => {
  pages = { app: await startPages(), hostile: await startPages() };
  hallpass = await startServe(configuration);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
});

after(async () => {
  await browser?.close();
  await hallpass?.stop();
  for (const server of Object.values(pages ?? {})) {
    server.closeAllConnections();
    server.close();
  }
});

beforeEach(async () => {
  context = await browser.newContext();
  const claims = { sub: 'user-42', exp: Math.floor(Date.now() / 1000) + 600 };
  await context.addCookies([
    {
      name: COOKIE,
      value: await seal('next-auth-v4', SECRET, claims),
      domain: '127.0.0.1',
      path: '/',
      httpOnly: true,
      secure: true,
      sameSite: 'None',
    },
  ]);
});

afterEach(() => context.close());

/** Client secrets OpenAI's side has given out. */
async function minted() {
  const log = await (await fetch(`${hallpass.upstream}/_sim/log`)).json();
  return log.filter((entry) => entry.route === 'client_secrets').length;
}

/** How many posts the server has answered so far, by status. */
async function posts() {
  const text = await (await fetch(`${hallpass.admin}/metrics`)).text();
  const counted = new Map();
  for (const line of text.split('\n')) {
    const labels = /^hallpass_http_requests_total\{(.*)\} (\d+)/.exec(line);
    if (!labels?.[1].includes('method="POST"')) continue;
    const status = Number(/status="(\d+)"/.exec(labels[1])[1]);
    counted.set(status, (counted.get(status) ?? 0) + Number(labels[2]));
  }
  return counted;
}

/** The statuses of the posts since then. */
async function postsSince(before) {
  const now = [...(await posts())];
  return now.filter(([status, count]) => count > (before.get(status) ?? 0)).map(([status]) => status);
}

async function open(origin) {
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  return page;
}

/** Runs in the page: everything a script can ask of another origin. */
async function attack({ url, mints, body }) {
  const seen = [];
  const attempt = async (name, act) => {
    const timeout = new Promise((resolve) => setTimeout(() => resolve('no answer'), 3000));
    const outcome = await Promise.race([act().catch((error) => `refused: ${error.name}`), timeout]);
    seen.push({ name, outcome: String(outcome) });
  };
  const read = async (request) => {
    const answer = await request;
    return `${answer.type} ${answer.status} ${await answer.text()}`;
  };
  const loaded = (element, source) =>
    new Promise((resolve) => {
      element.onload = () => resolve('loaded');
      element.onerror = () => resolve('refused: error event');
      Object.assign(element, source);
      document.body.append(element);
    });
  for (const path of mints) {
    const mint = url + path;
    const post = (more) => ({ method: 'POST', credentials: 'include', ...more });
    await attempt(`fetch ${path}`, () => read(fetch(mint, post({}))));
    await attempt(`fetch no-cors ${path}`, () => read(fetch(mint, post({ mode: 'no-cors' }))));
    await attempt(`fetch text ${path}`, () => read(fetch(mint, post({ body }))));
    const json = { body, headers: { 'content-type': 'application/json' } };
    await attempt(`fetch JSON ${path}`, () => read(fetch(mint, post(json))));
    await attempt(`fetch PUT ${path}`, () => read(fetch(mint, post({ method: 'PUT' }))));
    await attempt(`beacon ${path}`, async () => String(navigator.sendBeacon(mint, body)));
  }
  const get = { credentials: 'include' };
  for (const path of ['/api/client-secrets', '/openapi.json', '/health']) {
    await attempt(`read ${path}`, () => read(fetch(url + path, get)));
    await attempt(`read no-cors ${path}`, () => read(fetch(url + path, { ...get, mode: 'no-cors' })));
    await attempt(`img ${path}`, () => loaded(new Image(), { src: url + path }));
    await attempt(`script ${path}`, () => loaded(document.createElement('script'), { src: url + path }));
  }
  await attempt('WebSocket', () =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime-2.1`, ['realtime']);
      // As OpenAI does, a refusal comes after the upgrade: one error event, then a close.
      const events = [];
      socket.onmessage = ({ data }) => events.push(JSON.parse(data));
      socket.onclose = ({ code }) => {
        const session = events.some((event) => event.type !== 'error');
        resolve(session ? `events: ${events.map((event) => event.type)}` : `refused: closed ${code}`);
      };
    }),
  );
  return seen;
}

/** Runs in the page: a form is sent into a frame or a window of this name. */
function submit({ url, enctype, target, field }) {
  const form = document.createElement('form');
  Object.assign(form, { method: 'POST', action: url, enctype, target });
  const input = document.createElement('input');
  Object.assign(input, { name: field, value: '' });
  form.append(input);
  document.body.append(form);
  form.submit();
}

/**
 * 403 says that the browser did add the cookie, and that it did not count. From
 * another site the browser itself may hold it back: that is 401.
 */
function assertRefused(kind, statuses) {
  const allowed = kind === 'another site' ? [401, 403] : [403];
  assert.ok(statuses.length > 0, 'the server was reached');
  for (const status of statuses) assert.ok(allowed.includes(status), `${kind}: ${statuses}`);
}

for (const kind of ['another site', 'the same site on another port']) {
  describe(`a page of ${kind}`, () => {
    test('mints nothing and reads nothing by script, image, beacon or socket', async () => {
      const [before, posted] = [await minted(), await posts()];
      const page = await open(hostiles()[kind]);

      const seen = await page.evaluate(attack, { url: hallpass.url, mints: MINTS, body: '{}' });

      for (const { name, outcome } of seen) {
        const blind = outcome.startsWith('refused') || outcome.startsWith('opaque 0') || name.startsWith('beacon');
        assert.ok(blind, `${name}: ${outcome}`);
        assert.doesNotMatch(outcome, /ek_|user-42|openapi|request_id/, name);
      }
      assert.ok(seen.length > 25, 'each way was tried');
      assertRefused(kind, await postsSince(posted));
      assert.equal(await minted(), before);
    });

    test('mints nothing by a form, into a frame or a window', async () => {
      const [before, posted] = [await minted(), await posts()];
      const page = await open(hostiles()[kind]);
      await page.evaluate(() => {
        const frame = document.createElement('iframe');
        frame.name = 'frame';
        document.body.append(frame);
      });

      for (const path of MINTS) {
        for (const enctype of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
          for (const target of ['frame', '_blank']) {
            const answered = context.waitForEvent('response', (response) => response.url() === hallpass.url + path);
            // As text/plain this is the body {"profile":"interview","x":"="}.
            const field = '{"profile":"interview","x":"';
            await page.evaluate(submit, { url: hallpass.url + path, enctype, target, field });
            await answered;
          }
        }
      }

      const statuses = await postsSince(posted);
      assertRefused(kind, statuses);
      assert.ok(statuses.includes(403), 'a window takes the cookie along');
      assert.equal(await minted(), before);
    });

    test('frames nothing', async () => {
      const page = await open(hostiles()[kind]);
      for (const path of ['/docs/', '/docs/errors', '/api/client-secrets']) {
        const refused = page.waitForEvent('console', (message) => /frame/i.test(message.text()));
        await page.evaluate((src) => {
          const frame = document.createElement('iframe');
          frame.src = src;
          document.body.append(frame);
        }, hallpass.url + path);
        await refused;
        const framed = page.frames().map((frame) => frame.url());
        assert.ok(!framed.includes(hallpass.url + path), framed.join(' '));
      }
    });
  });
}

/** Runs in the page: what the app's own page does. */
async function ask({ url, path }) {
  const answer = await fetch(url + path, {
    method: 'POST',
    credentials: 'include',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  return { status: answer.status, limit: answer.headers.get('ratelimit'), text: await answer.text() };
}

test('the same request from the listed origin mints, and its page reads the answer', async () => {
  const before = await minted();
  const page = await open(app());

  const answer = await page.evaluate(ask, { url: hallpass.url, path: MINT });

  assert.equal(answer.status, 201, answer.text);
  assert.match(JSON.parse(answer.text).value, /^ek_/);
  assert.ok(answer.limit, 'the limit can be read');
  assert.equal(await minted(), before + 1);
});

test('the same request from the server’s own pages mints', async () => {
  const page = await open(`${hallpass.url}/docs`);

  const answer = await page.evaluate(ask, { url: '', path: MINT });

  assert.equal(answer.status, 201, answer.text);
});

test('the interactive document shows the operations, and breaks no rule of its own', async () => {
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('requestfailed', (request) => faults.push(`failed: ${request.url()}`));
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });

  await page.goto(`${hallpass.url}/docs/`);
  await page.waitForSelector('.opblock');

  const shown = await page.$$eval('.opblock-summary-path', (paths) => paths.map((path) => path.textContent));
  for (const path of MINTS) {
    assert.ok(shown.some((text) => text.replaceAll('\u200b', '').includes(path)), `${path} is not in ${shown}`);
  }
  await page.click('.opblock-summary');
  await page.waitForSelector('.opblock-body');
  assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
  assert.deepEqual(faults, []);
});
