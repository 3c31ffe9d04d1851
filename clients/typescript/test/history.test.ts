import { describe, expect, it } from 'vitest';
import type { Item, ServerEvent } from '../src/index.js';
import { History } from '../src/history.js';

const NONE = new Set<string>();

function message(id: string, role: 'user' | 'assistant' | 'system', text: string): ServerEvent {
  const type = role === 'assistant' ? 'output_text' : 'input_text';
  return { type: 'conversation.item.done', item: { id, type: 'message', role, status: 'completed', content: [{ type, text }] } };
}

function done(item: Item): ServerEvent {
  return { type: 'conversation.item.done', item };
}

function told(events: ServerEvent[], limits = { items: 200, bytes: 256_000 }): (Item | undefined)[] {
  const history = new History();
  for (const event of events) history.observe(event);
  return history.replay(NONE, limits).map((event) => (event.type === 'conversation.item.create' ? event.item : undefined));
}

describe('what another connection is told', () => {
  it('is the words of sound, never the sound', () => {
    const items = told([
      done({ id: 'a', type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_audio', transcript: 'Hello', audio: 'AAAA' }] }),
      done({ id: 'b', type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_audio', transcript: 'Hi', audio: 'AAAA' }] }),
    ]);
    expect(items).toEqual([
      { id: 'a', type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello' }] },
      { id: 'b', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
    ]);
  });

  it('holds function calls with their outputs, and no half of one', () => {
    const call = (id: string): Item => ({ id, type: 'function_call', status: 'completed', call_id: `call_${id}`, name: 'look_up', arguments: '{}' });
    const output = (id: string): Item => ({ id: `o${id}`, type: 'function_call_output', status: 'completed', call_id: `call_${id}`, output: '42' });
    const events = [done(call('1')), done(output('1')), done(call('2'))];
    expect(told(events).map((item) => item?.id)).toEqual(['1', 'o1']);
    expect(told([...events, message('m', 'user', 'x')], { items: 3, bytes: 9999 }).map((item) => item?.id)).toEqual(['1', 'o1', 'm']);
    expect(told([done(call('1')), done(output('1')), message('m', 'user', 'x')], { items: 2, bytes: 9999 }).map((item) => item?.id)).toEqual(['m']);
  });

  it('leaves out what is unfinished, empty or of an unknown kind', () => {
    const items = told([
      { type: 'conversation.item.added', item: { id: 'p', type: 'message', role: 'assistant', status: 'in_progress', content: [] } },
      done({ id: 'e', type: 'message', role: 'assistant', status: 'completed', content: [] }),
      done({ id: 'x', type: 'mcp_list_tools', status: 'completed' }),
      message('m', 'user', 'only this'),
    ]);
    expect(items.map((item) => item?.id)).toEqual(['m']);
  });

  it('names no id that OpenAI would refuse', () => {
    expect(told([message('i'.repeat(33), 'user', 'long')])[0]).not.toHaveProperty('id');
  });

  it('keeps the newest within its limits', () => {
    const events = Array.from({ length: 300 }, (_, at) => message(`m${at}`, 'user', `word ${at}`));
    expect(told(events)).toHaveLength(200);
    expect(told(events)[0]?.id).toBe('m100');
    expect(told(events, { items: 200, bytes: 1000 }).length).toBeLessThan(12);
    expect(told(events, { items: 200, bytes: 1000 }).at(-1)?.id).toBe('m299');
  });

  it('follows the order the server gives', () => {
    const late: ServerEvent = { type: 'conversation.item.added', previous_item_id: 'a', item: { id: 'b', type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_text', text: '2' }] } };
    expect(told([message('a', 'user', '1'), message('c', 'user', '3'), late]).map((item) => item?.id)).toEqual(['a', 'b', 'c']);
  });
});

describe('an interrupted reply', () => {
  it('keeps the words that were played', () => {
    const history = new History();
    history.observe({ type: 'conversation.item.added', item: { id: 'r', type: 'message', role: 'assistant', status: 'in_progress', content: [] } });
    for (const delta of ['one ', 'two ', 'three ', 'four']) {
      history.observe({ type: 'response.output_audio_transcript.delta', item_id: 'r', delta });
      history.observe({ type: 'response.output_audio.delta', item_id: 'r', delta: 'A'.repeat(6400) });
    }
    history.observe({ type: 'conversation.item.truncated', item_id: 'r', audio_end_ms: 200 });
    history.observe(done({ id: 'r', type: 'message', role: 'assistant', status: 'incomplete', content: [{ type: 'output_audio', transcript: 'one two three four' }] }));
    expect(history.transcript()).toEqual([{ id: 'r', role: 'assistant', text: 'one two', final: true, interrupted: true }]);
    expect(history.replay(NONE)).toMatchObject([{ item: { content: [{ text: 'one two' }] } }]);
  });
});

describe('a transcript', () => {
  it('shows words as they come, and leaves out what nobody said', () => {
    const history = new History();
    history.observe({ type: 'session.created', session: { audio: { input: { transcription: {} } } } });
    history.observe(message('s', 'system', 'be kind'));
    history.observe({ type: 'conversation.item.added', item: { id: 'u', type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_audio', transcript: null }] } });
    history.observe({ type: 'conversation.item.input_audio_transcription.delta', item_id: 'u', delta: 'Hel' });
    expect(history.transcript()).toEqual([{ id: 'u', role: 'user', text: 'Hel', final: false, interrupted: false }]);
    history.observe({ type: 'conversation.item.input_audio_transcription.completed', item_id: 'u', transcript: 'Hello' });
    history.observe({ type: 'conversation.item.deleted', item_id: 's' });
    expect(history.transcript()).toEqual([{ id: 'u', role: 'user', text: 'Hello', final: true, interrupted: false }]);
  });
});
