import { ConnectError, HallpassError, TokenError, unreachable } from './errors.js';
import type { ClientEvent, ServerEventMap } from './events.js';
import type { Link, OpenOptions } from './link.js';
import { failure, request, type Http } from './http.js';
import { parse } from './socket.js';

/** Where a WebRTC call takes its sound from, and brings it to. */
export interface CallMedia {
  /** A track of the microphone, a new one for each call, which stops it. */
  microphone(): Promise<MediaStreamTrack>;
  /** The other side's sound; once for each call that becomes the current one. */
  speaker(stream: MediaStream): void;
}

/** What a call is made with. */
export interface CallParts {
  http: Http;
  PeerConnection: typeof RTCPeerConnection | undefined;
  media: CallMedia | undefined;
  /** Asks the server whether the call may go on, and how long. */
  renew(): Promise<unknown>;
}

/** A renewal's answer, which says what a `hallpass.session` event says. */
type Held = ServerEventMap['hallpass.session'];

/** The label OpenAI knows its channel of events by. */
const CHANNEL = 'oai-events';

/** How long a connection may stay broken before it counts as lost, in milliseconds. */
const BROKEN_MS = 5000;

/** Opens a WebRTC call: offers, posts the offer with the secret, takes the answer. */
export async function openCall(
  { http, PeerConnection, media, renew }: CallParts,
  url: string,
  secret: string,
  { handlers, signal, live }: OpenOptions,
): Promise<Link> {
  if (!PeerConnection) throw new ConnectError('no_webrtc', { detail: 'this browser has no WebRTC' });
  const peer = new PeerConnection();
  const channel = peer.createDataChannel(CHANNEL);
  let track: MediaStreamTrack | undefined;
  let stream: MediaStream | undefined;
  let errorCode: string | undefined;
  let open = live;
  let over = false;
  let broken: ReturnType<typeof setTimeout> | undefined;

  const end = (code: number, reason: string): void => {
    if (over) return;
    over = true;
    clearTimeout(broken);
    signal.removeEventListener('abort', abort);
    track?.stop();
    peer.close();
    handlers.onClose({ code, reason, errorCode });
  };
  const held = (lease: unknown): void => handlers.onEvent({ ...(lease as Held), type: 'hallpass.session' });
  const abort = (): void => end(1000, 'aborted');
  signal.addEventListener('abort', abort);

  peer.ontrack = ({ streams, track: remote }) => {
    stream = streams[0] ?? new MediaStream([remote]);
    if (open) media?.speaker(stream);
  };
  peer.onconnectionstatechange = () => {
    clearTimeout(broken);
    if (peer.connectionState === 'failed') end(1006, 'the call failed');
    // A broken path often mends itself.
    if (peer.connectionState === 'disconnected') broken = setTimeout(() => end(1006, 'the call broke'), BROKEN_MS);
  };
  channel.onmessage = ({ data }) => {
    const event = parse(data);
    if (!event || over) return;
    if (event.type === 'error') errorCode = event.error.code ?? event.error.type;
    handlers.onEvent(event);
    // What a relay tells by itself has to be asked for here; without a lease there is no answer.
    if (event.type === 'session.created') renew().then(held, () => undefined);
  };
  channel.onclose = () => {
    if (over) return;
    if (errorCode) return end(1001, errorCode);
    // A call is hung up without a word: the server knows why.
    const hungUp = (): void => end(1000, 'the other side hung up');
    renew().then(hungUp, ({ code }: HallpassError) => (/revoked|budget/.test(code) ? end(1008, code) : hungUp()));
  };

  try {
    const { sender } = peer.addTransceiver('audio', { direction: media ? 'sendrecv' : 'recvonly' });
    track = await media?.microphone();
    if (open && track) await sender.replaceTrack(track);
    await peer.setLocalDescription(await peer.createOffer());
    const answer = await exchange(http, url, secret, peer.localDescription?.sdp ?? '', signal);
    await peer.setRemoteDescription({ type: 'answer', sdp: answer });
    return {
      kind: 'webrtc',
      send(event: ClientEvent) {
        if (channel.readyState === 'open') channel.send(JSON.stringify(event));
      },
      close: end,
      live(on) {
        open = on;
        void sender.replaceTrack(on ? (track ?? null) : null).catch(() => undefined);
        if (on && stream) media?.speaker(stream);
      },
    };
  } catch (error) {
    end(1000, 'not opened');
    if (error instanceof HallpassError) throw error;
    throw unreachable('network', { detail: 'the call could not be set up' });
  }
}

async function exchange(http: Http, url: string, secret: string, sdp: string, signal: AbortSignal): Promise<string> {
  const response = await request(http, url, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/sdp' },
    body: sdp,
    // The secret is the whole credential; the user's cookie is not for the media's host.
    credentials: 'omit',
    signal,
  });
  if (response.ok) return response.text();
  const error = await failure(response);
  throw response.status === 401 ? new TokenError('secret_refused', { status: 401, requestId: error.requestId }) : error;
}
