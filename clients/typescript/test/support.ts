import { afterEach, beforeEach, vi } from 'vitest';
import { HallpassSession, type Disconnection, type SessionOptions } from '../src/index.js';
import { FakeHallpass, type FakeOptions } from '../src/testing/index.js';

/** A session on a fake server, and everything it told. */
export interface Stage {
  server: FakeHallpass;
  session: HallpassSession;
  told: [name: string, value: unknown][];
  ends: Disconnection[];
  /** The words of the transcript, speaker first. */
  words(): string[];
}

export function stage(fake: FakeOptions = {}, options: SessionOptions = {}): Stage {
  const server = new FakeHallpass(fake);
  const session = new HallpassSession({ ...server.options, ...options });
  const told: Stage['told'] = [];
  const ends: Disconnection[] = [];
  for (const name of ['status', 'connected', 'renewing', 'renewed', 'renewalFailed', 'reconnecting', 'reconnected'] as const) {
    session.on(name, (value) => told.push([name, value]));
  }
  session.on('disconnected', (end) => ends.push(end));
  const words = (): string[] => session.transcript.map(({ role, text }) => `${role}: ${text}`);
  return { server, session, told, ends, words };
}

/** Lets everything happen that is due within this time. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

export function fakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: new Date('2026-11-22T12:00:00Z') });
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
  });
  afterEach(() => vi.useRealTimers());
}
