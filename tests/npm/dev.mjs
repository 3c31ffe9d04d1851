// Starts `hallpass dev` for a test, and ends it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Starts a broker with a simulated OpenAI; resolves with its dev.json and `stop`. */
export async function startDev() {
  const binary = process.env.HALLPASS_BIN;
  if (!binary) {
    throw new Error('HALLPASS_BIN must name the hallpass binary: target/debug/hallpass');
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'hallpass-npm-'));
  const child = spawn(binary, ['dev', '--port', '0', '--data-dir', dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await ready(child);
    const file = JSON.parse(await readFile(join(dataDir, 'dev.json'), 'utf8'));
    return { ...file, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Resolves once the program says that it is ready; its output is read to the end. */
function ready(child) {
  return new Promise((resolve, reject) => {
    let printed = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text) => {
      printed += text;
      if (printed.includes('is ready')) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`hallpass dev ended with ${code}: ${printed}`)));
  });
}
