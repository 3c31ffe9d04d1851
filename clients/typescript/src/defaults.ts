import { RECONNECT, type ReconnectPolicy } from './backoff.js';
import type { DirectRenewal, EngineOptions } from './engine.js';
import type { SessionConfig } from './events.js';
import { LIMITS, type HistoryLimits } from './history.js';

/** How a conversation is kept going; every member has a default. */
export interface LifeOptions {
  reconnect?: Partial<ReconnectPolicy>;
  history?: Partial<HistoryLimits>;
  /**
   * What happens in direct mode when the secret nears its end. OpenAI does not
   * end a session with its secret, so the choice is yours:
   *
   * - `renew` (default): the next secret is fetched, so that a revoked user is
   *   noticed and a lost connection comes back at once; the connection stays.
   * - `replace`: a new connection takes over between two turns.
   * - `keep`: nothing; a new secret is asked for only when one is needed.
   */
  directRenewal?: DirectRenewal;
  /** Longest wait for a turn to end before a connection is replaced; 20,000 ms. */
  maxTurnWaitMs?: number;
  /** How long before OpenAI's own end of a session it is replaced; 90,000 ms. */
  leadMs?: number;
  /** How long a connection may take to come up; 15,000 ms. */
  connectTimeoutMs?: number;
  /** Sent to every connection as `session.update`. */
  sessionUpdate?: SessionConfig;
}

export function engineOptions(options: LifeOptions): EngineOptions {
  return {
    reconnect: { ...RECONNECT, ...options.reconnect },
    history: { ...LIMITS, ...options.history },
    directRenewal: options.directRenewal ?? 'renew',
    maxTurnWaitMs: options.maxTurnWaitMs ?? 20_000,
    leadMs: options.leadMs ?? 90_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 15_000,
    session: options.sessionUpdate,
  };
}
