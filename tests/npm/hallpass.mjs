// Starts `hallpass sim` and `hallpass serve` for a test, and ends them.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function binary() {
  const path = process.env.HALLPASS_BIN;
  if (!path) {
    throw new Error('HALLPASS_BIN must name the hallpass binary: target/debug/hallpass');
  }
  return path;
}

/** Environment of a child: nothing of ours but the path, so that no setting leaks in. */
const clean = (more) => ({ PATH: process.env.PATH, ...more });

/** Resolves with what `read` finds in a child's output; the output is read to its end. */
function told(child, stream, read) {
  return new Promise((resolve, reject) => {
    let printed = '';
    child[stream].setEncoding('utf8');
    child[stream].on('data', (text) => {
      printed += text;
      const found = read(printed);
      if (found) resolve(found);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${child.spawnargs.join(' ')} ended with ${code}: ${printed}`)));
  });
}

async function end(child) {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

/**
 * Starts a simulated OpenAI and a server by a configuration. `configuration` gets
 * the simulator's address and says what stands in the file.
 */
export async function startServe(configuration) {
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-npm-'));
  const key = `sk-sim-${randomBytes(16).toString('hex')}`;
  const children = [];
  const stop = async () => {
    for (const child of children.toReversed()) await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const sim = spawn(binary(), ['sim', '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: clean({ HALLPASS_SIM_KEY: key }),
    });
    children.push(sim);
    const upstream = await told(sim, 'stdout', (text) => /http:\/\/[0-9.:]+/.exec(text)?.[0]);
    const file = join(folder, 'hallpass.toml');
    await writeFile(file, configuration(upstream));
    const server = spawn(binary(), ['serve', '--config', file], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: clean({ OPENAI_API_KEY: key }),
    });
    children.push(server);
    const at = await told(server, 'stderr', serving);
    return { url: `http://${at.public}`, admin: `http://${at.admin}`, upstream, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The log line that says where a server listens. */
function serving(text) {
  const lines = text.split('\n').filter((line) => line.includes('"serving"'));
  return lines.map((line) => JSON.parse(line)).find((line) => line.message === 'serving');
}

/** Runs a command to its end with a text as its input; resolves with its output. */
export async function run(args, input) {
  const child = spawn(binary(), args, { stdio: ['pipe', 'pipe', 'inherit'], env: clean({}) });
  child.stdin.end(input);
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return Buffer.concat(chunks).toString('utf8');
}
