// OpenAI's own package: `OpenAIRealtimeWebSocket` with a secret of Hallpass.
import { OpenAIRealtimeWebSocket } from 'openai/realtime/websocket';

/** Asks one question and answers with the reply. */
export async function converse(hallpass: string, question: string): Promise<string> {
  const response = await fetch(`${hallpass}/api/generate-client-secret`, { method: 'POST' });
  if (!response.ok) throw new Error((await response.json()).detail);
  const { value, connect, session } = await response.json();

  // Its socket speaks wss only. Where to connect is in the answer: OpenAI, or
  // Hallpass in relay mode.
  const base = new URL(connect.url.split('?')[0].replace(/^ws/, 'http').replace(/\/realtime$/, ''));
  const realtime = new OpenAIRealtimeWebSocket({ model: session.model }, { apiKey: value, baseURL: base.href });
  return new Promise((resolve, reject) => {
    realtime.on('error', reject);
    realtime.on('session.created', () => {
      const content = [{ type: 'input_text' as const, text: question }];
      realtime.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
      realtime.send({ type: 'response.create' });
    });
    realtime.on('response.output_audio_transcript.done', ({ transcript }) => resolve(transcript));
    realtime.on('response.done', () => realtime.close());
  });
}

Object.assign(globalThis, { converse });
