// OpenAI's Agents SDK with a secret of Hallpass.
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession } from '@openai/agents-realtime';

/** Asks one question and answers with the reply. */
export async function converse(hallpass: string, question: string): Promise<string> {
  const response = await fetch(`${hallpass}/api/generate-client-secret`, { method: 'POST' });
  if (!response.ok) throw new Error((await response.json()).detail);
  const { value, connect } = await response.json();

  const agent = new RealtimeAgent({ name: 'Interviewer', instructions: 'Ask one question at a time.' });
  const transport = new OpenAIRealtimeWebSocket({ url: connect.url });
  const session = new RealtimeSession(agent, { transport });
  await session.connect({ apiKey: value });
  return new Promise((resolve, reject) => {
    session.on('error', ({ error }) => reject(error));
    session.on('agent_end', (_context, _agent, output) => {
      session.close();
      resolve(output);
    });
    session.sendMessage(question);
  });
}

Object.assign(globalThis, { converse });
