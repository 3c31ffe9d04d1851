// `hallpass dev` and Chromium for a test, and what a visitor of the page does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

/** The ways a voice can travel. */
export const MODES = ['direct', 'relay', 'call'];

/** How long anything may take, in milliseconds: generous, for slow machines. */
const DEADLINE = 20_000;

/** Where the run keeps its screenshots. */
const SHOTS = process.env.HALLPASS_SHOTS ?? join(tmpdir(), 'hallpass-shots');

/** Starts a broker with a simulated OpenAI; resolves with its dev.json, `logs` and `stop`. */
export async function startDev() {
  const binary = process.env.HALLPASS_BIN;
  if (!binary) throw new Error('HALLPASS_BIN must name the hallpass binary: target/debug/hallpass');
  const dataDir = await mkdtemp(join(tmpdir(), 'hallpass-browser-'));
  const child = spawn(binary, ['dev', '--port', '0', '--data-dir', dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await new Promise((resolve, reject) => {
      let printed = '';
      child.stdout.setEncoding('utf8');
      child.stdout.on('data', (text) => (printed += text).includes('is ready') && resolve());
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`hallpass dev ended with ${code}: ${printed}`)));
    });
    const file = JSON.parse(await readFile(join(dataDir, 'dev.json'), 'utf8'));
    const standardKey = await readFile(join(dataDir, 'secrets/standard-key'), 'utf8');
    // What the app's login shares with Hallpass.
    const sessionSecret = await readFile(join(dataDir, 'secrets/session'), 'utf8');
    return { ...file, standardKey, sessionSecret, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Debian's Chromium; its microphone is a file of speech and pauses. */
export async function startBrowser({ microphone = true, more = [] } = {}) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const args = ['--no-sandbox', '--use-fake-device-for-media-stream', '--autoplay-policy=no-user-gesture-required', ...more];
  if (microphone) args.push('--use-fake-ui-for-media-stream');
  return chromium.launch({ executablePath, args });
}

/** A page of its own context; complaints of the browser are collected. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(DEADLINE);
  const page = await context.newPage();
  const console = [];
  page.on('console', (message) => console.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => console.push(`error: ${error.stack ?? error}`));
  return { context, page, console };
}

/** Signs in and waits for the lobby. */
export async function signIn(page, url, person = 'Ada') {
  await page.goto(`${url}/demo/`);
  await page.getByRole('radio', { name: person }).check();
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Ready when you are' }).waitFor();
}

/** Starts an interview and waits until it is live. */
export async function begin(page, { mode = 'direct', life, renewal } = {}) {
  await page.getByRole('radio', { name: new RegExp(`^${mode}`, 'i') }).check();
  if (life) await page.getByLabel('A client secret lives').selectOption(life);
  if (renewal) await page.getByLabel('When it nears its end').selectOption(renewal);
  await page.getByRole('button', { name: 'Start the interview' }).click();
  await phase(page, 'live');
}

/** Waits for the interview's phase. */
export function phase(page, name) {
  return page.locator(`#phase[data-phase="${name}"]`).waitFor();
}

/** Waits for a line of "What happens". */
export function happened(page, words) {
  return page.locator('#log li', { hasText: words }).first().waitFor();
}

/** Waits until the interviewer has said something to its end. */
export function said(page, words) {
  return page.locator('#transcript li.assistant:not(.pending)', { hasText: words }).waitFor();
}

/** Types an answer. */
export async function answer(page, text) {
  await page.getByLabel('Your answer, typed').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

/** Answers aloud: Chromium's microphone beeps, and the simulator is told where the turn ends. */
export async function speak(page) {
  await page.waitForFunction(() => document.getElementById('meter-input').value > 0.1);
  await page.getByRole('button', { name: 'I’ve answered' }).click();
  await page.locator('#transcript li.user', { hasText: /A simulated transcript of \d/ }).waitFor();
}

/** Every finished turn, as `speaker: words`. */
export async function turns(page, list = '#transcript') {
  const rows = await page.locator(`${list} li:not(.cut)`).all();
  return Promise.all(rows.map(async (row) => `${await row.locator('b').innerText()}: ${await row.locator('p').innerText()}`));
}

/** Keeps a picture of the page. */
export async function shoot(page, name) {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}
