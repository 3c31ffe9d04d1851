// Holds a conversation through the relay with one of OpenAI's own packages, in
// a process of its own: Node reads NODE_EXTRA_CA_CERTS only when it starts.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const THIS = fileURLToPath(import.meta.url);
const TURNS = 3;
const DEADLINE_MS = 30_000;

/**
 * Talks with a package until its session is closed; `turnsDone` is called once
 * after some turns. Gives what the package's user learns.
 */
export async function converse({ sdk, secret, url, ca, turnsDone }) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: ca, CLIENT_SECRET: secret, BASE_URL: url, SDK: sdk };
  const child = spawn(process.execPath, [THIS], { env, stdio: ['ignore', 'pipe', 'inherit'], timeout: DEADLINE_MS });
  let learnt;
  for await (const line of createInterface(child.stdout)) {
    const told = JSON.parse(line);
    if (told.turns) await turnsDone(told);
    else learnt = told;
  }
  return learnt;
}

const tell = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);

async function withOpenAI() {
  const { default: OpenAI } = await import('openai');
  const { OpenAIRealtimeWS } = await import('openai/realtime/ws');
  const openai = new OpenAI({ apiKey: process.env.CLIENT_SECRET, baseURL: `${process.env.BASE_URL}/v1` });
  const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime-2.1' }, openai);
  const errors = [];
  let turns = 0;
  const say = () => {
    const content = [{ type: 'input_text', text: `Turn ${turns}.` }];
    realtime.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
    realtime.send({ type: 'response.create' });
  };
  realtime.on('session.created', say);
  realtime.on('response.done', (event) => {
    turns += 1;
    if (event.response.status !== 'completed') throw new Error(event.response.status);
    if (turns < TURNS) say();
    else tell({ turns });
  });
  realtime.on('error', (error) => errors.push(error.error?.code ?? error.message));
  realtime.socket.on('close', (code, reason) => tell({ code, reason: String(reason), errors }));
}

async function withAgents() {
  const { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession } = await import('@openai/agents-realtime');
  const url = `${process.env.BASE_URL.replace(/^http/, 'ws')}/v1/realtime`;
  const transport = new OpenAIRealtimeWebSocket({ url });
  const agent = new RealtimeAgent({ name: 'page', instructions: 'Do as the page says.' });
  const session = new RealtimeSession(agent, { transport });
  const errors = [];
  const updates = [];
  let turns = 0;
  session.on('error', ({ error }) => errors.push(error?.error?.error?.code ?? error?.error?.code ?? String(error)));
  session.on('transport_event', (event) => {
    if (event.type === 'session.updated') updates.push(event.session);
    if (event.type !== 'response.done') return;
    turns += 1;
    if (turns < TURNS) session.sendMessage(`Turn ${turns}.`);
    else tell({ turns, updates });
  });
  transport.on('connection_change', (status) => {
    if (status === 'disconnected') tell({ code: null, errors });
  });
  await session.connect({ apiKey: process.env.CLIENT_SECRET });
  session.sendMessage('Hello.');
}

if (process.argv[1] === THIS) {
  await (process.env.SDK === 'agents' ? withAgents() : withOpenAI());
}
