// axe-core finds no violation of WCAG 2.2 AA in any view, in light and dark.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { answer, begin, openPage, said, signIn, startBrowser, startDev } from './support.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let dev;
let browser;

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await dev?.stop();
});

async function violations(page) {
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
}

for (const colorScheme of ['light', 'dark']) {
  test(`every view is accessible in ${colorScheme}`, async () => {
    // axe is injected, which the page's own policy rightly forbids.
    const { context, page } = await openPage(browser, { colorScheme, bypassCSP: true, reducedMotion: 'reduce' });
    await page.goto(`${dev.url}/demo/`);
    await page.getByRole('radio', { name: 'Ada' }).waitFor();
    assert.deepEqual(await violations(page), [], 'sign-in');
    await signIn(page, dev.url);
    assert.deepEqual(await violations(page), [], 'lobby');
    await begin(page);
    await said(page, 'Tell me a little');
    await answer(page, 'I use a screen reader.');
    await said(page, 'most proud of');
    assert.deepEqual(await violations(page), [], 'live');
    await page.getByRole('button', { name: 'End interview' }).click();
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    assert.deepEqual(await violations(page), [], 'summary');
    await context.close();
  });
}
