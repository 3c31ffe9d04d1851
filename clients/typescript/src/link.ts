import type { Closed } from './ends.js';
import type { ClientEvent, ServerEvent } from './events.js';

/** What a connection tells its owner. */
export interface LinkHandlers {
  onEvent(event: ServerEvent): void;
  /** Once, and nothing after it. */
  onClose(closed: Closed): void;
}

/** One connection to a session, by whatever way. */
export interface Link {
  readonly kind: 'websocket' | 'webrtc';
  send(event: ClientEvent): void;
  close(code: number, reason: string): void;
  /** Lets the microphone through, or not; a WebSocket carries what it is sent. */
  live(on: boolean): void;
}

/** How a link is opened. */
export interface OpenOptions {
  handlers: LinkHandlers;
  signal: AbortSignal;
  /** Whether the microphone is let through at once. */
  live: boolean;
}
