/** Ends a subscription. */
export type Off = () => void;

/** Listeners by event name, typed; a listener that throws hurts no other. */
export class Emitter<Map extends object> {
  readonly #listeners = new globalThis.Map<keyof Map, Set<(event: never) => void>>();

  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): Off {
    let all = this.#listeners.get(name);
    if (!all) this.#listeners.set(name, (all = new Set()));
    all.add(listener);
    return () => all.delete(listener);
  }

  emit<Name extends keyof Map>(name: Name, event: Map[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (event: Map[Name]) => void)(event);
      } catch (error) {
        // The page's own mistake: shown as one, outside of our way.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
