// What a visitor is told when it can't go on.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { MODES, begin, openPage, said, shoot, signIn, startBrowser, startDev } from './support.mjs';

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

describe('what goes wrong', () => {
  test('a revoked person is told, and does not come back', async () => {
    const page = await visit();
    await begin(page, { life: '10' });
    await said(page, QUESTIONS[0]);
    await page.getByRole('button', { name: 'Revoke me' }).click();
    // In direct mode the next renewal is where it is noticed.
    await page.getByRole('alert').filter({ hasText: 'Your access was withdrawn.' }).waitFor();
    await page.getByRole('heading', { name: 'The interview stopped' }).waitFor();
    await shoot(page, 'direct-7-revoked');
    await page.getByRole('button', { name: 'Another interview' }).click();
    await page.getByRole('button', { name: 'Start the interview' }).click();
    await page.getByRole('alert').filter({ hasText: 'Your access was withdrawn.' }).waitFor();
    const lifted = await page.evaluate(() => fetch('api/trouble', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"kind":"lift"}' }).then(({ status }) => status));
    assert.equal(lifted, 200);
    await begin(page);
  });

  for (const mode of MODES.filter((each) => each !== 'direct')) {
    test(`a person revoked in a ${mode} is cut off at once`, async () => {
      const page = await visit();
      await begin(page, { mode });
      await said(page, QUESTIONS[0]);
      await page.getByRole('button', { name: 'Revoke me' }).click();
      await page.getByRole('alert').filter({ hasText: 'Your access was withdrawn.' }).waitFor();
      await shoot(page, `${mode}-7-revoked`);
      await page.evaluate(() => fetch('api/trouble', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"kind":"lift"}' }));
    });
  }

  test('a refused microphone is explained', async () => {
    const refusing = await startBrowser({ microphone: false });
    try {
      const { page } = await openPage(refusing, { permissions: [] });
      await signIn(page, dev.url);
      await page.evaluate(() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
      });
      await page.getByRole('button', { name: 'Start the interview' }).click();
      await page.getByRole('alert').filter({ hasText: 'The microphone is blocked.' }).waitFor();
      await shoot(page, 'direct-8-no-microphone');
    } finally {
      await refusing.close();
    }
  });

  test('a server that is gone is said to be', async () => {
    const other = await startDev();
    opened = await openPage(browser);
    const { page } = opened;
    await signIn(page, other.url);
    await other.stop();
    await page.getByRole('button', { name: 'Start the interview' }).click();
    await page.getByRole('alert').filter({ hasText: 'The connection was lost.' }).waitFor();
  });
});
