import type { Link, OpenOptions } from './link.js';

/** How the browser reaches the model; what each promises is in docs/token-flow.md. */
export type Mode = 'direct' | 'relay' | 'call';

/** Why a client secret is asked for. */
export type TicketReason = 'start' | 'renew' | 'replace' | 'reconnect';

/** What is known of a client secret; never the secret. */
export interface Grant {
  /** The server's record of it. */
  id: string | undefined;
  mode: Mode;
  profile: string | undefined;
  /** When it stops opening connections; milliseconds since 1970. */
  expiresAt: number;
  /** When to ask for the next one. */
  refreshAt: number;
}

/** The right to open one connection. */
export interface Ticket {
  readonly grant: Grant;
  open(options: OpenOptions): Link | Promise<Link>;
  /** Forgets the secret. */
  drop(): void;
}

/** Where tickets come from. */
export interface TicketSource {
  next(reason: TicketReason, signal: AbortSignal): Promise<Ticket>;
  /** Extends a live session; answers with when its lease ends now, in milliseconds since 1970. */
  renewLease?(grant: Grant, signal: AbortSignal): Promise<number | undefined>;
}
