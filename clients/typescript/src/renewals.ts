import type { Deadlines } from './deadlines.js';
import type { DirectRenewal, EngineEvents } from './engine.js';
import { known, type HallpassError } from './errors.js';
import type { Live } from './live.js';
import type { Ticket, TicketSource } from './ticket.js';

/** What renewals need of the engine they belong to. */
export interface RenewalParts {
  source: TicketSource;
  deadlines: Deadlines;
  signal: AbortSignal;
  /** How long to wait before a renewal that failed is tried again. */
  jitterMs(): number;
  emit<Name extends 'renewing' | 'renewed' | 'renewalFailed'>(name: Name, event: EngineEvents[Name]): void;
  /** Nothing may go on. */
  refused(error: HallpassError): void;
}

/** Renewals that leave the connection as it is: the next secret, or a longer lease. */
export class Renewals {
  #spare: Ticket | undefined;
  readonly #parts: RenewalParts;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** Sets the times of a connection's renewals. */
  arm(live: Live, direct: DirectRenewal): void {
    const { mode, refreshAt } = live.grant;
    if (mode === 'direct' && direct === 'renew') this.#secretAt(refreshAt);
  }

  /** The secret at hand, if it still opens a connection. */
  takeSpare(): Ticket | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare && spare.grant.expiresAt > Date.now() + 1000) return spare;
    spare?.drop();
    return undefined;
  }

  /** Tries again after a failure, when the server said or soon. */
  again(name: string, error: HallpassError, run: () => void): void {
    const retryInMs = Math.max(error.retryAfterMs ?? 0, this.#parts.jitterMs());
    this.#parts.emit('renewalFailed', { error, retryInMs });
    this.#parts.deadlines.set(name, Date.now() + retryInMs, run);
  }

  /** Forgets the secret at hand. */
  end(): void {
    this.#spare?.drop();
    this.#spare = undefined;
  }

  #secretAt(at: number): void {
    this.#parts.deadlines.set('secret', at, () => void this.#renewSecret());
  }

  async #renewSecret(): Promise<void> {
    const { source, signal, emit, refused } = this.#parts;
    emit('renewing', { kind: 'secret' });
    try {
      const ticket = await source.next('renew', signal);
      if (signal.aborted) return ticket.drop();
      this.end();
      this.#spare = ticket;
      this.#secretAt(ticket.grant.refreshAt);
      emit('renewed', { kind: 'secret', grant: ticket.grant });
    } catch (caught) {
      const error = known(caught);
      if (signal.aborted) return;
      if (!error.retryable) return refused(error);
      this.again('secret', error, () => void this.#renewSecret());
    }
  }

  /** Renews a lease in time; Hallpass says how long it is. */
  leaseAt(live: Live, endsAt: number): void {
    const left = endsAt - Date.now();
    const lead = Math.min(left / 2, Math.max(5000, left / 3));
    this.#parts.deadlines.set('lease', endsAt - lead, () => void this.#renewLease(live, endsAt));
  }

  async #renewLease(live: Live, endsAt: number): Promise<void> {
    const { source, signal, emit, refused } = this.#parts;
    if (live.closed || !source.renewLease) return;
    emit('renewing', { kind: 'lease' });
    try {
      const next = await source.renewLease(live.grant, signal);
      if (next) this.leaseAt(live, next);
      emit('renewed', { kind: 'lease', grant: live.grant });
    } catch (caught) {
      const error = known(caught);
      if (signal.aborted || live.closed) return;
      if (!error.retryable || Date.now() >= endsAt) return refused(error);
      this.again('lease', error, () => void this.#renewLease(live, endsAt));
    }
  }
}
