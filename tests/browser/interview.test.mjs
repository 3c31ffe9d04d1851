// The interview page as a visitor has it.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { MODES, answer, begin, openPage, phase, said, shoot, signIn, speak, startBrowser, startDev, turns } from './support.mjs';

const QUESTIONS = ['Tell me a little about yourself', 'most proud of', 'something went wrong'];

let dev;
let browser;
let opened;

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
});
after(async () => {
  await browser?.close();
  await dev?.stop();
});
afterEach(async () => {
  await opened?.context.close();
});

async function visit(options) {
  opened = await openPage(browser, options);
  await signIn(opened.page, dev.url);
  return opened.page;
}

/** Nothing the browser complained of, and nothing the policy stopped. */
function clean({ console }) {
  return console.filter((line) => /^(error|warning)/.test(line) && !/status of (403|429|503)|WebSocket connection/.test(line));
}

describe('an interview', () => {
  for (const mode of MODES) {
    test(`goes from sign-in to summary in ${mode} mode`, async () => {
      opened = await openPage(browser);
      const { page } = opened;
      await page.goto(`${dev.url}/demo/`);
      await page.getByRole('radio', { name: 'Ada' }).waitFor();
      await shoot(page, `${mode}-1-sign-in`);
      await signIn(page, dev.url);
      await shoot(page, `${mode}-2-lobby`);
      await begin(page, { mode });
      await said(page, QUESTIONS[0]);
      await answer(page, 'I build compilers.');
      await said(page, QUESTIONS[1]);
      await speak(page);
      await said(page, QUESTIONS[2]);
      await shoot(page, `${mode}-3-live`);
      assert.match(await page.locator('#holds').innerText(), /used, and dropped[\s\S]*Standard key\s*never/);
      assert.match(await page.locator('#clock').innerText(), /^\d+:\d\d left$/);
      const heard = await turns(page);
      await page.getByRole('button', { name: 'End interview' }).click();
      await page.getByRole('heading', { name: 'Thank you' }).waitFor();
      await shoot(page, `${mode}-4-summary`);
      assert.deepEqual(await turns(page, '#summary-transcript'), heard);
      assert.equal(heard.length, 5);
      const facts = await page.locator('#facts').innerText();
      assert.match(facts, /Duration\s*\d+:\d\d/);
      assert.match(facts, /Tokens out\s*[1-9]\d* \([1-9]/);
      assert.deepEqual(clean(opened), []);
    });
  }

  test('can be had in the dark, on a phone', async () => {
    const page = await visit({ colorScheme: 'dark', viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await shoot(page, 'phone-1-lobby');
    await begin(page);
    await said(page, QUESTIONS[0]);
    await shoot(page, 'phone-2-live');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    assert.equal(wide, false, 'nothing sticks out to the side');
  });

  test('can be had by keyboard alone', async () => {
    opened = await openPage(browser);
    const { page } = opened;
    await page.goto(`${dev.url}/demo/`);
    await page.getByRole('radio', { name: 'Ada' }).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Ready when you are' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'lobby-title');
    await page.getByRole('radio', { name: /^Direct/ }).focus();
    await page.keyboard.press('Enter');
    await phase(page, 'live');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'live-title');
    await page.keyboard.press('m');
    await page.locator('#mute[aria-pressed="true"]').waitFor();
    await page.keyboard.press('m');
    await said(page, QUESTIONS[0]);
    assert.match(await page.locator('#announce').textContent(), /Interviewer: Hello|Connected|secret/);
    await page.locator('#end').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Thank you' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'summary-title');
  });
});
