/** When and how often a lost connection is tried again. */
export interface ReconnectPolicy {
  /** Attempts after one loss; 5. */
  attempts: number;
  /** The first wait's upper bound, doubled each time; 500 ms. */
  baseMs: number;
  /** The upper bound of any wait; 8,000 ms. */
  maxMs: number;
  /** Reconnections in one session's life; 50. */
  total: number;
}

export const RECONNECT: ReconnectPolicy = { attempts: 5, baseMs: 500, maxMs: 8000, total: 50 };

/** A wait with full jitter: clients that were cut together do not return together. */
export function jittered(attempt: number, policy: ReconnectPolicy): number {
  return Math.random() * Math.min(policy.maxMs, policy.baseMs * 2 ** attempt);
}
