import type { Off } from './emitter.js';
import { onPage } from './page.js';

/** A page that was asleep says so by one of these; `visibilitychange` bubbles up. */
const WAKES = ['visibilitychange', 'online', 'focus', 'pageshow'];

/** Longest timer a browser keeps without wrapping around. */
const LONGEST = 2 ** 31 - 1;

/**
 * Timers by absolute time. Background pages are clocked down, and laptops
 * sleep: so each deadline is looked at again whenever the page wakes.
 */
export class Deadlines {
  readonly #due = new Map<string, { at: number; run: () => void }>();
  readonly #wakes: Off[] = WAKES.map((event) => onPage(event, () => this.check()));
  #timer: ReturnType<typeof setTimeout> | undefined;


  /** Runs something at a time; replaces what was set under this name. */
  set(name: string, at: number, run: () => void): void {
    this.#due.set(name, { at, run });
    this.#arm();
  }

  /** Runs what is due. */
  check(): void {
    const now = Date.now();
    for (const [name, { at, run }] of [...this.#due]) {
      if (at > now || this.#due.get(name)?.run !== run) continue;
      this.#due.delete(name);
      run();
    }
    this.#arm();
  }

  /** Forgets everything. */
  end(): void {
    this.#due.clear();
    clearTimeout(this.#timer);
    for (const off of this.#wakes) off();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#due.size === 0) return;
    const next = Math.min(...[...this.#due.values()].map(({ at }) => at));
    const wait = Math.min(LONGEST, Math.max(0, next - Date.now()));
    this.#timer = setTimeout(() => this.check(), wait);
  }
}

/** Waits; ends early when the signal fires or, if asked, when the network is back. */
export function wait(ms: number, signal: AbortSignal, untilOnline = false): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      off();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const off = untilOnline ? onPage('online', done) : (): void => {};
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

/** Whether the browser says that there is no network. */
export function offline(): boolean {
  return (globalThis as { navigator?: { onLine?: boolean } }).navigator?.onLine === false;
}
