// One interview over several secrets and connections.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { MODES, answer, begin, happened, openPage, phase, said, shoot, signIn, startBrowser, startDev, turns } from './support.mjs';

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
  test('keeps its transcript whole over several secrets and connections', async () => {
    const page = await visit();
    await begin(page, { life: '10', renewal: 'replace' });
    await said(page, QUESTIONS[0]);
    await answer(page, 'first answer');
    await said(page, QUESTIONS[1]);
    const moved = page.locator('#log li', { hasText: 'Moved to a new connection' });
    await moved.nth(0).waitFor();
    await answer(page, 'second answer');
    await said(page, QUESTIONS[2]);
    await shoot(page, 'direct-5-renewed');
    await moved.nth(1).waitFor();
    const words = (await turns(page)).map((turn) => turn.replace(/^Ada: |^Interviewer: /, ''));
    assert.equal(words.length, 5, words.join('\n'));
    assert.deepEqual([words[1], words[3]], ['first answer', 'second answer']);
    QUESTIONS.forEach((question, at) => assert.ok(words[2 * at].includes(question), words[2 * at]));
    assert.equal(await page.locator('#transcript li.cut').count(), 0);
    assert.deepEqual(clean(opened), []);
  });

  for (const mode of MODES) {
    test(`survives OpenAI’s 60 minutes in ${mode} mode`, async () => {
      const page = await visit();
      await begin(page, { mode });
      await said(page, QUESTIONS[0]);
      await page.getByRole('button', { name: 'Reach the 60 minutes' }).click();
      await happened(page, 'Back: 1 turns told again, nothing was lost');
      await answer(page, 'still here');
      await said(page, QUESTIONS[1]);
      assert.equal((await turns(page)).length, 3);
    });
  }

  for (const mode of MODES.filter((each) => each !== 'direct')) {
    test(`outlives its lease in ${mode} mode, on one connection`, async () => {
      const page = await visit();
      await begin(page, { mode });
      await said(page, QUESTIONS[0]);
      await page.locator('#log li', { hasText: 'Lease renewed' }).nth(1).waitFor({ timeout: 40_000 });
      await answer(page, 'still the same connection');
      await said(page, QUESTIONS[1]);
      assert.equal(await page.locator('#log li', { hasText: /Moved|Back/ }).count(), 0);
    });
  }

  // A call that is hung up may have been ended on purpose: nobody comes back.
  for (const mode of MODES.filter((each) => each !== 'call')) {
    test(`survives a dropped connection in ${mode} mode`, async () => {
      const page = await visit();
      await begin(page, { mode });
      await said(page, QUESTIONS[0]);
      await page.getByRole('button', { name: 'Drop the connection' }).click();
      await happened(page, 'Back: 1 turns told again, nothing was lost');
      await answer(page, 'still here');
      await said(page, QUESTIONS[1]);
      assert.equal((await turns(page)).length, 3);
    });
  }

  test('waits out OpenAI’s absence', async () => {
    const page = await visit();
    await begin(page);
    await said(page, QUESTIONS[0]);
    await page.getByRole('button', { name: 'OpenAI goes down' }).click();
    await phase(page, 'reconnecting');
    await shoot(page, 'direct-6-reconnecting');
    await page.getByRole('button', { name: 'OpenAI comes back' }).click();
    await phase(page, 'live');
    assert.equal((await turns(page)).length, 1);
  });
});
