import { classify, type Closed } from './ends.js';
import { ConnectError, TokenError, unreachable } from './errors.js';
import type { ClientEvent, ServerEvent, SessionConfig } from './events.js';
import type { Link } from './link.js';
import type { Grant, Ticket } from './ticket.js';
import { Turns } from './turns.js';

/** What a live connection tells the engine once it is up. */
export interface LiveHandlers {
  onEvent(live: Live, event: ServerEvent): void;
  onClose(live: Live, closed: Closed): void;
}

/** How long a history item may stay unacknowledged before the rest goes on, in milliseconds. */
const REPLAY_MS = 5000;

/** One connection whose session was created. */
export class Live {
  readonly turns: Turns = new Turns();
  readonly openedAt: number = Date.now();
  /** Items this connection was told, by id. */
  readonly told: Set<string> = new Set();
  /** What came before this connection was the current one. */
  readonly early: ServerEvent[] = [];
  closed: Closed | undefined;
  session: SessionConfig = {};
  #awaited: { id: string; done: () => void } | undefined;
  #link: Link | undefined;

  readonly generation: number;
  readonly grant: Grant;

  constructor(generation: number, grant: Grant) {
    this.generation = generation;
    this.grant = grant;
  }

  get kind(): Link['kind'] {
    return this.#link?.kind ?? 'websocket';
  }

  /** Opens a connection and waits for its session. */
  static async open(
    ticket: Ticket,
    generation: number,
    handlers: LiveHandlers,
    options: { signal: AbortSignal; timeoutMs: number; live: boolean },
  ): Promise<Live> {
    const live = new Live(generation, ticket.grant);
    const attempt = new AbortController();
    const signal = AbortSignal.any([options.signal, attempt.signal]);
    let ready = false;
    let onReady = (): void => {};
    let onFail = (_error: unknown): void => {};
    const up = new Promise<void>((resolve, reject) => {
      onReady = resolve;
      onFail = reject;
    });
    const timer = setTimeout(() => onFail(unreachable('timeout')), options.timeoutMs);
    const stop = (): void => onFail(new ConnectError('aborted'));
    options.signal.addEventListener('abort', stop);
    const onEvent = (event: ServerEvent): void => {
      live.#observe(event);
      if (ready) return handlers.onEvent(live, event);
      if (event.type !== 'session.created') return;
      ready = true;
      onReady();
    };
    const onClose = (closed: Closed): void => {
      live.closed = closed;
      live.turns.release();
      live.#awaited?.done();
      if (ready) handlers.onClose(live, closed);
      else onFail(refusal(closed, ticket));
    };
    try {
      const opening = Promise.resolve(ticket.open({ handlers: { onEvent, onClose }, signal, live: options.live }));
      opening.catch(onFail);
      live.#link = await Promise.race([opening, up.then(() => opening)]);
      await up;
      return live;
    } catch (error) {
      attempt.abort();
      throw error;
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', stop);
      ticket.drop();
    }
  }

  send(event: ClientEvent): void {
    this.turns.sent(event);
    this.#link?.send(event);
  }

  close(code: number, reason: string): void {
    this.#link?.close(code, reason);
  }

  /** Lets the microphone through, or not. */
  listen(on: boolean): void {
    this.#link?.live(on);
  }

  /**
   * Tells the connection what was said before; resolves when it has taken
   * the last item, or refused it.
   */
  async replay(events: ClientEvent[]): Promise<void> {
    const last = events.at(-1);
    if (!last || this.closed) return;
    for (const event of events) {
      if (event.type === 'conversation.item.create' && event.item.id) this.told.add(event.item.id);
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#awaited?.done(), REPLAY_MS);
      const done = (): void => {
        clearTimeout(timer);
        this.#awaited = undefined;
        resolve();
      };
      const item = last.type === 'conversation.item.create' ? last.item.id : undefined;
      this.#awaited = { id: item ?? last.event_id ?? '', done };
      for (const event of events) this.send(event);
    });
  }

  /** Whether an event only answers what this connection was told. */
  isEcho(event: ServerEvent): boolean {
    if (event.type === 'error') return event.error.event_id?.startsWith('hp_') ?? false;
    if (event.type !== 'conversation.item.added' && event.type !== 'conversation.item.done') return false;
    return this.told.has(event.item.id ?? '');
  }

  #observe(event: ServerEvent): void {
    if (event.type === 'session.created' || event.type === 'session.updated') this.session = event.session;
    this.turns.observe(event);
    if (!this.#awaited) return;
    const acknowledged =
      (event.type === 'conversation.item.done' && event.item.id === this.#awaited.id) ||
      (event.type === 'error' && event.error.event_id?.endsWith(this.#awaited.id));
    if (acknowledged) this.#awaited.done();
  }
}

/** Why a connection was closed before its session was created. */
function refusal(closed: Closed, { grant }: Ticket): Error {
  const { cause, retry } = classify(closed);
  const facts = { detail: closed.reason || undefined };
  if (cause === 'token') {
    // A secret that came too late is worth another one.
    return new TokenError('secret_refused', { ...facts, retryable: Date.now() >= grant.expiresAt });
  }
  return new ConnectError(retry ? 'network' : cause, { ...facts, retryable: retry });
}
