import type { CallMedia } from '../call.js';
import { Emitter } from '../emitter.js';
import type { DeviceError } from '../errors.js';
import { openMicrophone, trouble } from './devices.js';
import { meter } from './pcm.js';
import type { Levels } from './voice.js';

/** How often levels are read, in milliseconds. */
const EVERY_MS = 50;

/** Microphone and speaker of a WebRTC call: the browser's own tracks, with levels. */
export class CallVoice implements CallMedia {
  readonly on: Emitter<{ levels: Levels; lost: DeviceError }>['on'];
  #emitter = new Emitter<{ levels: Levels; lost: DeviceError }>();
  #context: AudioContext = new AudioContext();
  #element: HTMLAudioElement = new Audio();
  #input: AnalyserNode = this.#context.createAnalyser();
  #output: AnalyserNode = this.#context.createAnalyser();
  #stream: MediaStream;
  #muted = false;
  /** Tracks given to calls. */
  #given = new Set<MediaStreamTrack>();
  #timer: ReturnType<typeof setInterval>;

  private constructor(stream: MediaStream) {
    this.on = (name, listener) => this.#emitter.on(name, listener);
    this.#stream = stream;
    this.#element.autoplay = true;
    this.#watch(stream, this.#input);
    this.#timer = setInterval(() => this.#emitter.emit('levels', { input: loudness(this.#input), output: loudness(this.#output) }), EVERY_MS);
  }

  /** Asks for the microphone. */
  static async open(deviceId?: string): Promise<CallVoice> {
    return new CallVoice(await openMicrophone(deviceId));
  }

  async microphone(): Promise<MediaStreamTrack> {
    if (this.#stream.getAudioTracks()[0]?.readyState !== 'live') this.#stream = await openMicrophone();
    const [track] = this.#stream.clone().getAudioTracks();
    if (!track) throw trouble('microphone_missing');
    track.enabled = !this.#muted;
    this.#given.add(track);
    return track;
  }

  speaker(stream: MediaStream): void {
    this.#element.srcObject = stream;
    void this.#element.play().catch(() => undefined);
    void this.#context.resume();
    this.#watch(stream, this.#output);
  }

  /** Lets the microphone through, or not. */
  mute(muted: boolean): void {
    this.#muted = muted;
    for (const track of this.#given) track.enabled = !muted;
  }

  /** Lets go of both. */
  close(): void {
    clearInterval(this.#timer);
    for (const track of [...this.#stream.getTracks(), ...this.#given]) track.stop();
    this.#element.srcObject = null;
    this.#emitter.clear();
    void this.#context.close().catch(() => undefined);
  }

  #watch(stream: MediaStream, analyser: AnalyserNode): void {
    this.#context.createMediaStreamSource(stream).connect(analyser);
  }
}

function loudness(analyser: AnalyserNode): number {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return meter(Math.sqrt(sum / samples.length));
}
