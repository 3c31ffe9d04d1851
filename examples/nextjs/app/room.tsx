'use client';

import { useInterview, useLevels } from '@hallpass/client/react';

export function Room({ name }: { name: string }) {
  const { phase, transcript, timeLeftMs, error, muted, start, stop, mute, interview } = useInterview({
    url: '/hallpass',
    workletUrl: '/hallpass.worklet.js',
  });
  const { input } = useLevels(interview);
  const on = phase === 'live' || phase === 'renewing';
  return (
    <main>
      <p role="status">
        {phase} {timeLeftMs !== undefined && `${Math.ceil(timeLeftMs / 60_000)} minutes left`}
      </p>
      {error && <p role="alert">{error.userMessage}</p>}
      <meter value={input} aria-label="Your loudness" />
      <button onClick={on ? stop : start}>{on ? 'End' : 'Start'}</button>
      <button onClick={() => mute(!muted)} aria-pressed={muted}>
        Mute
      </button>
      <ol>
        {transcript.map(({ id, role, text }) => (
          <li key={id}>
            <b>{role === 'user' ? name : 'Interviewer'}</b>: {text}
          </li>
        ))}
      </ol>
    </main>
  );
}
