// Vercel's AI SDK: its realtime hook asks `/api/setup/ai-sdk` by itself.
import { createOpenAI } from '@ai-sdk/openai';
import { experimental_useRealtime as useRealtime } from '@ai-sdk/react';
import { useEffect, useRef } from 'react';
import { createRoot } from 'react-dom/client';

const model = createOpenAI({ apiKey: 'none: the secret is Hallpass’s' }).experimental_realtime('gpt-realtime-2.1');

function Conversation({ setup, question, onReply }: { setup: string; question: string; onReply(text: string): void }) {
  const { status, messages, connect, sendTextMessage, error } = useRealtime({ model, api: { token: setup } });
  const asked = useRef(false);
  useEffect(() => {
    if (status !== 'connected' || asked.current) return;
    asked.current = true;
    void sendTextMessage(question);
  }, [status, question, sendTextMessage]);
  const said = messages.filter(({ role }) => role === 'assistant').flatMap(({ parts }) => parts);
  const reply = said.map((part) => ('text' in part ? part.text : '')).join('');
  useEffect(() => onReply(reply), [reply, onReply]);
  return (
    <main>
      <button onClick={() => void connect()}>Connect</button>
      <p id="status">{status}</p>
      <p id="error">{error?.message}</p>
      <p id="reply">{reply}</p>
    </main>
  );
}

/** Asks one question and answers with the reply. */
export function converse(hallpass: string, question: string): Promise<string> {
  return new Promise((resolve) => {
    const whole = (text: string): void => {
      if (text.includes(question)) resolve(text);
    };
    const root = document.body.appendChild(document.createElement('div'));
    createRoot(root).render(<Conversation setup={`${hallpass}/api/setup/ai-sdk`} question={question} onReply={whole} />);
  });
}

Object.assign(globalThis, { converse });
