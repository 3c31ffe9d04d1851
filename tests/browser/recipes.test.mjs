// Other people's browser SDKs, as examples/recipes uses them, in Chromium.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openPage, startBrowser, startDev } from './support.mjs';

const RECIPES = fileURLToPath(new URL('../../examples/recipes', import.meta.url));

let dev;
let browser;

before(async () => {
  const build = promisify(execFile)(process.execPath, ['build.mjs'], { cwd: RECIPES });
  // A page that a test makes up has no address, and then no local one may be called.
  const more = ['--disable-features=LocalNetworkAccessChecks'];
  [dev, browser] = await Promise.all([startDev(), startBrowser({ more }), build]);
});
after(async () => {
  await browser?.close();
  await dev?.stop();
});

/** A page of the app on Hallpass's host, as behind one proxy; its user is signed in. */
async function appPage(files) {
  // openai's socket speaks TLS only, and the simulator's certificate is its own.
  const opened = await openPage(browser, { ignoreHTTPSErrors: true });
  await opened.context.addCookies([{ ...dev.session_cookie, url: dev.url }]);
  for (const [path, [contentType, body]] of Object.entries(files)) {
    await opened.page.route(`${dev.url}/app/${path}`, (route) => route.fulfill({ contentType, body }));
  }
  await opened.page.goto(`${dev.url}/app/`);
  return opened;
}

test('a page without a build step has an interview', async () => {
  const read = (name) => readFile(`${RECIPES}/../html/${name}`, 'utf8');
  const { context, page, console } = await appPage({
    '': ['text/html', await read('index.html')],
    'app.js': ['text/javascript', await read('app.js')],
  });
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByText('assistant: I am a simulated model. Say something.').waitFor();
  assert.equal(await page.locator('#phase').innerText(), 'live', console.join('\n'));
  await page.getByRole('button', { name: 'End' }).click();
  await page.getByText('ended').waitFor();
  await context.close();
});

for (const recipe of ['openai', 'agents-realtime', 'ai-sdk']) {
  test(`${recipe} holds a conversation with a secret of Hallpass`, async () => {
    const { context, page, console } = await appPage({ '': ['text/html', '<!doctype html><title>App</title><body></body>'] });
    await page.addScriptTag({ type: 'module', content: await readFile(`${RECIPES}/dist/${recipe}.js`, 'utf8') });
    await page.waitForFunction(() => 'converse' in globalThis);
    const reply = page.evaluate((url) => globalThis.converse(url, 'What is a hall pass?'), dev.url);
    if (recipe === 'ai-sdk') await page.getByRole('button', { name: 'Connect' }).click();
    assert.match(await reply, /You said: What is a hall pass\?/, console.join('\n'));
    await context.close();
  });
}
