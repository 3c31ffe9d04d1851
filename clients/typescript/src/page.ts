import type { Off } from './emitter.js';

/** Listens to an event of the page, where there is a page. */
export function onPage(event: string, listener: () => void): Off {
  const page = (globalThis as { window?: EventTarget }).window;
  page?.addEventListener(event, listener);
  return () => page?.removeEventListener(event, listener);
}
