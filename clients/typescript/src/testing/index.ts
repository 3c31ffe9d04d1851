/**
 * A Hallpass server in memory, for tests of pages that use this package:
 *
 * ```ts
 * const server = new FakeHallpass();
 * const session = new HallpassSession(server.options);
 * await session.start();
 * server.connection.say('Tell me about yourself.');
 * ```
 */
import type { SessionConfig } from '../events.js';
import type { SessionOptions } from '../session.js';
import type { Mode } from '../ticket.js';
import { FakeConnection } from './connection.js';

export { FakeConnection, type FakeReply } from './connection.js';

/** What a fake server gives. */
export interface FakeOptions {
  mode?: Mode;
  /** How long its secrets live; 60 s. */
  secretSeconds?: number;
  /** How long its sessions live; 3,600 s. */
  sessionSeconds?: number;
  /** The lease of its sessions; none. */
  leaseSeconds?: number;
}

/** A request the server was sent. */
export interface FakeRequest {
  path: string;
  body: Record<string, unknown>;
  headers: Record<string, string>;
}

/** How requests are refused until told otherwise. */
export interface Refusal {
  /** Part of the paths that are refused. */
  path: string;
  status: number;
  code: string;
  retryAfter?: number;
  times?: number;
}

interface Secret {
  grant: string;
  expiresAt: number;
  used: boolean;
}

/** A server in memory. */
export class FakeHallpass {
  readonly requests: FakeRequest[] = [];
  readonly connections: FakeConnection[] = [];
  /** Every secret given, for looking where they must not be. */
  readonly secrets: string[] = [];
  /** While false, nothing answers and no connection opens. */
  reachable = true;
  /** A text no connection takes back when it is told the history. */
  refuses: string | undefined;
  readonly #options: Required<FakeOptions>;
  readonly #given = new Map<string, Secret>();
  #refusals: Refusal[] = [];
  #count = 0;

  constructor(options: FakeOptions = {}) {
    this.#options = { mode: 'direct', secretSeconds: 60, sessionSeconds: 3600, leaseSeconds: 0, ...options };
  }

  /** What a `HallpassSession` needs to speak with this server. */
  get options(): Pick<SessionOptions, 'fetch' | 'WebSocket'> {
    return { fetch: this.fetch, WebSocket: this.WebSocket };
  }

  /** The newest connection. */
  get connection(): FakeConnection {
    const newest = this.connections.at(-1);
    if (!newest) throw new Error('no connection was opened yet');
    return newest;
  }

  /** Connections that are open. */
  get open(): FakeConnection[] {
    return this.connections.filter(({ closed }) => !closed);
  }

  /** Refuses requests from now on. */
  refuse(refusal: Refusal): void {
    this.#refusals.push(refusal);
  }

  /** Refuses nothing any more. */
  relent(): void {
    this.#refusals = [];
  }

  /** Withdraws everything: nothing more is given, and relayed sessions end. */
  revoke(): void {
    this.refuse({ path: '/api/', status: 403, code: 'access_revoked' });
    if (this.#options.mode === 'direct') return;
    for (const connection of this.open) connection.close(1008, 'revoked');
  }

  /** Stands in for the browser's `fetch`. */
  readonly fetch: typeof fetch = async (input, init) => {
    const path = String(input).replace(/^https?:\/\/[^/]+/, '');
    const body = JSON.parse(String(init?.body ?? '{}')) as Record<string, unknown>;
    this.requests.push({ path, body, headers: Object.fromEntries(new Headers(init?.headers)) });
    if (!this.reachable) throw new TypeError('Failed to fetch');
    const refusal = this.#refusals.find((each) => path.includes(each.path) && each.times !== 0);
    if (refusal) return refused(refusal);
    if (path.endsWith('/events')) return Response.json({});
    if (path.endsWith('/renew')) return Response.json({ lease_until: seconds() + this.#options.leaseSeconds });
    return Response.json(this.#issue(path), { status: 201 });
  };

  /** Stands in for the browser's `WebSocket`. */
  get WebSocket(): new (url: string, protocols: string[]) => WebSocket {
    const connect = (socket: FakeSocket, url: string, protocols: string[]): void => this.#connect(socket, url, protocols);
    return class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super();
        queueMicrotask(() => connect(this, url, protocols));
      }
    } as unknown as new (url: string, protocols: string[]) => WebSocket;
  }

  #issue(path: string): object {
    const { mode, secretSeconds } = this.#options;
    const number = this.secrets.length + 1;
    const id = `gr_${number}`;
    const value = `ek_fake${number}${'x'.repeat(24)}`;
    const expires = seconds() + secretSeconds;
    this.secrets.push(value);
    this.#given.set(value, { grant: id, expiresAt: expires, used: false });
    const url = 'wss://fake.test/v1/realtime';
    const times = { expires_at: expires, refresh_after: expires - Math.ceil(secretSeconds / 5) };
    if (path.endsWith('realtime-token')) return { token: value, url, id, expiresAt: times.expires_at, refreshAfter: times.refresh_after };
    const protocols = ['realtime', `openai-insecure-api-key.${value}`];
    return { id, value, mode, profile: 'interview', lineage: 'ln_1', ...times, connect: { url, protocols } };
  }

  #connect(socket: FakeSocket, url: string, protocols: string[]): void {
    if (!this.reachable) return socket.shut(1006, '');
    const session: SessionConfig = {
      id: `sess_${++this.#count}`,
      type: 'realtime',
      expires_at: seconds() + this.#options.sessionSeconds,
      audio: { input: { turn_detection: { type: 'server_vad' }, transcription: { model: 'fake' } } },
    };
    const id = (): string => String(++this.#count);
    const connection = new FakeConnection(socket, { url, protocols, session, id, refuses: this.refuses });
    this.connections.push(connection);
    socket.connection = connection;
    socket.open();
    const offered = protocols.find((each) => each.startsWith('openai-insecure-api-key.'))?.slice(24);
    const secret = this.#given.get(offered ?? '');
    const spent = secret?.used && this.#options.mode === 'relay';
    const foreign = !secret && this.#given.size > 0;
    if (foreign || spent || (secret && secret.expiresAt <= seconds())) {
      connection.emit({ type: 'error', error: { type: 'invalid_request_error', code: 'invalid_api_key', message: 'Incorrect API key provided.' } });
      return connection.close(3000, 'invalid_request_error.invalid_api_key');
    }
    if (secret) secret.used = true;
    connection.emit({ type: 'session.created', session });
    if (!protocols.includes('hallpass.v1')) return;
    const { sessionSeconds, leaseSeconds } = this.#options;
    const lease_until = leaseSeconds ? seconds() + leaseSeconds : null;
    connection.emit({ type: 'hallpass.session', id: 'ls_1', grant: secret?.grant ?? '', ends_at: seconds() + sessionSeconds, lease_until });
  }
}

/** A `WebSocket` whose other end is in memory. */
class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onopen: (() => void) | null = null;
  readyState = 0;
  connection: FakeConnection | undefined;

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  send(text: string): void {
    this.connection?.receive(JSON.parse(text));
  }

  close(code = 1005, reason = ''): void {
    if (this.readyState > 1) return;
    this.readyState = 3;
    if (this.connection) this.connection.closed ??= { code, reason, by: 'page' };
    queueMicrotask(() => this.onclose?.({ code, reason }));
  }

  deliver(event: unknown): void {
    if (this.readyState === 1) this.onmessage?.({ data: JSON.stringify(event) });
  }

  shut(code: number, reason: string): void {
    if (this.readyState > 1) return;
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

function refused(refusal: Refusal): Response {
  if (refusal.times) refusal.times--;
  const { status, code, retryAfter } = refusal;
  const headers = { 'x-request-id': 'req_fake', ...(retryAfter && { 'retry-after': String(retryAfter) }) };
  return Response.json({ status, code, title: code, detail: `refused: ${code}` }, { status, headers });
}
