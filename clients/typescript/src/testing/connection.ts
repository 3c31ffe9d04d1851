import type { ClientEvent, Item, ServerEvent, SessionConfig } from '../events.js';

/** One reply of the simulated model, word by word. */
export interface FakeReply {
  /** Says one word more. */
  word(text: string): void;
  /** Ends it. */
  finish(): void;
}

/** The page's end of a connection. */
export interface Wire {
  deliver(event: unknown): void;
  shut(code: number, reason: string): void;
}

/** One connection a page opened, and the conversation it was told. */
export class FakeConnection {
  /** Everything the page sent, in order. */
  readonly received: ClientEvent[] = [];
  /** The conversation as this connection knows it. */
  readonly items: Item[] = [];
  /** The subprotocols offered, which hold the secret. */
  readonly protocols: readonly string[];
  readonly url: string;
  readonly session: SessionConfig;
  closed: { code: number; reason: string; by: 'page' | 'server' } | undefined;
  readonly #refuses: string | undefined;
  #reply: { id: string; item: Item; text: string } | undefined;
  readonly #socket: Wire;
  readonly #id: () => string;

  constructor(
    socket: Wire,
    facts: { url: string; protocols: readonly string[]; session: SessionConfig; id: () => string; refuses: string | undefined },
  ) {
    this.#socket = socket;
    this.#id = facts.id;
    this.url = facts.url;
    this.protocols = facts.protocols;
    this.session = facts.session;
    this.#refuses = facts.refuses;
  }

  /** Texts of all items, oldest first: what the model knows was said. */
  get told(): string[] {
    return this.items.map(({ content, output, name }) => content?.map((part) => part.text ?? part.transcript ?? '').join('') ?? output ?? name ?? '');
  }

  /** Sends any event to the page. */
  emit(event: ServerEvent | { type: string; [member: string]: unknown }): void {
    if (!this.closed) this.#socket.deliver({ event_id: this.#id(), ...event });
  }

  /** The user speaks; with server turn detection a reply would follow. */
  hear(text: string): Item {
    const id = `item_${this.#id()}`;
    const item: Item = { id, type: 'message', role: 'user', status: 'completed', content: [{ type: 'input_audio', transcript: null }] };
    this.emit({ type: 'input_audio_buffer.speech_started', item_id: id });
    this.emit({ type: 'input_audio_buffer.speech_stopped', item_id: id });
    this.emit({ type: 'input_audio_buffer.committed', item_id: id });
    this.#insert(item);
    this.emit({ type: 'conversation.item.input_audio_transcription.completed', item_id: id, content_index: 0, transcript: text });
    item.content = [{ type: 'input_audio', transcript: text }];
    return item;
  }

  /** The model begins to speak. */
  begin(): FakeReply {
    const reply = { id: `resp_${this.#id()}`, item: this.#message(), text: '' };
    this.#reply = reply;
    const place = { response_id: reply.id, item_id: reply.item.id ?? '', content_index: 0 };
    this.emit({ type: 'response.created', response: { id: reply.id } });
    this.emit({ type: 'response.output_item.added', item: reply.item });
    this.emit({ type: 'conversation.item.added', item: reply.item, previous_item_id: this.items.at(-1)?.id ?? null });
    return {
      word: (text) => {
        reply.text += text;
        this.emit({ type: 'response.output_audio_transcript.delta', ...place, delta: text });
        this.emit({ type: 'response.output_audio.delta', ...place, delta: SOUND });
      },
      finish: () => this.#finish('completed'),
    };
  }

  /** The model says a whole sentence. */
  say(text: string): void {
    const reply = this.begin();
    for (const word of text.split(/(?<=\s)/)) reply.word(word);
    reply.finish();
  }

  /** Closes as the server. */
  close(code: number, reason = ''): void {
    if (this.closed) return;
    this.closed = { code, reason, by: 'server' };
    this.#socket.shut(code, reason);
  }

  /** Closes as OpenAI does at 60 minutes. */
  expire(): void {
    const message = 'Your session hit the maximum duration of 60 minutes.';
    this.emit({ type: 'error', error: { type: 'invalid_request_error', code: 'session_expired', message } });
    this.close(1001, message);
  }

  /** Takes what the page sent. */
  receive(event: ClientEvent): void {
    this.received.push(event);
    switch (event.type) {
      case 'session.update':
        Object.assign(this.session, event.session);
        return this.emit({ type: 'session.updated', session: this.session });
      case 'conversation.item.create':
        return this.#create(event);
      case 'response.create':
        return this.say('You said: ' + (this.told.at(-1) ?? 'nothing'));
      case 'response.cancel':
        return this.#finish('cancelled');
      case 'input_audio_buffer.commit':
        return this.emit({ type: 'input_audio_buffer.committed', item_id: `item_${this.#id()}` });
      case 'input_audio_buffer.clear':
        return this.emit({ type: 'input_audio_buffer.cleared' });
    }
  }

  #create(event: Extract<ClientEvent, { type: 'conversation.item.create' }>): void {
    const item: Item = { status: 'completed', ...event.item, id: event.item.id ?? `item_${this.#id()}` };
    const audio = item.role === 'assistant' && item.content?.some(({ type }) => type !== 'output_text');
    if (audio || item.content?.some(({ text }) => text === this.#refuses)) {
      const error = { type: 'invalid_request_error', code: 'invalid_value', message: 'refused', event_id: event.event_id ?? null };
      return this.emit({ type: 'error', error });
    }
    this.#insert(item);
  }

  #insert(item: Item): void {
    const previous_item_id = this.items.at(-1)?.id ?? null;
    this.items.push(item);
    this.emit({ type: 'conversation.item.added', item: { ...item }, previous_item_id });
    this.emit({ type: 'conversation.item.done', item: { ...item }, previous_item_id });
  }

  #message(): Item {
    return { id: `item_${this.#id()}`, type: 'message', role: 'assistant', status: 'in_progress', content: [] };
  }

  #finish(status: 'completed' | 'cancelled'): void {
    const reply = this.#reply;
    if (!reply) return;
    this.#reply = undefined;
    const whole = status === 'completed';
    const previous_item_id = this.items.at(-1)?.id ?? null;
    const item: Item = { ...reply.item, status: whole ? 'completed' : 'incomplete', content: [{ type: 'output_audio', transcript: reply.text }] };
    this.items.push(item);
    const place = { response_id: reply.id, item_id: item.id ?? '', content_index: 0 };
    this.emit({ type: 'response.output_audio_transcript.done', ...place, transcript: reply.text });
    this.emit({ type: 'conversation.item.done', item, previous_item_id });
    this.emit({ type: 'response.output_item.done', item });
    this.emit({ type: 'response.done', response: { id: reply.id, status, output: [item], usage: USAGE } });
  }
}

/** 10 ms of silence: PCM16 at 24 kHz in base64. */
const SOUND = 'A'.repeat(640);

const USAGE = {
  total_tokens: 30,
  input_tokens: 20,
  output_tokens: 10,
  input_token_details: { text_tokens: 15, audio_tokens: 5, cached_tokens: 0 },
  output_token_details: { text_tokens: 4, audio_tokens: 6 },
};
