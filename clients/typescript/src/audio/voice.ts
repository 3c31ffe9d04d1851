import type { DeviceError } from '../errors.js';
import { Emitter } from '../emitter.js';
import { openMicrophone, trouble } from './devices.js';
import { RATE, meter, toBase64, toSamples } from './pcm.js';

/** How loud both sides are, 0 to 1. */
export interface Levels {
  input: number;
  output: number;
}

/** What a voice tells. */
export interface VoiceEvents {
  /** 40 ms of PCM16 at 24 kHz, in base64. */
  sound: string;
  levels: Levels;
  /** Whether something is being played. */
  playing: boolean;
  /** The microphone went away: unplugged, or its permission taken back. */
  lost: DeviceError;
}

/** How a voice is made. */
export interface VoiceOptions {
  /** Where the worklet's file is served; it must be allowed by `script-src`. */
  workletUrl: string | URL;
  /** A microphone of `inputDevices()`. */
  deviceId?: string | undefined;
}

interface Item {
  id: string;
  contentIndex: number;
  playedMs: number;
}

/** Microphone and speaker for a WebSocket session: PCM16 at 24 kHz both ways. */
export class Voice {
  readonly on: Emitter<VoiceEvents>['on'];
  /** Whether the microphone's sound is passed on. */
  muted = false;
  #emitter = new Emitter<VoiceEvents>();
  #context: AudioContext;
  #capture: AudioWorkletNode;
  #playback: AudioWorkletNode;
  #microphone: { stream: MediaStream; source: MediaStreamAudioSourceNode };
  #levels: Levels = { input: 0, output: 0 };
  #item: Item | undefined;
  #parts = new Map<number, { item: Item; ms: number }>();
  #count = 0;
  #playing = false;

  private constructor(context: AudioContext, stream: MediaStream) {
    this.on = (name, listener) => this.#emitter.on(name, listener);
    this.#context = context;
    this.#capture = new AudioWorkletNode(context, 'hallpass-capture', { numberOfOutputs: 0 });
    this.#playback = new AudioWorkletNode(context, 'hallpass-playback', { numberOfInputs: 0 });
    this.#playback.connect(context.destination);
    this.#capture.port.onmessage = ({ data }) => this.#heard(data);
    this.#playback.port.onmessage = ({ data }) => this.#told(data);
    this.#microphone = this.#attach(stream);
  }

  /** Asks for the microphone and starts both ways. Call it from a click: browsers ask for one. */
  static async open({ workletUrl, deviceId }: VoiceOptions): Promise<Voice> {
    const stream = await openMicrophone(deviceId);
    let context: AudioContext | undefined;
    try {
      context = contextFor(stream);
      await context.audioWorklet.addModule(String(workletUrl));
      await context.resume();
      return new Voice(context, stream);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      void context?.close();
      throw trouble('audio_unavailable', error);
    }
  }

  /** Plays a delta of `response.output_audio.delta`. */
  play(delta: string, itemId: string, contentIndex = 0): void {
    const samples = toSamples(delta);
    if (this.#item?.id !== itemId) this.#item = { id: itemId, contentIndex, playedMs: 0 };
    const id = ++this.#count;
    this.#parts.set(id, { item: this.#item, ms: (samples.length * 1000) / RATE });
    this.#setPlaying(true);
    this.#playback.port.postMessage({ samples, id }, [samples.buffer]);
  }

  /**
   * Falls silent at once: the user speaks. Answers with what was being said
   * and how much of it was heard, for `conversation.item.truncate`.
   */
  interrupt(): { itemId: string; contentIndex: number; playedMs: number } | undefined {
    const item = this.#playing ? this.#item : undefined;
    this.#playback.port.postMessage({ clear: true });
    this.#parts.clear();
    this.#item = undefined;
    this.#setPlaying(false);
    return item && { itemId: item.id, contentIndex: item.contentIndex, playedMs: Math.round(item.playedMs) };
  }

  get playing(): boolean {
    return this.#playing;
  }

  /** Changes to another microphone without a new connection. */
  async useDevice(deviceId: string): Promise<void> {
    const next = await openMicrophone(deviceId);
    this.#detach();
    this.#microphone = this.#attach(next);
  }

  /** Lets go of the microphone and the speaker. */
  close(): void {
    this.#detach();
    this.#emitter.clear();
    void this.#context.close().catch(() => undefined);
  }

  #attach(stream: MediaStream): { stream: MediaStream; source: MediaStreamAudioSourceNode } {
    const source = this.#context.createMediaStreamSource(stream);
    source.connect(this.#capture);
    for (const track of stream.getAudioTracks()) {
      track.onended = () => this.#emitter.emit('lost', trouble('microphone_gone'));
    }
    return { stream, source };
  }

  #detach(): void {
    this.#microphone.source.disconnect();
    for (const track of this.#microphone.stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
  }

  #heard({ pcm, rms }: { pcm: ArrayBuffer; rms: number }): void {
    this.#level('input', this.muted ? 0 : meter(rms));
    if (!this.muted) this.#emitter.emit('sound', toBase64(new Uint8Array(pcm)));
  }

  #told({ rms, playing, played }: { rms?: number; playing?: boolean; played?: number }): void {
    const part = this.#parts.get(played ?? 0);
    if (part) part.item.playedMs += part.ms;
    this.#parts.delete(played ?? 0);
    if (rms !== undefined) this.#level('output', meter(rms));
    if (playing !== undefined && this.#parts.size === 0) this.#setPlaying(playing);
  }

  #level(side: keyof Levels, level: number): void {
    this.#levels = { ...this.#levels, [side]: level };
    this.#emitter.emit('levels', this.#levels);
  }

  #setPlaying(playing: boolean): void {
    if (this.#playing === playing) return;
    this.#playing = playing;
    this.#emitter.emit('playing', playing);
  }
}

/** A context at the session's rate; at the device's own where the browser can't join the two. */
function contextFor(stream: MediaStream): AudioContext {
  const context = new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' });
  try {
    context.createMediaStreamSource(stream).disconnect();
    return context;
  } catch {
    // Older Firefox: the worklet changes the rate instead.
    void context.close();
    return new AudioContext({ latencyHint: 'interactive' });
  }
}
