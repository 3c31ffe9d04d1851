import { jittered, type ReconnectPolicy } from './backoff.js';
import { Deadlines, offline, wait } from './deadlines.js';
import { Emitter } from './emitter.js';
import { classify, type Closed, type Disconnection, type EndCause } from './ends.js';
import { ConnectError, DisconnectedError, SessionError, unreachable, known, type HallpassError } from './errors.js';
import type { ClientEvent, ServerEvent, ServerEventMap, SessionConfig } from './events.js';
import { History, type HistoryLimits, type TranscriptEntry } from './history.js';
import { Live } from './live.js';
import { Outgoing } from './outgoing.js';
import { Renewals } from './renewals.js';
import type { Grant, TicketReason, TicketSource } from './ticket.js';

/** Where a session stands. */
export type Status = 'idle' | 'connecting' | 'open' | 'renewing' | 'reconnecting' | 'closed';

/** What a new connection knows of the conversation before it. */
export interface Restored {
  /** `history`: it was told what was said. `none`: there was nothing to tell. */
  restored: 'history' | 'none';
  /** Items it was told. */
  items: number;
  /** What was cut off in the middle: a reply that was being given is not resumed. */
  inFlight: 'lost' | 'none';
  /** Microphone sound that reached no connection, in milliseconds. */
  lostAudioMs: number;
}

/** A renewal that went well. */
export interface Renewal {
  /**
   * `secret`: the next one is at hand, the connection stays.
   * `lease`: the session may go on, the connection stays.
   * `connection`: a new one took over between two turns.
   */
  kind: 'secret' | 'lease' | 'connection';
  grant: Grant;
  restored?: Restored;
}

/** What an engine tells. */
export interface EngineEvents {
  status: Status;
  event: ServerEvent;
  transcript: TranscriptEntry[];
  connected: { grant: Grant; session: SessionConfig; generation: number };
  renewing: { kind: Renewal['kind'] };
  renewed: Renewal;
  /** It did not work, and will be tried again; the session goes on. */
  renewalFailed: { error: HallpassError; retryInMs: number };
  reconnecting: { attempt: number; inMs: number; cause: EndCause };
  reconnected: Restored;
  /** A connection of this grant is over; another may live on. */
  released: { grant: Grant; reason: string; final: boolean };
  disconnected: Disconnection;
}

/** What a session tells: of itself, and every server event by its `type`. */
export interface SessionEvents extends EngineEvents, ServerEventMap {}

/** What happens to a direct session when its secret nears its end. */
export type DirectRenewal = 'keep' | 'renew' | 'replace';

/** How an engine behaves. */
export interface EngineOptions {
  reconnect: ReconnectPolicy;
  history: HistoryLimits;
  directRenewal: DirectRenewal;
  /** Longest wait for a turn to end before a connection is replaced in the middle of it. */
  maxTurnWaitMs: number;
  /** How long before a session's own end it is replaced. */
  leadMs: number;
  connectTimeoutMs: number;
  /** Sent to every connection as `session.update`. */
  session: SessionConfig | undefined;
}

/** A connection that lived this long is a success: the next loss starts counting anew. */
const SETTLED_MS = 10_000;

/** Life of a conversation over any number of connections. */
export class Engine {
  readonly on: Emitter<SessionEvents>['on'];
  readonly history: History = new History();
  /** What else must be silent before a connection is replaced: the player. */
  isPlaying: () => boolean = () => false;
  #emitter = new Emitter<SessionEvents>();
  #status: Status = 'idle';
  #current: Live | undefined;
  #updates: SessionConfig | undefined;
  #generation = 0;
  #reconnections = 0;
  #outgoing = new Outgoing();
  #deadlines = new Deadlines();
  #life = new AbortController();
  #replacing = false;
  readonly #options: EngineOptions;
  readonly #source: TicketSource;
  readonly #renewals: Renewals;

  constructor(source: TicketSource, options: EngineOptions) {
    this.#source = source;
    this.#options = options;
    this.#updates = options.session;
    this.#renewals = new Renewals({
      source,
      deadlines: this.#deadlines,
      signal: this.#life.signal,
      jitterMs: () => 1000 + jittered(2, options.reconnect),
      emit: (name, event) => this.#emitter.emit(name, event as never),
      refused: (error) => this.#refused(error),
    });
    this.on = (name, listener) => this.#emitter.on(name, listener);
  }

  get status(): Status {
    return this.#status;
  }

  get current(): Live | undefined {
    return this.#current;
  }

  /** Opens the first connection. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#status !== 'idle') throw new SessionError('not_connected', { detail: 'start() works once' });
    signal?.addEventListener('abort', () => this.stop('aborted'));
    this.#set('connecting');
    try {
      if (signal?.aborted) throw new ConnectError('aborted');
      const live = await this.#establish('start', true);
      this.#configure(live);
      this.#adopt(live);
    } catch (error) {
      this.#finish('token', 'not started', known(error));
      throw error;
    }
  }

  send(event: ClientEvent): void {
    if (event.type === 'session.update') this.#updates = merged(this.#updates, event.session);
    if (this.#status === 'open' || this.#status === 'renewing') return this.#current?.send(event);
    if (this.#status === 'reconnecting' && this.#outgoing.keep(event)) return;
    throw new SessionError('not_connected', { detail: `${event.type} while ${this.#status}` });
  }

  /** Ends the conversation. */
  stop(reason: string): void {
    this.#finish('client', reason, undefined, 1000);
  }

  /** Replaces the connection between two turns, with no word lost. */
  async replace(): Promise<void> {
    const old = this.#current;
    if (!old || this.#replacing || this.#status !== 'open') return;
    this.#replacing = true;
    this.#set('renewing');
    this.#emitter.emit('renewing', { kind: 'connection' });
    try {
      const next = await this.#establish('replace', false);
      await this.#takeOver(old, next);
    } catch (error) {
      this.#replaceFailed(old, known(error));
    } finally {
      this.#replacing = false;
    }
  }

  async #takeOver(old: Live, next: Live): Promise<void> {
    const { maxTurnWaitMs, history } = this.#options;
    this.#configure(next);
    const until = Date.now() + maxTurnWaitMs;
    const quiet = (): boolean => old.turns.quiet && this.history.settled && !this.isPlaying();
    for (;;) {
      // Most is told while the turn goes on, so that little is left for its end.
      await next.replay(this.history.replay(next.told, history));
      if (next.closed) throw unreachable();
      const left = until - Date.now();
      if (old.closed || left <= 0 || (quiet() && this.history.replay(next.told, history).length === 0)) break;
      await old.turns.whenQuiet(left);
      // Words and sound trail behind a turn's last event.
      if (!quiet()) await wait(Math.min(50, left), this.#life.signal);
      if (this.#life.signal.aborted) return next.close(1000, 'ended');
    }
    const lost = !old.turns.quiet || !this.history.settled;
    const owed = old.turns.owed;
    if (lost) this.history.interrupt();
    if (lost && !old.closed) old.send({ type: 'response.cancel' });
    await next.replay(this.history.replay(next.told, history));
    const restored: Restored = {
      restored: next.told.size > 0 ? 'history' : 'none',
      items: next.told.size,
      inFlight: lost ? 'lost' : 'none',
      lostAudioMs: 0,
    };
    old.listen(false);
    this.#adopt(next);
    next.listen(true);
    if (owed) next.send({ type: 'response.create' });
    old.close(1000, 'renewed');
    if (!old.closed || old.closed.code === 1000) this.#release(old, 'renewed', false);
    this.#emitter.emit('renewed', { kind: 'connection', grant: next.grant, restored });
    this.#publish();
  }

  #replaceFailed(old: Live, error: HallpassError): void {
    if (this.#status === 'closed') return;
    if (old.closed) return void this.#reconnect(classify(old.closed).cause);
    if (!error.retryable) return this.#refused(error);
    this.#set('open');
    this.#renewals.again('replace', error, () => void this.replace());
  }

  /** A renewal was refused for good: nothing may go on. */
  #refused(error: HallpassError): void {
    this.#finish(causeOf(error), error.code, error);
  }

  async #establish(reason: TicketReason, live: boolean): Promise<Live> {
    const { signal } = this.#life;
    const ticket = this.#renewals.takeSpare() ?? (await this.#source.next(reason, signal));
    if (signal.aborted) {
      ticket.drop();
      throw new ConnectError('aborted');
    }
    const handlers = {
      onEvent: (from: Live, event: ServerEvent): void => this.#received(from, event),
      onClose: (from: Live, closed: Closed): void => this.#closed(from, closed),
    };
    return Live.open(ticket, ++this.#generation, handlers, { signal, live, timeoutMs: this.#options.connectTimeoutMs });
  }

  #configure(live: Live): void {
    if (this.#updates) live.send({ type: 'session.update', event_id: 'hp_config', session: this.#updates });
  }

  #adopt(live: Live): void {
    this.#current = live;
    this.history.observe({ type: 'session.created', session: live.session });
    this.#set('open');
    this.#tell({ type: 'session.created', session: live.session });
    this.#emitter.emit('connected', { grant: live.grant, session: live.session, generation: live.generation });
    this.#arm(live);
    for (const event of live.early.splice(0)) this.#received(live, event);
    for (const event of this.#outgoing.drain()) live.send(event);
  }

  #arm(live: Live): void {
    const { directRenewal, leadMs } = this.#options;
    const replace = (): void => void this.replace();
    const { mode, refreshAt } = live.grant;
    const endsAt = (live.session.expires_at ?? 0) * 1000;
    this.#renewals.arm(live, directRenewal);
    if (mode !== 'direct') return;
    if (directRenewal === 'replace') this.#deadlines.set('secret', refreshAt, replace);
    // A session that ends by its operator's limit ends; only OpenAI's own wall is gone around.
    const lead = Math.min(leadMs, (endsAt - Date.now()) / 2);
    if (lead > 0) this.#deadlines.set('wall', endsAt - lead, replace);
  }

  #received(from: Live, event: ServerEvent): void {
    this.#deadlines.check();
    if (from.isEcho(event)) return;
    if (from !== this.#current) {
      if (from.generation > (this.#current?.generation ?? 0)) from.early.push(event);
      // A connection that was left only settles what it cost.
      else if (event.type === 'response.done') this.#tell(event);
      return;
    }
    const changed = this.history.observe(event);
    if (event.type === 'hallpass.session' && event.lease_until) this.#renewals.leaseAt(from, event.lease_until * 1000);
    this.#tell(event);
    if (changed) this.#publish();
  }

  #closed(from: Live, closed: Closed): void {
    if (from !== this.#current || this.#status === 'closed') return;
    const { cause, retry } = classify(closed);
    this.#release(from, closed.reason || cause, !retry);
    if (!retry) {
      const error = new DisconnectedError(cause, { detail: closed.reason || undefined });
      return this.#finish(cause, error.message, cause === 'ended' ? undefined : error, closed.code);
    }
    // A replacement under way is the quickest way back.
    if (!this.#replacing) void this.#reconnect(cause);
  }

  async #reconnect(cause: EndCause): Promise<void> {
    const lost = this.#current;
    const { reconnect: policy, history } = this.#options;
    if (!lost) return;
    const fresh = Date.now() - lost.openedAt < SETTLED_MS;
    const owed = lost.turns.owed && this.history.unanswered;
    const cut = this.history.interrupt() > 0 || lost.turns.answering;
    this.#set('reconnecting');
    this.#publish();
    let last: HallpassError | undefined;
    for (let attempt = 0; attempt < policy.attempts && this.#reconnections < policy.total; attempt++) {
      const soon = cause === 'session_cap' && attempt === 0 ? 0 : jittered(attempt + (fresh ? 1 : 0), policy);
      const inMs = Math.max(soon, last?.retryAfterMs ?? 0);
      this.#emitter.emit('reconnecting', { attempt: attempt + 1, inMs, cause });
      await wait(inMs, this.#life.signal);
      if (offline()) await wait(policy.maxMs * 4, this.#life.signal, true);
      if (this.#life.signal.aborted) return;
      try {
        const next = await this.#establish('reconnect', true);
        this.#reconnections++;
        this.#configure(next);
        const events = this.history.replay(next.told, history);
        await next.replay(events);
        if (next.closed) throw unreachable();
        const lostAudioMs = this.#outgoing.lostMs;
        this.#adopt(next);
        if (owed) next.send({ type: 'response.create' });
        const restored = next.told.size > 0 ? 'history' : 'none';
        return this.#emitter.emit('reconnected', { restored, items: next.told.size, inFlight: cut ? 'lost' : 'none', lostAudioMs });
      } catch (caught) {
        if (this.#life.signal.aborted) return;
        last = known(caught);
        if (!last.retryable) return this.#refused(last);
      }
    }
    this.#finish(cause === 'session_cap' ? cause : 'network', 'not reconnected', last ?? unreachable());
  }

  #release(live: Live, reason: string, final: boolean): void {
    this.#emitter.emit('released', { grant: live.grant, reason, final });
  }

  #tell(event: ServerEvent): void {
    this.#emitter.emit('event', event);
    // Types of the server have a dot in them, or are `error`: none is ours.
    this.#emitter.emit(event.type, event as never);
  }

  #publish(): void {
    this.#emitter.emit('transcript', this.history.transcript());
  }

  #set(status: Status): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#emitter.emit('status', status);
  }

  #finish(cause: EndCause, reason: string, error?: HallpassError, code: number | null = null): void {
    if (this.#status === 'closed') return;
    const last = this.#current;
    this.#renewals.end();
    this.history.interrupt();
    this.#set('closed');
    if (last && !last.closed) {
      last.close(1000, reason);
      this.#release(last, reason, true);
    }
    this.#life.abort();
    this.#deadlines.end();
    this.#publish();
    this.#emitter.emit('disconnected', { cause, code, reason, ...(error && { error }) });
  }
}

function causeOf(error: HallpassError): EndCause {
  if (/revoked/.test(error.code)) return 'revoked';
  if (/budget|quota|exhausted/.test(error.code)) return 'budget';
  if (error.status === 401) return 'unauthorized';
  return error.status === 403 || error.status === 410 ? 'policy' : 'token';
}

/** Members of the second over those of the first, at every depth. */
function merged(base: SessionConfig | undefined, over: SessionConfig): SessionConfig {
  const all: SessionConfig = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const nested = plain(all[name]) && plain(value);
    all[name] = nested ? merged(all[name] as SessionConfig, value as SessionConfig) : value;
  }
  return all;
}

function plain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
