import type { ClientEvent } from './events.js';

/** Microphone sound kept while there is no connection, in milliseconds. */
const KEPT_MS = 5000;

/** PCM16 at 24 kHz in base64: characters a millisecond. */
const CHARS_PER_MS = 64;

/** What waits for a connection: the newest sound, and nothing that is not sound. */
export class Outgoing {
  #queue: ClientEvent[] = [];
  #chars = 0;
  /** Sound that was dropped, in milliseconds. */
  lostMs = 0;

  /** Keeps an event for the next connection; false for what can't wait. */
  keep(event: ClientEvent): boolean {
    if (event.type !== 'input_audio_buffer.append') return false;
    this.#queue.push(event);
    this.#chars += event.audio.length;
    while (this.#chars > KEPT_MS * CHARS_PER_MS) {
      const oldest = this.#queue.shift();
      const chars = oldest?.type === 'input_audio_buffer.append' ? oldest.audio.length : 0;
      this.#chars -= chars;
      this.lostMs += chars / CHARS_PER_MS;
    }
    return true;
  }

  drain(): ClientEvent[] {
    const all = this.#queue;
    this.#queue = [];
    this.#chars = this.lostMs = 0;
    return all;
  }
}
