import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { Interview, type InterviewOptions, type InterviewState, type Levels } from '../audio/index.js';
import type { HallpassSession } from '../session.js';

/** An interview as a component sees it. */
export interface UseInterview extends InterviewState {
  /** How long it may still last, in milliseconds; undefined where nobody knows. */
  timeLeftMs: number | undefined;
  start(): Promise<void>;
  stop(): void;
  mute(muted: boolean): void;
  useDevice(deviceId: string): Promise<void>;
  /** For sending events of your own. */
  session(): HallpassSession | undefined;
  /** For `useLevels`. */
  interview: Interview;
}

/**
 * One interview for the life of a component.
 *
 * Its functions keep their identity, changed options are used by the next
 * start, and unmounting ends it. Levels change 25 times a second, so they have
 * a hook of their own: `useLevels(interview)`.
 */
export function useInterview(options: InterviewOptions): UseInterview {
  const [interview] = useState(() => new Interview(options));
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => () => interview.stop(), [interview]);
  const start = useCallback(() => {
    interview.configure(latest.current);
    return interview.start();
  }, [interview]);
  const read = (): InterviewState => interview.state;
  const state = useSyncExternalStore(interview.watch, read, read);
  const timeLeftMs = useTimeLeft(state.endsAt, state.endedAt === undefined);
  const controls = useMemo(
    () => ({ start, stop: interview.stop, mute: interview.mute, useDevice: interview.useDevice, session: () => interview.session, interview }),
    [interview, start],
  );
  return { ...state, ...controls, timeLeftMs };
}

/** How loud both sides are, 0 to 1. */
export function useLevels(interview: Interview): Levels {
  const read = (): Levels => interview.levels;
  return useSyncExternalStore(interview.onLevels, read, read);
}

function useTimeLeft(endsAt: number | undefined, running: boolean): number | undefined {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (endsAt === undefined || !running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [endsAt, running]);
  return endsAt === undefined ? undefined : Math.max(0, endsAt - now);
}
