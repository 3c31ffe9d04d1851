import { SessionError } from './errors.js';

/**
 * A client secret that lives in a closure: no member of any object holds it,
 * so nothing that walks, prints or serialises objects can find it.
 */
export interface Sealed {
  /** Hands the secret to one function, if it is still there. */
  use<T>(reader: (secret: string) => T): T;
  /** Forgets it. */
  drop(): void;
}

/** Seals a secret. */
export function seal(secret: string): Sealed {
  let held: string | undefined = secret;
  return {
    use(reader) {
      if (held === undefined) throw new SessionError('secret_dropped');
      return reader(held);
    },
    drop() {
      held = undefined;
    },
  };
}
