import type { CallMedia } from './call.js';
import { HallpassError, TokenError } from './errors.js';
import { failure, request, type Http } from './http.js';
import type { OpenOptions } from './link.js';
import { seal } from './secret.js';
import { openSocket, type WebSocketClass } from './socket.js';
import type { Grant, Mode, Ticket, TicketReason, TicketSource } from './ticket.js';

/** Where a Hallpass server is, and how to speak to it. */
export interface BrokerOptions {
  /** The server's address; the page's own where empty. */
  url: string;
  /** The route that gives the first secret. */
  endpoint: string;
  /** What is asked for; sent as JSON. */
  ask: Record<string, unknown>;
  /** Sent with every request to the server; asked for anew each time. */
  headers: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  credentials: RequestCredentials;
  http: Http;
  WebSocket: WebSocketClass;
  PeerConnection: typeof RTCPeerConnection | undefined;
  media: CallMedia | undefined;
}

/** Either answer of the server that holds a secret. */
interface Answer {
  id?: string;
  value?: string;
  token?: string;
  expires_at?: number;
  expiresAt?: number;
  refresh_after?: number;
  refreshAfter?: number;
  mode?: Mode;
  profile?: string;
  url?: string;
  connect?: { url?: string; protocols?: string[] };
  lease_until?: number;
}

/** A refresh that came at the wrong time, where a new secret is the answer. */
const ASK_ANEW: ReadonlySet<string> = new Set([
  'refresh_too_early',
  'grant_expired',
  'grant_superseded',
  'lineage_expired',
  'not_found',
]);

/** The subprotocol by which a page asks for events of Hallpass itself. */
const OWN_EVENTS = 'hallpass.v1';

/** A Hallpass server, as a page speaks to it. */
export class Broker implements TicketSource {
  #newest: Grant | undefined;
  readonly #options: BrokerOptions;

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  /** The next secret: of the same lineage where it can be, so that both count as one session. */
  async next(reason: TicketReason, signal: AbortSignal): Promise<Ticket> {
    const { endpoint, ask } = this.#options;
    const { id, refreshAt = Infinity } = this.#newest ?? {};
    // One lost before its time to be refreshed is no use.
    if (id && reason !== 'start' && Date.now() >= refreshAt) {
      try {
        const { session, expires_after } = ask;
        return this.#ticket(await this.post(`/api/client-secrets/${id}/refresh`, { session, expires_after }, signal));
      } catch (error) {
        if (!(error instanceof HallpassError) || !ASK_ANEW.has(error.code)) throw error;
      }
    }
    return this.#ticket(await this.post(endpoint, ask, signal));
  }

  async renewLease(grant: Grant, signal: AbortSignal): Promise<number | undefined> {
    return ms((await this.#renew(grant, signal)).lease_until);
  }

  #renew({ id }: Grant, signal: AbortSignal): Promise<Answer> {
    return this.post(`/api/sessions/${id}/renew`, {}, signal) as Promise<Answer>;
  }

  /** Sends JSON, and answers with JSON. */
  async post(path: string, body: unknown, signal: AbortSignal, keepalive = false): Promise<unknown> {
    const { url, headers, credentials, http } = this.#options;
    const given = typeof headers === 'function' ? await headers() : headers;
    const all = new Headers(given);
    all.set('content-type', 'application/json');
    const init = { method: 'POST', headers: all, body: JSON.stringify(body), credentials, keepalive, signal };
    const response = await request(http, url + path, init);
    if (!response.ok) throw await failure(response);
    return response.json().catch(() => undefined);
  }

  #ticket(given: unknown): Ticket {
    const answer = (given ?? {}) as Answer;
    const value = answer.value ?? answer.token;
    const url = answer.connect?.url ?? answer.url;
    const expiresAt = ms(answer.expires_at ?? answer.expiresAt);
    if (typeof value !== 'string' || !value || typeof url !== 'string' || !expiresAt) {
      throw new TokenError('malformed_answer', { detail: 'no secret, address or expiry' });
    }
    // Times come in whole seconds: the moment itself is up to one second later.
    const refreshAt = (ms(answer.refresh_after ?? answer.refreshAfter) ?? expiresAt - 12_000) + 1000;
    const mode = answer.mode ?? (/^https?:/.test(url) ? 'call' : 'direct');
    const { id, profile } = answer;
    const grant: Grant = { id, mode, profile, expiresAt, refreshAt };
    this.#newest = grant;
    const secret = seal(value);
    return {
      grant,
      open: (options) => secret.use((held) => this.#open(grant, url, held, options)),
      drop: () => secret.drop(),
    };
  }

  #open(grant: Grant, url: string, secret: string, options: OpenOptions): ReturnType<Ticket['open']> {
    const { http, WebSocket, PeerConnection, media } = this.#options;
    if (grant.mode === 'call') {
      const parts = { http, PeerConnection, media, renew: () => this.#renew(grant, options.signal) };
      // Fetched by those alone who make calls.
      return import('./call.js').then(({ openCall }) => openCall(parts, url, secret, options));
    }
    const protocols = ['realtime', `openai-insecure-api-key.${secret}`];
    if (grant.mode === 'relay') protocols.push(OWN_EVENTS);
    return openSocket(WebSocket, url, protocols, options);
  }
}

function ms(seconds: number | undefined): number | undefined {
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
