// Opens one realtime session with a client secret, in a process of its own:
// Node reads NODE_EXTRA_CA_CERTS only when it starts.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

const THIS = fileURLToPath(import.meta.url);
const DEADLINE_MS = 20_000;

/** The events of a session from its creation to the end of one response. */
export async function openSession({ secret, upstream, ca }) {
  const env = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: ca,
    CLIENT_SECRET: secret,
    UPSTREAM_URL: upstream,
  };
  const options = { env, timeout: DEADLINE_MS, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)(process.execPath, [THIS], options);
  return JSON.parse(stdout);
}

/** What a page does: connect, ask for one response, listen. */
function converse() {
  const openai = new OpenAI({
    apiKey: process.env.CLIENT_SECRET,
    baseURL: `${process.env.UPSTREAM_URL}/v1`,
  });
  const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime-2.1' }, openai);
  const events = [];
  realtime.on('event', (event) => events.push(event));
  realtime.on('session.created', () => realtime.send({ type: 'response.create' }));
  realtime.on('response.done', () => realtime.close());
  realtime.on('error', (error) => {
    console.error(error.message);
    process.exitCode = 1;
    realtime.close();
  });
  realtime.socket.on('close', () => {
    if (process.exitCode !== 1) process.stdout.write(JSON.stringify(events));
  });
}

if (process.argv[1] === THIS) {
  converse();
}
