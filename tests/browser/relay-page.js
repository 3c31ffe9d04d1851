// What the page of `relay.test.mjs` runs: OpenAI's own browser packages.
import { OpenAIRealtimeWebSocket as AgentsSocket, RealtimeAgent, RealtimeSession } from '@openai/agents-realtime';
import { OpenAIRealtimeWebSocket } from 'openai/realtime/websocket';

const MODEL = 'gpt-realtime-2.1';

/** What the package's user learns: turns as they are done, and the end. */
function heard(turns) {
  const learnt = { turns: 0, errors: [] };
  let talked, ended;
  learnt.talked = new Promise((resolve) => (talked = resolve));
  learnt.ended = new Promise((resolve) => (ended = resolve));
  learnt.turn = () => {
    learnt.turns += 1;
    if (learnt.turns === turns) talked(turns);
    return learnt.turns < turns;
  };
  learnt.end = (why) => {
    talked(learnt.turns);
    ended({ ...why, errors: learnt.errors });
  };
  return learnt;
}

function withOpenai(secret, base, learnt) {
  const realtime = new OpenAIRealtimeWebSocket({ model: MODEL }, { apiKey: secret, baseURL: `${base}/v1` });
  const say = () => {
    const content = [{ type: 'input_text', text: `Turn ${learnt.turns}.` }];
    realtime.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
    realtime.send({ type: 'response.create' });
  };
  realtime.on('session.created', say);
  realtime.on('response.done', () => learnt.turn() && say());
  realtime.on('error', (error) => learnt.errors.push(error.error?.code ?? error.message));
  realtime.socket.addEventListener('close', ({ code, reason }) => learnt.end({ code, reason }));
}

async function withAgents(secret, base, learnt) {
  const transport = new AgentsSocket({ url: `${base.replace(/^http/, 'ws')}/v1/realtime` });
  const agent = new RealtimeAgent({ name: 'page', instructions: 'Do as the page says.' });
  const session = new RealtimeSession(agent, { transport });
  session.on('error', ({ error }) => learnt.errors.push(error?.error?.error?.code ?? error?.error?.code ?? String(error)));
  session.on('transport_event', ({ type }) => {
    if (type === 'response.done' && learnt.turn()) session.sendMessage(`Turn ${learnt.turns}.`);
  });
  transport.on('connection_change', (status) => status === 'disconnected' && learnt.end({}));
  await session.connect({ apiKey: secret });
  session.sendMessage('Hello.');
}

/** Talks for some turns; `globalThis.learnt` tells how it went on. */
globalThis.talk = async (sdk, secret, base, turns) => {
  globalThis.learnt = heard(turns);
  await (sdk === 'agents' ? withAgents : withOpenai)(secret, base, globalThis.learnt);
  return globalThis.learnt.talked;
};
