import type { Interview, InterviewState } from '../../../clients/typescript/src/audio/index.js';
import { byId, clock, describe, make, say } from './dom.js';
import { render } from './transcript.js';
import { announce } from './views.js';

const PHASES: Record<InterviewState['phase'], string> = {
  idle: 'Not started',
  microphone: 'Waiting for the microphone',
  connecting: 'Connecting',
  live: 'Live',
  renewing: 'Live · renewing',
  reconnecting: 'Reconnecting',
  ended: 'Over',
  failed: 'Failed',
};

const PATH = {
  direct: 'browser ⇄ OpenAI',
  relay: 'browser ⇄ Hallpass ⇄ OpenAI',
  call: 'browser ⇄ OpenAI, signalled by Hallpass',
} as const;

let announced = new Set<string>();

/** Shows an interview's state. */
export function showRoom(interview: Interview, me: string): void {
  const { phase, transcript, muted, speaking } = interview.state;
  say(byId('phase'), PHASES[phase]);
  byId('phase').dataset['phase'] = phase;
  say(byId('my-name'), me);
  render(byId('transcript'), transcript, me);
  byId('voice-output').classList.toggle('on', speaking || interview.levels.output > 0.05);
  byId('mute').setAttribute('aria-pressed', String(muted));
  byId('voice-input').classList.toggle('muted', muted);
  for (const { id, role, text, final } of transcript) {
    if (!final || role !== 'assistant' || announced.has(id)) continue;
    announced.add(id);
    announce(`Interviewer: ${text}`);
  }
}

/** What changes with time alone. */
export function showTime({ state }: Interview): void {
  const { grant, endsAt, phase, renewals, startedAt } = state;
  const now = Date.now();
  const live = phase === 'live' || phase === 'renewing';
  say(byId('clock'), live && endsAt ? `${clock(endsAt - now)} left` : '');
  if (!grant) return describe(byId('holds'), [['Client secret', 'none yet'], ['Standard key', 'never'], ['Your login', 'a cookie scripts can’t read']]);
  // A renewal in hand is newer than the one the connection was opened with.
  const newest = renewals.at(-1)?.grant ?? grant;
  const left = newest.expiresAt - now;
  const spare = renewals.at(-1)?.kind === 'secret' && left > 0;
  describe(byId('holds'), [
    ['Client secret', spare ? 'the next one, in a closure' : 'used, and dropped'],
    ['Good for connecting', left > 0 ? `${clock(left)} more` : 'no more'],
    ['Its grant', short(newest.id)],
    ['Standard key', 'never'],
    ['Your login', 'a cookie scripts can’t read'],
    ['Path', PATH[grant.mode]],
    ['Renewals', String(renewals.length)],
    ['Connected for', startedAt ? clock(now - startedAt) : '0:00'],
  ]);
  const whole = Math.max(1, newest.expiresAt - Math.max(startedAt ?? now, renewals.at(-1)?.at ?? 0));
  byId('life-bar').style.setProperty('--left', String(Math.max(0, Math.min(1, left / whole))));
}

/** An id as people compare it. */
function short(id = 'unknown'): string {
  return id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-6)}` : id;
}

/** Forgets what was announced. */
export function enterRoom(): void {
  announced = new Set();
  byId('transcript').replaceChildren();
  byId('log').replaceChildren();
}

/** Writes one line of what happens. */
export function note(text: string, kind: 'good' | 'bad' | 'plain' = 'plain'): void {
  const time = new Date().toLocaleTimeString([], { hour12: false });
  byId('log').prepend(make('li', { class: kind }, make('time', {}, time), ` ${text}`));
  if (kind !== 'plain') announce(text);
}
