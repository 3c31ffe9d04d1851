// What an operator does with the console.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { openPage } from './support.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Every page of the console that has an address of its own. */
export const PLACES = ['/console/', '/console/sessions', '/console/alerts', '/console/users', '/console/usage', '/console/revocations', '/console/keys', '/console/audit'];

/** What of WCAG 2.2 AA and good practice a page breaks. */
export async function violations(page) {
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
}

/** A context of its own, signed in; closing it fails on anything the browser complained of. */
export async function openConsole(browser, dev, { start = true, ...options } = {}) {
  const { context, page, console } = await openPage(browser, options);
  if (start) await enter(page, dev);
  return {
    context,
    page,
    record: (search = '/console/audit?action=grant.create') => firstRecord(page, dev, search),
    async close({ expectErrors = false } = {}) {
      await context.close();
      const complaints = console.filter((line) => /^error|^warning|Content Security Policy|violat/i.test(line));
      // A page that is not there is one of those looked at.
      if (!expectErrors) assert.deepEqual(complaints, []);
      else assert.deepEqual(complaints.filter((line) => !line.includes('404')), []);
    },
  };
}

/** Signs in. */
export async function enter(page, dev) {
  await page.goto(`${dev.admin_url}/console/`);
  await page.getByLabel('API key').fill(dev.admin_key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
}

/** Gets a client secret as the app's backend does. */
export async function mint(dev, body = {}, headers = {}) {
  const answer = await fetch(`${dev.url}/api/generate-client-secret`, {
    method: 'POST',
    headers: { authorization: `Bearer ${dev.api_key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 201, await answer.text());
}

/** The address of the first record a search finds. */
async function firstRecord(page, dev, search) {
  await page.goto(`${dev.admin_url}${search}`);
  return page.locator('tbody a').first().getAttribute('href');
}
