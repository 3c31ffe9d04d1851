import { ConnectError, TokenError, unreachable } from './errors.js';

/** What requests are sent with. */
export interface Http {
  fetch: typeof fetch;
  /** How long an answer may take, in milliseconds. */
  timeoutMs: number;
}

/** Sends a request; a network failure is a {@link ConnectError}. */
export async function request(http: Http, url: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
  const late = AbortSignal.timeout(http.timeoutMs);
  try {
    return await http.fetch(url, { ...init, signal: AbortSignal.any([init.signal, late]) });
  } catch {
    // The browser's own error says no more than that there was no answer.
    if (init.signal.aborted) throw new ConnectError('aborted');
    throw unreachable(late.aborted ? 'timeout' : 'network');
  }
}

interface Problem {
  code?: unknown;
  detail?: unknown;
  request_id?: unknown;
  error?: { code?: unknown; message?: unknown } | string;
}

/** The error of an answer that is none of the good ones. */
export async function failure(response: Response): Promise<TokenError> {
  const body = (await response.json().catch(() => ({}))) as Problem | null;
  const inner = typeof body?.error === 'object' ? body.error : undefined;
  const retryable = response.status === 408 || response.status === 429 || response.status >= 500;
  const after = Number(response.headers.get('retry-after') ?? NaN);
  return new TokenError(text(body?.code) ?? text(inner?.code) ?? `http_${response.status}`, {
    detail: text(body?.detail) ?? text(inner?.message),
    status: response.status,
    requestId: response.headers.get('x-request-id') ?? text(body?.request_id),
    retryable: retryable && response.headers.get('x-should-retry') !== 'false',
    retryAfterMs: Number.isFinite(after) ? after * 1000 : undefined,
  });
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
