import type { TranscriptEntry } from '../../../clients/typescript/src/index.js';
import { make, say } from './dom.js';

/** Brings a list up to date; what is there already keeps its element. */
export function render(list: HTMLElement, entries: readonly TranscriptEntry[], me: string): void {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const old = new Map([...list.children].map((item) => [(item as HTMLElement).dataset['id'], item as HTMLElement]));
  entries.forEach((entry, at) => {
    const item = old.get(entry.id) ?? row(entry, me);
    old.delete(entry.id);
    const words = item.lastElementChild as HTMLElement;
    say(words, entry.text || (entry.role === 'user' ? 'listening…' : '…'));
    item.classList.toggle('pending', !entry.final);
    item.classList.toggle('cut', entry.interrupted);
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  });
  for (const gone of old.values()) gone.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function row({ id, role }: TranscriptEntry, me: string): HTMLElement {
  const name = role === 'user' ? me : 'Interviewer';
  return make('li', { class: role, 'data-id': id }, make('b', {}, name), make('p'));
}
