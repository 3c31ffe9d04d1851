import { Broker } from './broker.js';
import type { CallMedia } from './call.js';
import { engineOptions, type LifeOptions } from './defaults.js';
import type { Off } from './emitter.js';
import { Engine, type SessionEvents, type Status } from './engine.js';
import type { ClientEvent } from './events.js';
import type { TranscriptEntry } from './history.js';
import { onPage } from './page.js';
import { Reports, type Usage } from './reports.js';
import type { WebSocketClass } from './socket.js';
import type { Grant, Mode } from './ticket.js';

/** What a conversation is made of. */
export interface SessionOptions extends LifeOptions {
  /** The Hallpass server, such as `https://voice.example.com`; the page's own host by default. */
  url?: string;
  /** The route that gives the secret; `/api/generate-client-secret`. */
  endpoint?: '/api/generate-client-secret' | '/api/interview/realtime-token' | (string & {});
  /** The profile by name; the user's first one by default. */
  profile?: string;
  /** The app's own id of the interview. */
  sessionId?: string;
  /** `direct`, `relay` or `call`; the profile's own by default. */
  mode?: Mode;
  /** How long a secret opens connections, in seconds; the profile's own by default. */
  secretSeconds?: number;
  /** Session members to change, as far as the profile lets a caller. */
  session?: Record<string, unknown>;
  /** Such as an authorization header; a function is asked for every request. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  /** Whether the user's cookie goes along; `same-origin`. */
  credentials?: RequestCredentials;
  /** The sound of a WebRTC call; see `@hallpass/client/audio`. */
  media?: CallMedia;
  /** How long an answer of the server may take; 15,000 ms. */
  requestTimeoutMs?: number;
  /** For tests: other classes than the browser's own. */
  fetch?: typeof fetch;
  WebSocket?: WebSocketClass;
  RTCPeerConnection?: typeof RTCPeerConnection;
}

/**
 * A conversation by way of a Hallpass server, over as many secrets and
 * connections as it takes.
 *
 * ```ts
 * const session = new HallpassSession({ profile: 'interview' });
 * session.on('transcript', (turns) => show(turns));
 * session.on('disconnected', (end) => end.error && say(end.error.userMessage));
 * await session.start();
 * ```
 */
export class HallpassSession {
  readonly #engine: Engine;
  readonly #reports: Reports;
  readonly #leavePage: Off;

  constructor(options: SessionOptions = {}) {
    const broker = new Broker({
      url: (options.url ?? '').replace(/\/$/, ''),
      endpoint: options.endpoint ?? '/api/generate-client-secret',
      ask: asked(options),
      headers: options.headers ?? {},
      credentials: options.credentials ?? 'same-origin',
      http: { fetch: options.fetch ?? ((...given) => fetch(...given)), timeoutMs: options.requestTimeoutMs ?? 15_000 },
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      PeerConnection: options.RTCPeerConnection ?? globalThis.RTCPeerConnection,
      media: options.media,
    });
    const engine = new Engine(broker, engineOptions(options));
    const reports = new Reports(broker);
    engine.on('connected', ({ grant }) => reports.connected(grant));
    engine.on('released', ({ grant, reason }) => reports.released(grant, reason));
    engine.on('event', (event) => reports.observe(engine.current?.grant, event));
    this.#engine = engine;
    this.#reports = reports;
    this.#leavePage = onPage('pagehide', () => engine.stop('page hidden'));
    engine.on('disconnected', () => this.#leavePage());
  }

  /** Opens the conversation; rejects with a `HallpassError` where that fails. */
  start(options: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#engine.start(options.signal);
  }

  /** Ends it. A session is used once. */
  stop(reason = 'user ended it'): void {
    this.#engine.stop(reason);
  }

  /** Sends an event; throws a `SessionError` where there is no connection. */
  send(event: ClientEvent): void {
    this.#engine.send(event);
  }

  /** Replaces the connection now, between two turns. */
  replace(): Promise<void> {
    return this.#engine.replace();
  }

  /** Listens; the answer ends it. Takes the names of {@link SessionEvents}. */
  on<Name extends keyof SessionEvents>(name: Name, listener: (event: SessionEvents[Name]) => void): Off {
    return this.#engine.on(name, listener);
  }

  /** What else must be silent before a connection is replaced: your player. */
  set isPlaying(playing: () => boolean) {
    this.#engine.isPlaying = playing;
  }

  get status(): Status {
    return this.#engine.status;
  }

  /** The current connection's grant; never its secret. */
  get grant(): Grant | undefined {
    return this.#engine.current?.grant;
  }

  /** By what the conversation runs. */
  get kind(): 'websocket' | 'webrtc' | undefined {
    return this.#engine.current?.kind;
  }

  get transcript(): TranscriptEntry[] {
    return this.#engine.history.transcript();
  }

  /** Tokens of all responses so far. */
  get usage(): Usage {
    return { ...this.#reports.total };
  }
}

function asked({ profile, sessionId, mode, secretSeconds, session }: SessionOptions): Record<string, unknown> {
  return {
    ...(profile && { profile }),
    ...(sessionId && { session_id: sessionId }),
    ...(mode && { mode }),
    ...(secretSeconds && { expires_after: { anchor: 'created_at', seconds: secretSeconds } }),
    ...(session && { session }),
  };
}
