/** For the person in front of the page, and for whoever wrote the page. */
type Words = readonly [user: string, remedy: string];

const SIGN_IN: Words = ['Please sign in again.', 'Send a cookie (credentials) or an authorization header.'];
const NOT_ALLOWED: Words = ['You are not allowed to do this.', 'Grant the role what the detail names.'];
const REVOKED: Words = ['Your access was withdrawn.', 'An operator can lift it: hallpass revocations list.'];
const BUSY: Words = ['Too many attempts. Please wait a moment.', 'Wait retryAfterMs.'];
const AWAY: Words = [
  'The voice service is not available. Please try again shortly.',
  'See /health. Wait retryAfterMs.',
];
const OFFLINE: Words = [
  'The connection was lost. Please check your network.',
  'Check the address, allowed_origins and connect-src.',
];
const PAGE: Words = ['Something went wrong on this page.', 'See the detail.'];
const OVER: Words = ['The conversation is over.', 'Start a new one.'];
const ODD: Words = ['The voice service gave an unexpected answer.', 'Check the endpoint.'];
const REFUSED: Words = [
  'The conversation could not be opened. Please try again.',
  'Expired, used before, or of another host.',
];

/** By code, or by the end of a code. */
const WORDS: readonly (readonly [RegExp, Words])[] = [
  [/revoked/, REVOKED],
  [/credential$|^unauthorized$/, SIGN_IN],
  [/budget/, ['The budget for this conversation is used up.', 'See the subject’s usage.']],
  [/time_limit/, ['The time for this conversation is over.', 'See max_session_seconds.']],
  [/finished|exhausted|dropped|not_connected|session_cap|aborted|operator/, OVER],
  [/denied|not_allowed|not_yours|unknown$|policy/, NOT_ALLOWED],
  [
    /too_many_grants/,
    ['You already have a conversation open. Please close it first.', 'See limits.concurrent_sessions.'],
  ],
  [/rate_limited/, BUSY],
  [/unavailable|quota|credit|^upstream|overloaded|shutting/, AWAY],
  [/^(network|timeout)$/, OFFLINE],
  [/malformed_answer/, ODD],
  [/secret_refused|^token/, REFUSED],
];

const BY_STATUS: Record<number, Words> = { 401: SIGN_IN, 403: NOT_ALLOWED, 429: BUSY };

/** What else is known of an error. */
export interface ErrorFacts {
  detail?: string | undefined;
  retryable?: boolean;
  status?: number;
  requestId?: string | undefined;
  retryAfterMs?: number | undefined;
  /** A sentence for the person, and one for the developer. */
  words?: readonly [string, string] | undefined;
}

/** Takes every client secret and API key out of a text. */
export function scrub(text: string): string {
  return text.replace(/\b(ek|sk|hp)([_-])[\w-]{4,}/g, '$1$2…');
}

/** The base of every error of this package. None ever holds a secret. */
export class HallpassError extends Error {
  override readonly name: string = 'HallpassError';
  /** Stable, one word: the server's own where it gave one. */
  readonly code: string;
  /** Whether the same may work later. */
  readonly retryable: boolean;
  /** The HTTP status, where there was one. */
  readonly status: number | undefined;
  /** Under which the server's log and audit trail know the request. */
  readonly requestId: string | undefined;
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** A sentence for the person in front of the page. */
  readonly userMessage: string;
  /** What a developer can do about it. */
  readonly remedy: string;

  constructor(code: string, facts: ErrorFacts = {}) {
    const known =
      facts.words ??
      WORDS.find(([pattern]) => pattern.test(code))?.[1] ??
      BY_STATUS[facts.status ?? 0] ??
      (facts.retryable ? AWAY : PAGE);
    super(scrub(`${code}: ${facts.detail ?? known[1]}`));
    this.code = code;
    this.retryable = facts.retryable ?? false;
    this.status = facts.status;
    this.requestId = facts.requestId;
    this.retryAfterMs = facts.retryAfterMs;
    this.userMessage = known[0];
    this.remedy = known[1];
  }
}

/** No client secret was given. */
export class TokenError extends HallpassError {
  override readonly name: string = 'TokenError';
}

/** The connection did not come up. */
export class ConnectError extends HallpassError {
  override readonly name: string = 'ConnectError';
}

/** Nothing answered, which may change. */
export function unreachable(code = 'network', facts: ErrorFacts = {}): ConnectError {
  return new ConnectError(code, { retryable: true, ...facts });
}

/** Every failure as one of ours. */
export function known(error: unknown): HallpassError {
  return error instanceof HallpassError ? error : unreachable();
}

/** The session refused an event, or there is no session to take it. */
export class SessionError extends HallpassError {
  override readonly name: string = 'SessionError';
}

/** The session is over; `code` says why. */
export class DisconnectedError extends HallpassError {
  override readonly name: string = 'DisconnectedError';
}

/** The microphone or the speaker can't be used. */
export class DeviceError extends HallpassError {
  override readonly name: string = 'DeviceError';
}
