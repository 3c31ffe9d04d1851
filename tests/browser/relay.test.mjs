// OpenAI's own browser packages through the relay, in Chromium over TLS: a
// conversation of several turns, ended by a revocation that the page is told of.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openPage, startBrowser, startDev } from './support.mjs';

const TURNS = 3;
const RECIPES = fileURLToPath(new URL('../../examples/recipes/', import.meta.url));
const PAGE = fileURLToPath(new URL('relay-page.js', import.meta.url));

let dev;
let browser;
let script;

/** The page's script with the packages of the recipes in it. */
async function bundle() {
  const { build } = createRequire(RECIPES)('esbuild');
  const nodePaths = [`${RECIPES}node_modules`];
  const options = { entryPoints: [PAGE], bundle: true, format: 'esm', platform: 'browser', nodePaths, write: false };
  return (await build(options)).outputFiles[0].text;
}

before(async () => {
  // A page that a test makes up has no address, and then no local one may be called.
  const more = ['--disable-features=LocalNetworkAccessChecks'];
  [dev, browser, script] = await Promise.all([startDev(), startBrowser({ more }), bundle()]);
});
after(async () => {
  await browser?.close();
  await dev?.stop();
});

async function post(url, key, body) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return answer.json();
}

for (const sdk of ['openai', 'agents']) {
  test(`${sdk} talks over TLS, and learns that it was revoked`, async () => {
    const { context, page, console } = await openPage(browser, { ignoreHTTPSErrors: true });
    const empty = { contentType: 'text/html', body: '<!doctype html><title>App</title><body></body>' };
    await page.route(`${dev.tls_url}/app/`, (route) => route.fulfill(empty));
    await page.goto(`${dev.tls_url}/app/`);
    await page.addScriptTag({ type: 'module', content: script });
    await page.waitForFunction(() => 'talk' in globalThis);

    const grant = await post(`${dev.url}/api/generate-client-secret`, dev.api_key, { mode: 'relay' });
    const talk = ([name, secret, base, turns]) => globalThis.talk(name, secret, base, turns);
    const turns = await page.evaluate(talk, [sdk, grant.value, dev.tls_url, TURNS]);
    assert.equal(turns, TURNS, console.join('\n'));

    const revoke = { kind: 'grant', target: grant.id };
    const revoked = await post(`${dev.admin_url}/api/admin/revocations`, dev.admin_key, revoke);
    assert.equal(revoked.sessions_ended, 1);
    const end = await page.evaluate(() => globalThis.learnt.ended);
    assert.ok(end.errors.includes('revoked'), JSON.stringify(end));
    if (sdk === 'openai') {
      assert.equal(end.code, 1008);
      assert.match(end.reason, /revoked/);
    }
    await context.close();
  });
}
