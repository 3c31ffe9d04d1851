import { byId, say } from './dom.js';

/** The parts of the page, one of which is shown. */
export type View = 'sign-in' | 'lobby' | 'live' | 'summary';

const VIEWS: readonly View[] = ['sign-in', 'lobby', 'live', 'summary'];

let shown: View | undefined;

/** Shows one part, and takes keyboard and screen reader there. */
export function show(view: View): void {
  if (shown === view) return;
  const first = shown === undefined;
  shown = view;
  for (const each of VIEWS) byId(`view-${each}`).hidden = each !== view;
  step(view);
  window.scrollTo(0, 0);
  // The first one is where the reader is already.
  if (!first) byId(`${view}-title`).focus({ preventScroll: true });
}

/** Marks where the visitor is on the way. */
export function step(name: View | 'connect'): void {
  let before = true;
  for (const item of byId('steps').children) {
    const here = item instanceof HTMLElement && item.dataset['step'] === name;
    if (here) {
      before = false;
      item.setAttribute('aria-current', 'step');
    } else {
      item.removeAttribute('aria-current');
    }
    item.classList.toggle('past', before);
  }
}

/** Says something to screen readers that the eye sees elsewhere. */
export function announce(text: string): void {
  say(byId('announce'), text);
}

/** Shows a failure to everyone; nothing takes it away. */
export function alert(text: string | undefined): void {
  const box = byId('alert');
  box.hidden = !text;
  say(box, text ?? '');
}
