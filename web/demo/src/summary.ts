import type { InterviewState } from '../../../clients/typescript/src/audio/index.js';
import { byId, clock, describe, say } from './dom.js';
import { render } from './transcript.js';

const WHY: Record<string, string> = {
  client: 'You ended it.',
  ended: 'It ended.',
  operator: 'An operator ended it.',
  revoked: 'Access was withdrawn.',
  unauthorized: 'The sign-in was no longer good.',
  budget: 'Its budget was used up.',
  time_limit: 'Its time was over.',
  policy: 'A rule ended it.',
  session_cap: 'OpenAI’s longest session was reached.',
  network: 'The connection was lost and did not come back.',
  server: 'The other side ended it.',
  token: 'No client secret was to be had.',
};

/** Shows how an interview went. */
export function showSummary(state: InterviewState, me: string): void {
  const { startedAt, endedAt, transcript, renewals, usage, end, error, grant } = state;
  const lasted = startedAt && endedAt ? endedAt - startedAt : 0;
  say(byId('summary-title'), error ? 'The interview stopped' : 'Thank you, that’s it');
  say(byId('summary-lead'), error ? error.userMessage : (WHY[end?.cause ?? 'client'] ?? ''));
  const moved = renewals.filter(({ kind }) => kind === 'connection').length;
  describe(byId('facts'), [
    ['Duration', clock(lasted)],
    ['Turns', String(transcript.filter(({ text }) => text).length)],
    ['Renewals', moved ? `${renewals.length}, ${moved} to a new connection` : String(renewals.length)],
    ['Tokens in', `${usage.input_tokens} (${usage.input_audio_tokens} of sound)`],
    ['Tokens out', `${usage.output_tokens} (${usage.output_audio_tokens} of sound)`],
    ['Mode', grant?.mode ?? 'none'],
    ['Ended because', WHY[end?.cause ?? 'client'] ?? ''],
    ['Secrets left in this browser', 'none'],
  ]);
  render(byId('summary-transcript'), transcript, me);
}
