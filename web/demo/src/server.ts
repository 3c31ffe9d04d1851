import type { Mode } from '../../../clients/typescript/src/index.js';

/** What `hallpass dev` tells its own page. */
export interface Place {
  upstream: 'simulator' | 'openai';
  modes: Mode[];
  people: { id: string; name: string; about: string }[];
  /** Who is signed in. */
  person: string | null;
}

/** A way to make trouble. */
export type Trouble = 'expire' | 'drop' | 'openai_down' | 'openai_up' | 'revoke' | 'lift';

export async function place(): Promise<Place> {
  return (await ask('place', 'GET')) as Place;
}

export async function signIn(person: string): Promise<void> {
  await ask('sign-in', 'POST', { person });
}

export async function signOut(): Promise<void> {
  await ask('sign-out', 'POST', {});
}

/** Makes trouble for the person who is signed in. */
export async function trouble(kind: Trouble): Promise<string> {
  const answer = (await ask('trouble', 'POST', { kind })) as { did: string };
  return answer.did;
}

async function ask(route: string, method: 'GET' | 'POST', body?: object): Promise<unknown> {
  const json = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(`api/${route}`, { method, ...json });
  const answer: unknown = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error((answer as { detail?: string }).detail ?? 'The demo’s server did not answer.');
  return answer;
}
