// The operator's console in Chromium: watched, acted in, by keyboard, on a
// phone, without script, and against hostile text.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { begin, openPage, shoot, signIn, startBrowser, startDev } from './support.mjs';
import { PLACES, mint, openConsole, violations } from './console.mjs';

let dev;
let browser;

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await dev?.stop();
});

test('an operator ends a live session from its button, and sees it go without a reload', async () => {
  const candidate = await openPage(browser);
  const operator = await openConsole(browser, dev);
  await operator.page.getByRole('link', { name: 'Sessions', exact: true }).click();
  await operator.page.getByText('Nobody is in a session.').waitFor();
  await signIn(candidate.page, dev.url);
  await begin(candidate.page, { mode: 'relay' });
  const row = operator.page.getByRole('row', { name: /relay/ });
  await row.waitFor();
  await row.getByRole('button', { name: /^End / }).click();
  await operator.page.getByLabel('Reason, for the audit trail').fill('the candidate asked');
  await operator.page.getByRole('button', { name: 'End session' }).click();
  await operator.page.getByText('The session was told to end.').waitFor();
  await operator.page.getByText('Nobody is in a session.').waitFor();
  await candidate.page.getByRole('heading', { name: 'The interview stopped' }).waitFor();
  await candidate.context.close();
  await operator.close();
});

test('numbers change while the page is open', async () => {
  const operator = await openConsole(browser, dev);
  const issued = operator.page.locator('[data-text="issued_hour"]');
  const before = await issued.textContent();
  await operator.page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
  await mint(dev);
  await operator.page.waitForFunction((text) => document.querySelector('[data-text="issued_hour"]').textContent !== text, before);
  const users = operator.page.locator('[data-table="users"]');
  await users.getByRole('row', { name: /dev-service/ }).waitFor();
  const table = operator.page.locator('[data-chart="issued"] details');
  await table.getByText('Table of the same numbers').click();
  const numbers = await table.locator('tbody td').allInnerTexts();
  assert.equal(numbers.length, 60);
  const sum = numbers.reduce((all, text) => all + Number(text), 0);
  const hour = Number((await issued.textContent()).split(' ')[0].replaceAll(',', ''));
  assert.equal(sum, hour, 'picture, table and tile say the same');
  assert.equal(await operator.page.locator('[data-chart="issued"] canvas').count(), 1);
  await operator.close();
});

test('the keyboard alone is enough', async () => {
  const candidate = await openPage(browser);
  await signIn(candidate.page, dev.url, 'Kofi');
  await begin(candidate.page, { mode: 'relay' });
  const operator = await openConsole(browser, dev, { start: false });
  const { page } = operator;
  const press = (key) => page.keyboard.press(key);
  await page.goto(`${dev.admin_url}/console/`);
  await page.getByLabel('API key').and(page.locator(':focus')).waitFor();
  await page.keyboard.type(dev.admin_key);
  await press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await press('Tab');
  assert.equal(await focused(page), 'Skip to content');
  await press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.goto(`${dev.admin_url}/console/sessions`);
  await until(page, press, (text) => text === 'End');
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none', 'focus can be seen');
  await press('Enter');
  await page.getByRole('dialog').waitFor();
  await press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await focused(page), 'End', 'focus comes back');
  await press('Enter');
  await until(page, press, (_, tag) => tag === 'INPUT');
  await page.keyboard.type('by keyboard');
  await until(page, press, (text) => text === 'End session');
  await press('Enter');
  await page.getByText('The session was told to end.').waitFor();
  await candidate.context.close();
  await operator.close();
});

test('on a phone no page has to be moved sideways', async () => {
  const operator = await openConsole(browser, dev, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await mint(dev, { session_id: 'interview-with-a-rather-long-name-that-goes-on-and-on-and-on-and-on-and-on' });
  for (const place of [...PLACES, await operator.record()]) {
    await operator.page.goto(`${dev.admin_url}${place}`);
    const width = await operator.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${place} is ${width} wide`);
    await shoot(operator.page, `console-phone${place.replaceAll(/\W+/g, '-')}`);
  }
  await operator.close();
});

test('without script every page is read and a session is ended', async () => {
  const candidate = await openPage(browser);
  await signIn(candidate.page, dev.url);
  await begin(candidate.page, { mode: 'relay' });
  const operator = await openConsole(browser, dev, { javaScriptEnabled: false });
  for (const place of PLACES) {
    const answer = await operator.page.goto(`${dev.admin_url}${place}`);
    assert.equal(answer.status(), 200, place);
  }
  await operator.page.goto(`${dev.admin_url}/console/`);
  await operator.page.locator('[data-chart="issued"] summary').click();
  assert.equal(await operator.page.locator('[data-chart="issued"] tbody tr').count(), 60);
  await operator.page.goto(`${dev.admin_url}/console/sessions`);
  await operator.page.getByRole('button', { name: /^End / }).first().click();
  await operator.page.getByRole('button', { name: 'End session' }).click();
  await operator.page.getByText('The session was told to end.').waitFor();
  await candidate.context.close();
  await operator.close();
});

test('hostile text does nothing, and the browser has nothing to complain of', async () => {
  const hostile = '<img src=x onerror=alert(1)>"\'><script>alert(2)</script>';
  await mint(dev, { session_id: hostile }, { 'user-agent': hostile });
  const operator = await openConsole(browser, dev);
  operator.page.on('dialog', () => assert.fail('a script of the text ran'));
  const search = `/console/audit?session_id=${encodeURIComponent(hostile)}`;
  for (const place of [...PLACES, search, await operator.record(search)]) {
    await operator.page.goto(`${dev.admin_url}${place}`);
    await operator.page.waitForLoadState('networkidle').catch(() => {});
  }
  await operator.page.getByText('onerror=alert(1)').first().waitFor();
  await operator.close();
});

test('a session that is over says so, and leads to the sign-in', async () => {
  const [one, other] = [await openConsole(browser, dev), await openConsole(browser, dev)];
  await one.page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
  // The same session in another tab signs out.
  const tab = await one.context.newPage();
  await tab.goto(`${dev.admin_url}/console/keys`);
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await tab.getByRole('heading', { name: 'Sign in' }).waitFor();
  await one.page.getByText('your session is over').waitFor();
  await one.page.reload();
  await one.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await other.page.reload();
  await other.page.getByRole('heading', { name: 'Overview' }).waitFor();
  await one.close();
  await other.close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`every page is accessible in ${colorScheme}`, async () => {
    const candidate = await openPage(browser);
    await signIn(candidate.page, dev.url);
    await begin(candidate.page, { mode: 'relay' });
    await mint(dev);
    // axe is injected, which the console's own policy rightly forbids.
    const operator = await openConsole(browser, dev, { colorScheme, bypassCSP: true, reducedMotion: 'reduce' });
    const { page } = operator;
    for (const place of [...PLACES, await operator.record(), '/console/none']) {
      await page.goto(`${dev.admin_url}${place}`);
      assert.deepEqual(await violations(page), [], place);
      await shoot(page, `console-${colorScheme}${place.replaceAll(/\W+/g, '-')}`);
    }
    await page.goto(`${dev.admin_url}/console/sessions`);
    await page.getByRole('button', { name: /^End / }).first().click();
    assert.deepEqual(await violations(page), [], 'a question');
    await shoot(page, `console-${colorScheme}-question`);
    await page.context().clearCookies();
    await page.goto(`${dev.admin_url}/console/`);
    assert.deepEqual(await violations(page), [], 'sign-in');
    await shoot(page, `console-${colorScheme}-sign-in`);
    await candidate.context.close();
    await operator.close({ expectErrors: true });
  });
}

/** The words of what has the focus. */
function focused(page) {
  return page.evaluate(() => document.activeElement.textContent.trim());
}

/** Goes on with Tab until something has the focus. */
async function until(page, press, isIt) {
  for (let steps = 0; steps < 60; steps++) {
    const [text, tag] = await page.evaluate(() => [document.activeElement.textContent.trim(), document.activeElement.tagName]);
    if (isIt(text, tag)) return;
    await press('Tab');
  }
  assert.fail('Tab does not lead there');
}
