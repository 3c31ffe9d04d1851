import type { HallpassError } from './errors.js';

/** Why a connection is over. */
export type EndCause =
  | 'client'
  | 'operator'
  | 'ended'
  | 'revoked'
  | 'unauthorized'
  | 'budget'
  | 'time_limit'
  | 'policy'
  | 'session_cap'
  | 'network'
  | 'server'
  | 'token';

/** The end of a connection: why, in which words. */
export interface Disconnection {
  cause: EndCause;
  /** The WebSocket close code; null where none came. */
  code: number | null;
  /** The other side's words, with no secret in them. */
  reason: string;
  /** What to show, unless the page itself ended it. */
  error?: HallpassError;
}

/** How a connection closed. */
export interface Closed {
  code: number;
  reason: string;
  /** The code of the last `error` event before it. */
  errorCode?: string | undefined;
}

/** Words after which another connection would only meet the same end. */
const FATAL: readonly (readonly [RegExp, EndCause])[] = [
  [/revoked/, 'revoked'],
  [/budget|quota|credit|billing/, 'budget'],
  [/deactivated/, 'policy'],
  [/api_key/, 'token'],
];

/** Words of a close that is final by its code. */
const FINAL: typeof FATAL = [
  ...FATAL,
  [/operator/, 'operator'],
  [/lease|unauthori[sz]ed|credential/, 'unauthorized'],
  [/time|duration|limit|idle|expired/, 'time_limit'],
];

/** Codes after which official clients come back, and so do we. */
const RETRIED = [1001, 1005, 1006, 1011, 1012, 1013, 1014];

/** Says why a connection ended, and whether another one may be tried. */
export function classify({ code, reason, errorCode = '' }: Closed): { cause: EndCause; retry: boolean } {
  const fatal = named(FATAL, errorCode);
  if (fatal) return { cause: fatal, retry: false };
  if (errorCode === 'session_expired') return { cause: 'session_cap', retry: true };
  if (code === 1000) return { cause: 'ended', retry: false };
  if (RETRIED.includes(code)) return { cause: code === 1005 || code === 1006 ? 'network' : 'server', retry: true };
  return { cause: named(FINAL, errorCode + reason) ?? (code === 3000 ? 'token' : 'policy'), retry: false };
}

function named(table: typeof FATAL, words: string): EndCause | undefined {
  return table.find(([pattern]) => pattern.test(words.toLowerCase()))?.[1];
}
