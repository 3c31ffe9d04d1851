// Everything a browser sends, stores and prints in an interview is read: the
// standard key must be nowhere, the ephemeral secret only where it belongs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answer, begin, openPage, said, signIn, startBrowser, startDev } from './support.mjs';

let dev;
let browser;

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await dev?.stop();
});

/** Every exchange of a page, with all headers and bodies, as the network had it. */
async function listen(context, page) {
  const cdp = await context.newCDPSession(page);
  const seen = [];
  await cdp.send('Network.enable');
  // What answers a handshake also repeats what was sent: only the answer counts.
  const told = (kind, event) => (kind === 'webSocketHandshakeResponseReceived' ? event.response.headers : event);
  const keep = (kind) => (event) => seen.push({ kind, text: JSON.stringify(told(kind, event)), event });
  const kinds = ['requestWillBeSent', 'requestWillBeSentExtraInfo', 'responseReceived', 'responseReceivedExtraInfo', 'webSocketCreated', 'webSocketWillSendHandshakeRequest', 'webSocketHandshakeResponseReceived', 'webSocketFrameSent', 'webSocketFrameReceived'];
  for (const kind of kinds) cdp.on(`Network.${kind}`, keep(kind));
  page.on('response', async (response) => {
    const text = await response.text().catch(() => '');
    seen.push({ kind: 'body', url: response.url(), text });
  });
  return seen;
}

/** Everything a page can keep. */
function kept(page) {
  return page.evaluate(async () => {
    const databases = await indexedDB.databases();
    const caches = await globalThis.caches.keys();
    const stores = [localStorage, sessionStorage].map((store) => JSON.stringify({ ...store }));
    const globals = Object.getOwnPropertyNames(globalThis).filter((name) => {
      try {
        return typeof globalThis[name] === 'string' && globalThis[name].includes('ek_');
      } catch {
        return false;
      }
    });
    return JSON.stringify({ databases, caches, stores, globals, cookies: document.cookie, url: location.href, history: history.state, html: document.documentElement.outerHTML, entries: performance.getEntries().map(({ name }) => name), name: globalThis.name });
  });
}

test('no standard key reaches the browser, and the secret stays where it belongs', async () => {
  const { context, page, console } = await openPage(browser);
  const seen = await listen(context, page);
  await signIn(page, dev.url);
  await begin(page, { life: '10', renewal: 'replace' });
  await said(page, 'Tell me a little about yourself');
  await answer(page, 'I read what browsers hold.');
  await said(page, 'most proud of');
  await page.locator('#log li', { hasText: 'Moved to a new connection' }).first().waitFor();

  const minted = seen.filter(({ kind, url }) => kind === 'body' && /generate-client-secret|\/refresh$/.test(url ?? ''));
  const secrets = minted.map(({ text }) => JSON.parse(text).value).filter(Boolean);
  assert.ok(secrets.length >= 2, 'the page got its secrets from Hallpass');
  assert.ok(minted.every(({ url }) => url.startsWith(dev.url)));
  assert.ok(secrets.every((secret) => secret.startsWith('ek_')));

  for (const forbidden of [dev.standardKey, dev.api_key, dev.admin_key, dev.user_jwt]) {
    for (const { kind, text } of seen) assert.ok(!text.includes(forbidden), `a ${kind} holds what no browser may have`);
  }
  const where = new Set(secrets.flatMap((secret) => seen.filter(({ text }) => text.includes(secret)).map(({ kind }) => kind)));
  assert.deepEqual([...where].sort(), ['body', 'webSocketWillSendHandshakeRequest']);
  const bodies = seen.filter(({ kind, text }) => kind === 'body' && secrets.some((secret) => text.includes(secret)));
  assert.equal(bodies.length, secrets.length, 'no other answer repeats it');
  const addresses = seen.filter(({ kind }) => kind === 'requestWillBeSent' || kind === 'webSocketCreated').map(({ event }) => event.request?.url ?? event.url);
  assert.ok(addresses.length > 5);
  assert.ok(addresses.every((url) => [dev.url, dev.upstream_url.replace('http', 'ws')].some((own) => url.startsWith(own))), addresses.join('\n'));

  for (const moment of ['during', 'after']) {
    const all = await kept(page);
    for (const secret of [...secrets, dev.standardKey, 'ek_']) assert.ok(!all.includes(secret), `${moment} the interview, the page keeps a secret`);
    assert.ok(!/"cookies":"[^"]/.test(all), 'no cookie is readable');
    if (moment === 'during') {
      await page.getByRole('button', { name: 'End interview' }).click();
      await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    }
  }
  assert.ok(!console.some((line) => line.includes('ek_')), console.join('\n'));
  await context.close();
});
