/*
 * Runs on the audio thread, as a file of its own: a page with a strict
 * Content-Security-Policy loads no script from a blob. It imports nothing.
 */

declare const sampleRate: number;
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

/** The session's rate; a device that has another is met half way. */
const RATE = 24_000;

/** Samples of one message: 40 ms. */
const CHUNK = 960;

/** How often the player tells what it has played, in samples. */
const TELL = 1200;

function rms(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

/**
 * Changes the rate of a stream by drawing lines between samples; when it goes
 * down, each sample is the mean of those it stands for.
 */
class Resampler {
  readonly #step: number;
  #position = 0;
  #last = 0;
  #sum = 0;
  #count = 0;

  constructor(from: number, to: number) {
    this.#step = from / to;
  }

  run(input: Float32Array, out: (sample: number) => void): void {
    if (this.#step === 1) return input.forEach(out);
    for (const sample of input) {
      if (this.#step > 1) {
        this.#sum += sample;
        this.#count++;
        this.#position += 1;
        if (this.#position < this.#step) continue;
        this.#position -= this.#step;
        out(this.#sum / this.#count);
        this.#sum = this.#count = 0;
      } else {
        for (; this.#position < 1; this.#position += this.#step) out(this.#last + (sample - this.#last) * this.#position);
        this.#position -= 1;
        this.#last = sample;
      }
    }
  }
}

/** The microphone: PCM16 in messages of 40 ms, each with its level. */
class Capture extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, RATE);
  #chunk = new Int16Array(CHUNK);
  #filled = 0;
  #squares = 0;

  process([input]: Float32Array[][]): boolean {
    const channel = input?.[0];
    if (channel) this.#resampler.run(channel, (sample) => this.#take(sample));
    return true;
  }

  #take(sample: number): void {
    const held = Math.max(-1, Math.min(1, sample));
    this.#chunk[this.#filled++] = held < 0 ? held * 0x8000 : held * 0x7fff;
    this.#squares += held * held;
    if (this.#filled < CHUNK) return;
    const { buffer } = this.#chunk;
    this.port.postMessage({ pcm: buffer, rms: Math.sqrt(this.#squares / CHUNK) }, [buffer]);
    this.#chunk = new Int16Array(CHUNK);
    this.#filled = this.#squares = 0;
  }
}

interface Part {
  id: number;
  samples: Float32Array;
  at: number;
}

/** The player: a queue of sound, and what of it was heard. */
class Playback extends AudioWorkletProcessor {
  #queue: Part[] = [];
  #untold = 0;
  #squares = 0;
  #playing = false;
  #resampler = new Resampler(RATE, sampleRate);

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<{ samples?: Float32Array; id?: number; clear?: boolean }>) => {
      if (data.clear) {
        this.#queue = [];
        this.#resampler = new Resampler(RATE, sampleRate);
      }
      if (data.samples) this.#push(data.samples, data.id ?? 0);
    };
  }

  #push(samples: Float32Array, id: number): void {
    if (sampleRate === RATE) return void this.#queue.push({ id, samples, at: 0 });
    const changed: number[] = [];
    this.#resampler.run(samples, (sample) => changed.push(sample));
    this.#queue.push({ id, samples: Float32Array.from(changed), at: 0 });
  }

  process(_inputs: Float32Array[][], [output]: Float32Array[][]): boolean {
    const channel = output?.[0];
    if (!channel) return true;
    const wasPlaying = this.#playing;
    let filled = 0;
    while (filled < channel.length && this.#queue[0]) {
      const part = this.#queue[0];
      const taken = part.samples.subarray(part.at, part.at + channel.length - filled);
      channel.set(taken, filled);
      filled += taken.length;
      part.at += taken.length;
      if (part.at >= part.samples.length) this.#finish(this.#queue.shift());
    }
    for (const other of output.slice(1)) other.set(channel);
    this.#playing = this.#queue.length > 0;
    this.#tell(channel, wasPlaying);
    return true;
  }

  #finish(part: Part | undefined): void {
    if (part) this.port.postMessage({ played: part.id });
  }

  #tell(channel: Float32Array, wasPlaying: boolean): void {
    this.#untold += channel.length;
    this.#squares = Math.max(this.#squares, rms(channel));
    if (this.#untold < TELL && wasPlaying === this.#playing) return;
    this.port.postMessage({ rms: this.#squares, playing: this.#playing });
    this.#untold = this.#squares = 0;
  }
}

registerProcessor('hallpass-capture', Capture);
registerProcessor('hallpass-playback', Playback);

export {};
