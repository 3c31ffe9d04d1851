import { ConnectError } from './errors.js';
import type { ClientEvent, ServerEvent } from './events.js';
import type { Link, OpenOptions } from './link.js';

/** A WebSocket class: the browser's own, or a test's. */
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocket;

/**
 * Opens a WebSocket.
 *
 * The browser's own error texts name the subprotocols, and so the secret:
 * none of them is passed on.
 */
export function openSocket(
  Socket: WebSocketClass,
  url: string,
  protocols: string[],
  { handlers, signal }: OpenOptions,
): Link {
  let socket: WebSocket;
  try {
    socket = new Socket(url, protocols);
  } catch {
    throw new ConnectError('malformed_answer', { detail: 'no WebSocket address' });
  }
  let errorCode: string | undefined;
  let closed = false;
  const end = (code: number, reason: string): void => {
    if (closed) return;
    closed = true;
    signal.removeEventListener('abort', abort);
    handlers.onClose({ code, reason, errorCode });
  };
  const close = (code: number, reason: string): void => {
    if (socket.readyState < 2) socket.close(code, reason);
    end(code, reason);
  };
  const abort = (): void => close(1000, 'aborted');
  signal.addEventListener('abort', abort);
  socket.onmessage = ({ data }) => {
    const event = parse(data);
    if (!event || closed) return;
    if (event.type === 'error') errorCode = event.error.code ?? event.error.type;
    handlers.onEvent(event);
  };
  socket.onclose = ({ code, reason }) => end(code, reason);
  return {
    kind: 'websocket',
    send(event: ClientEvent) {
      if (socket.readyState === 1) socket.send(JSON.stringify(event));
    },
    close,
    live() {},
  };
}

/** An event, or nothing where a frame holds none. */
export function parse(data: unknown): ServerEvent | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const event = JSON.parse(data) as ServerEvent | null;
    return typeof event?.type === 'string' ? event : undefined;
  } catch {
    return undefined;
  }
}
