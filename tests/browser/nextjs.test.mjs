// The Next.js example: built, signed in by Auth.js, its cookie read by Hallpass.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openPage, shoot, startBrowser, startDev } from './support.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/nextjs', import.meta.url));
const NEXT = `${EXAMPLE}/node_modules/next/dist/bin/next`;
const CLIENT = fileURLToPath(new URL('../../clients/typescript', import.meta.url));

let dev;
let browser;
let next;
let url;

/** A port nobody listens at. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const env = { ...process.env, NEXTAUTH_SECRET: dev.sessionSecret, NEXTAUTH_URL: url, HALLPASS_URL: dev.url, NEXT_TELEMETRY_DISABLED: '1' };
  const run = (args, cwd) => promisify(execFile)(process.execPath, args, { cwd, env });
  // Into a folder of its own: another test builds the client too.
  const client = await mkdtemp(join(tmpdir(), 'hallpass-client-'));
  await run(['scripts/build.mjs', client], CLIENT);
  await run(['copy-client.mjs', client], EXAMPLE);
  await rm(client, { recursive: true });
  await run([NEXT, 'build'], EXAMPLE);
  next = spawn(process.execPath, [NEXT, 'start', '-H', '127.0.0.1', '-p', String(port)], { cwd: EXAMPLE, env, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    let printed = '';
    next.stdout.on('data', (text) => (printed += text).includes('Ready') && resolve());
    next.once('exit', () => reject(new Error(printed)));
  });
});
after(async () => {
  next?.kill('SIGTERM');
  await browser?.close();
  await dev?.stop();
});

test('Auth.js signs in, and its cookie is enough for an interview', async () => {
  const { context, page, console } = await openPage(browser);
  await page.goto(url);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByLabel('Your name').fill('Noor');
  await page.getByRole('button', { name: /sign in/i }).click();
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByText('Interviewer: I am a simulated model. Say something.').waitFor();
  await shoot(page, 'nextjs');
  assert.match(await page.getByRole('status').innerText(), /^live/, console.join('\n'));
  const cookies = await context.cookies();
  assert.ok(cookies.some(({ name, httpOnly }) => name === 'next-auth.session-token' && httpOnly));
  await page.getByRole('button', { name: 'End' }).click();
  await page.getByRole('button', { name: 'Start' }).waitFor();
  await context.close();
});
