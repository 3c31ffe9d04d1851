import { engineOptions, type LifeOptions } from './defaults.js';
import type { Off } from './emitter.js';
import type { Disconnection } from './ends.js';
import { Engine, type Renewal, type Restored, type SessionEvents, type Status } from './engine.js';
import { HallpassError, TokenError } from './errors.js';
import type { ClientEvent, ServerEvent } from './events.js';
import { onPage } from './page.js';
import { seal } from './secret.js';
import { openSocket, type WebSocketClass } from './socket.js';
import type { Ticket, TicketReason } from './ticket.js';

/** A client secret with what is known of it. */
export interface Token {
  value: string;
  /** When it stops opening connections; seconds since 1970. */
  expiresAt?: number;
  /** Where to connect; the manager's own address by default. */
  url?: string;
}

/** A client secret, or how to get the next one. With a text there is no next one. */
export type TokenGiver = string | ((ask: { reason: TicketReason; signal: AbortSignal }) => Promise<string | Token>);

/** What a page wants to know of. */
export interface ManagerHandlers {
  onConnected?(): void;
  onDisconnected?(reason: Disconnection): void;
  onEvent?(event: ServerEvent): void;
  onStateChange?(state: Status): void;
  onRenewed?(renewal: Renewal): void;
  onReconnected?(restored: Restored): void;
  onError?(error: HallpassError): void;
}

/** Where a manager connects to, and how it keeps the conversation going. */
export interface ManagerOptions extends LifeOptions {
  /** The session's address; OpenAI's own by default. */
  url?: string;
  /** The model, where the address names none. */
  model?: string;
  /** For tests: another class than the browser's own. */
  WebSocket?: WebSocketClass;
}

/** A life of a secret of which nothing is known: as short as Hallpass gives them. */
const LIFE_MS = 60_000;

/**
 * A realtime session over a WebSocket, by a client secret from anywhere.
 *
 * ```ts
 * const manager = new RealtimeWebSocketManager(
 *   async () => (await (await fetch('/api/interview/realtime-token', { method: 'POST' })).json()).token,
 *   { onConnected: () => show('live'), onDisconnected: (end) => show(end.cause) },
 * );
 * await manager.connect();
 * ```
 */
export class RealtimeWebSocketManager {
  #engine: Engine;
  #offPage: Off = () => {};
  readonly #make: () => Engine;

  constructor(token: TokenGiver, handlers: ManagerHandlers = {}, options: ManagerOptions = {}) {
    const next = tickets(token, options);
    // A text has no successor that could be fetched ahead.
    const life = typeof token === 'string' ? { ...options, directRenewal: 'keep' as const } : options;
    this.#make = () => {
      const engine = new Engine({ next }, engineOptions(life));
      engine.on('connected', ({ generation }) => {
        if (generation === 1) handlers.onConnected?.();
      });
      engine.on('disconnected', (end) => {
        this.#offPage();
        handlers.onDisconnected?.(end);
      });
      engine.on('event', (event) => {
        handlers.onEvent?.(event);
        if (event.type === 'error') handlers.onError?.(eventError(event));
      });
      engine.on('status', (state) => handlers.onStateChange?.(state));
      engine.on('renewed', (renewal) => handlers.onRenewed?.(renewal));
      engine.on('renewalFailed', ({ error }) => handlers.onError?.(error));
      engine.on('reconnected', (restored) => handlers.onReconnected?.(restored));
      return engine;
    };
    this.#engine = this.#make();
  }

  /** Connects; rejects with a `HallpassError`. Once disconnected, it may be called again. */
  connect(options: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#engine.status === 'closed') this.#engine = this.#make();
    this.#offPage = onPage('pagehide', () => this.#engine.stop('page hidden'));
    return this.#engine.start(options.signal);
  }

  disconnect(reason = 'user ended it'): void {
    this.#engine.stop(reason);
  }

  /** Sends an event; throws a `SessionError` where there is no connection. */
  send(event: ClientEvent): void {
    this.#engine.send(event);
  }

  /** Listens to this connection's events until it is over; the answer ends it. */
  on<Name extends keyof SessionEvents>(name: Name, listener: (event: SessionEvents[Name]) => void): Off {
    return this.#engine.on(name, listener);
  }

  get state(): Status {
    return this.#engine.status;
  }
}

/** The error an `error` event tells of. */
export function eventError({ error }: Extract<ServerEvent, { type: 'error' }>): HallpassError {
  return new HallpassError(error.code ?? error.type ?? 'session_error', { detail: error.message });
}

function tickets(
  given: TokenGiver,
  options: ManagerOptions,
): (reason: TicketReason, signal: AbortSignal) => Promise<Ticket> {
  // A text is kept as a closure too, and works once.
  const fixed = typeof given === 'string' ? seal(given) : undefined;
  return async (reason, signal) => {
    const token = fixed
      ? fixed.use((value) => ({ value }))
      : await (given as Exclude<TokenGiver, string>)({ reason, signal }).catch((error: unknown) => {
          throw error instanceof HallpassError ? error : new TokenError('token_function_failed', { retryable: true });
        });
    const { value, expiresAt, url }: Token = typeof token === 'string' ? { value: token } : token;
    if (typeof value !== 'string' || !value) throw new TokenError('malformed_answer', { detail: 'no token' });
    const expires = expiresAt ? expiresAt * 1000 : Date.now() + LIFE_MS;
    const secret = seal(value);
    const refreshAt = expires - Math.min(12_000, (expires - Date.now()) / 5);
    return {
      grant: { id: undefined, mode: 'direct', profile: undefined, expiresAt: expires, refreshAt },
      open: (opening) =>
        secret.use((held) => {
          const protocols = ['realtime', `openai-insecure-api-key.${held}`];
          return openSocket(options.WebSocket ?? globalThis.WebSocket, url ?? address(options), protocols, opening);
        }),
      drop: () => secret.drop(),
    };
  };
}

function address({ url = 'wss://api.openai.com/v1/realtime', model }: ManagerOptions): string {
  return model ? `${url}${url.includes('?') ? '&' : '?'}model=${encodeURIComponent(model)}` : url;
}
