import type { ClientEvent, ContentPart, Item, ServerEvent } from './events.js';

/** One turn of the conversation, as a page shows it. */
export interface TranscriptEntry {
  /** The item's id; stable across renewals. */
  id: string;
  role: 'user' | 'assistant';
  text: string;
  /** Whether the text can still change. */
  final: boolean;
  /** Cut short by the user, or lost with a connection. */
  interrupted: boolean;
}

/** How much of the conversation is told to a new connection. */
export interface HistoryLimits {
  /** Items; 200. The oldest are left out. */
  items: number;
  /** Bytes of JSON; 256,000. */
  bytes: number;
}

export const LIMITS: HistoryLimits = { items: 200, bytes: 256_000 };

/** PCM16 at 24 kHz: bytes a millisecond. */
const BYTES_PER_MS = 48;

interface Entry {
  item: Item;
  text: string;
  done: boolean;
  /** Waits for what the user said to be written down. */
  hears: boolean;
  interrupted: boolean;
  /** Was under way when its connection went: never told to another. */
  lost: boolean;
  audioMs: number;
  heardMs: number | undefined;
}

/** The conversation so far: for the page to show, and for the next connection. */
export class History {
  #entries: Entry[] = [];
  /** Whether user audio will be written down. */
  transcribes = false;

  /** Takes an event in; true if the transcript changed. */
  observe(event: ServerEvent): boolean {
    switch (event.type) {
      case 'session.created':
      case 'session.updated':
        this.transcribes = Boolean(event.session.audio?.input?.transcription);
        return false;
      case 'conversation.item.added':
      case 'response.output_item.added':
        return this.#add(event.item, 'previous_item_id' in event ? event.previous_item_id : undefined);
      case 'conversation.item.done':
      case 'response.output_item.done':
        this.#add(event.item, 'previous_item_id' in event ? event.previous_item_id : undefined);
        return this.#finish(event.item);
      case 'conversation.item.deleted':
        this.#entries = this.#entries.filter(({ item }) => item.id !== event.item_id);
        return true;
      case 'conversation.item.truncated':
        return this.#change(event.item_id, (entry) => {
          entry.heardMs = event.audio_end_ms;
          entry.interrupted = true;
          entry.text = heard(entry);
        });
      case 'conversation.item.input_audio_transcription.delta':
        return this.#change(event.item_id, (entry) => (entry.text += event.delta ?? ''));
      case 'conversation.item.input_audio_transcription.completed':
        return this.#change(event.item_id, (entry) => {
          entry.text = event.transcript;
          entry.hears = false;
        });
      case 'conversation.item.input_audio_transcription.failed':
        return this.#change(event.item_id, (entry) => (entry.hears = false));
      case 'response.output_audio_transcript.delta':
      case 'response.output_text.delta':
        return this.#change(event.item_id, (entry) => (entry.text += event.delta));
      case 'response.output_audio.delta':
        this.#change(event.item_id, (entry) => (entry.audioMs += (event.delta.length * 0.75) / BYTES_PER_MS));
        return false;
      case 'response.output_audio_transcript.done':
        return this.#change(event.item_id, (entry) => (entry.text = event.transcript));
      case 'response.output_text.done':
        return this.#change(event.item_id, (entry) => (entry.text = event.text));
      default:
        return false;
    }
  }

  /** Settles what a lost connection left open; the number of items it cost. */
  interrupt(): number {
    const open = this.#entries.filter(({ done, hears }) => !done || hears);
    for (const entry of open) {
      entry.interrupted ||= !entry.done;
      entry.lost ||= !entry.done;
      entry.done = true;
      entry.hears = false;
    }
    return open.filter(({ item }) => item.role !== 'user').length;
  }

  /** Whether every finished item has its words. */
  get settled(): boolean {
    return this.#entries.every(({ done, hears }) => done && !hears);
  }

  /** Whether the last thing said was the user's, and nothing has answered it. */
  get unanswered(): boolean {
    const last = this.#entries.at(-1);
    return last?.item.role === 'user' && last.text !== '';
  }

  transcript(): TranscriptEntry[] {
    const said = ({ item }: Entry): boolean => item.type === 'message' && item.role !== 'system';
    return this.#entries.filter(said).map(({ item, text, done, hears, interrupted }) => ({
      id: item.id ?? '',
      role: item.role === 'user' ? 'user' : 'assistant',
      text,
      final: done && !hears,
      interrupted,
    }));
  }

  /** What a new connection is told, less what it was told before. */
  replay(told: ReadonlySet<string>, limits: HistoryLimits = LIMITS): ClientEvent[] {
    const answered = new Set(
      this.#entries.filter(({ item }) => item.type === 'function_call_output').map(({ item }) => item.call_id),
    );
    let items = this.#entries
      .filter(({ done, hears, lost }) => done && !hears && !lost)
      .map((entry) => asText(entry, answered))
      .filter((item): item is Item => item !== undefined);
    items = newest(items, limits);
    return items
      .filter(({ id }) => !told.has(id ?? ''))
      .map((item) => ({ type: 'conversation.item.create', event_id: `hp_replay_${item.id}`, item }));
  }

  #add(item: Item, previous: string | null | undefined): boolean {
    if (!item.id || this.#find(item.id)) return false;
    const own = item.role === 'user' && !wordsOf(item);
    const entry: Entry = {
      item,
      text: wordsOf(item),
      done: item.status === 'completed' && item.role !== 'assistant',
      hears: own && this.transcribes && (item.content ?? []).some(({ type }) => type === 'input_audio'),
      interrupted: false,
      lost: false,
      audioMs: 0,
      heardMs: undefined,
    };
    const before = this.#entries.findIndex((other) => other.item.id === previous);
    if (previous && before >= 0) this.#entries.splice(before + 1, 0, entry);
    else this.#entries.push(entry);
    return true;
  }

  #finish(item: Item): boolean {
    return this.#change(item.id ?? '', (entry) => {
      entry.item = item;
      entry.done = item.status !== 'in_progress';
      entry.text = wordsOf(item) || entry.text;
      entry.interrupted ||= item.status === 'incomplete';
      if (entry.heardMs !== undefined) entry.text = heard(entry);
    });
  }

  #change(id: string, change: (entry: Entry) => unknown): boolean {
    const entry = this.#find(id);
    if (entry) change(entry);
    return entry !== undefined;
  }

  #find(id: string): Entry | undefined {
    return this.#entries.find(({ item }) => item.id === id);
  }
}

function wordsOf(item: Item): string {
  return (item.content ?? []).map(({ text, transcript }) => text ?? transcript ?? '').join('');
}

/** The words of an interrupted reply that were played, by their share of its sound. */
function heard({ text, audioMs, heardMs }: Entry): string {
  if (heardMs === undefined || audioMs === 0 || heardMs >= audioMs) return text;
  const words = text.split(/(?<=\s)/);
  return words.slice(0, Math.round((words.length * heardMs) / audioMs)).join('').trimEnd();
}

/** An item as another session takes it; nothing where there is nothing to tell. */
function asText({ item, text }: Entry, answered: ReadonlySet<string | undefined>): Item | undefined {
  const { id, type, role, call_id, name, output } = item;
  // OpenAI takes ids of up to 32 characters.
  const named = id && id.length <= 32 ? { id } : {};
  if (type === 'function_call') {
    if (!answered.has(call_id)) return undefined;
    return { ...named, type, ...(call_id && { call_id }), ...(name && { name }), arguments: item.arguments ?? '' };
  }
  if (type === 'function_call_output') {
    return { ...named, type, ...(call_id && { call_id }), output: output ?? '' };
  }
  if (type !== 'message' || !role || !text) return undefined;
  // The API refuses assistant audio in an item: its words stand for it.
  const part: ContentPart = { type: role === 'assistant' ? 'output_text' : 'input_text', text };
  return { ...named, type, role, content: [part] };
}

/** The newest items within the limits, with no half of a function call. */
function newest(items: Item[], limits: HistoryLimits): Item[] {
  const kept: Item[] = [];
  let bytes = 0;
  for (const item of items.slice(-limits.items).reverse()) {
    bytes += JSON.stringify(item).length;
    if (bytes > limits.bytes) break;
    kept.unshift(item);
  }
  const calls = new Set(kept.filter(({ type }) => type === 'function_call').map(({ call_id }) => call_id));
  return kept.filter(({ type, call_id }) => type !== 'function_call_output' || calls.has(call_id));
}
