import type { ClientEvent, ServerEvent } from './events.js';

/** Whose turn it is: a connection may only be replaced between turns. */
export class Turns {
  #response = false;
  #started = false;
  #speaking = false;
  /** The server heard a turn end, and will answer by itself. */
  #heard = false;
  #committed = false;
  #unanswered = new Set<string>();
  #uncommitted = false;
  #detects = true;
  #creates = true;
  #waiting: (() => void)[] = [];

  observe(event: ServerEvent): void {
    switch (event.type) {
      case 'session.created':
      case 'session.updated':
        this.#detects = event.session.audio?.input?.turn_detection !== null;
        this.#creates = event.session.audio?.input?.turn_detection?.create_response !== false;
        break;
      case 'response.created':
        this.#response = true;
        this.#committed = false;
        break;
      case 'response.output_item.added':
        this.#started = true;
        break;
      case 'response.done':
        this.#response = this.#started = false;
        for (const item of event.response.output ?? []) {
          if (item.type === 'function_call' && item.call_id) this.#unanswered.add(item.call_id);
        }
        break;
      case 'input_audio_buffer.speech_started':
        this.#speaking = true;
        break;
      case 'input_audio_buffer.speech_stopped':
        this.#speaking = false;
        this.#heard = this.#creates;
        break;
      case 'input_audio_buffer.committed':
        this.#speaking = this.#uncommitted = false;
        this.#committed = this.#heard;
        this.#heard = false;
        break;
      case 'input_audio_buffer.cleared':
        this.#uncommitted = false;
        break;
    }
    if (this.quiet) this.release();
  }

  sent(event: ClientEvent): void {
    if (event.type === 'input_audio_buffer.append') this.#uncommitted = true;
    if (event.type === 'response.create') this.#response = true;
    if (event.type !== 'conversation.item.create') return;
    if (event.item.type === 'function_call_output') this.#unanswered.delete(event.item.call_id ?? '');
    if (this.quiet) this.release();
  }

  /** Whether nobody speaks, and nothing is owed. */
  get quiet(): boolean {
    const unheard = this.#uncommitted && !this.#detects;
    const owed = this.#response || this.#heard || this.#committed || this.#unanswered.size > 0;
    return !owed && !this.#speaking && !unheard;
  }

  /** Whether a response has begun to say something. */
  get answering(): boolean {
    return this.#started;
  }

  /** Whether a response was asked for that has said nothing yet. */
  get owed(): boolean {
    return (this.#response || this.#committed) && !this.#started;
  }

  /** Until it is quiet, or this long. */
  whenQuiet(ms: number): Promise<void> {
    if (this.quiet || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Ends every wait: it is quiet, or the connection is gone. */
  release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
