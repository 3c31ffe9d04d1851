import { afterEach, describe, expect, it, vi } from 'vitest';
import { inputDevices, openMicrophone, toBase64, toSamples } from '../src/audio/index.js';
import { deviceError } from '../src/audio/devices.js';
import { meter } from '../src/audio/pcm.js';

afterEach(() => vi.unstubAllGlobals());

describe('PCM16', () => {
  it('is read little end first', () => {
    expect([...toSamples(toBase64(Uint8Array.of(0, 0, 0xff, 0x7f, 0, 0x80)))]).toEqual([0, 32767 / 32768, -1]);
  });

  it('of any length becomes base64', () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => at % 256);
    expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
  });

  it('has a loudness between silence and full', () => {
    expect(meter(0)).toBe(0);
    expect(meter(1)).toBe(1);
    expect(meter(0.05)).toBeGreaterThan(0.5);
  });
});

describe('a microphone', () => {
  it.each([
    ['NotAllowedError', 'microphone_denied', 'The microphone is blocked.'],
    ['NotFoundError', 'microphone_missing', 'No microphone was found.'],
    ['NotReadableError', 'microphone_busy', 'used by another program'],
    ['OverconstrainedError', 'microphone_gone', 'not there any more'],
    ['WhateverError', 'audio_unavailable', 'Sound could not be started'],
  ])('that fails with %s is explained', (name, code, words) => {
    const error = deviceError(new DOMException('no', name));
    expect(error.code).toBe(code);
    expect(error.userMessage).toContain(words);
    expect(error.remedy).not.toBe('');
  });

  it('is asked for by its id, with echo cancelled', async () => {
    const getUserMedia = vi.fn(async () => ({}) as MediaStream);
    vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
    await openMicrophone('mic-2');
    expect(getUserMedia).toHaveBeenCalledWith({ audio: expect.objectContaining({ deviceId: { exact: 'mic-2' }, echoCancellation: true }) });
  });

  it('is not to be had on an insecure page', async () => {
    vi.stubGlobal('navigator', {});
    await expect(openMicrophone()).rejects.toMatchObject({ name: 'DeviceError', code: 'insecure_page' });
    expect(await inputDevices()).toEqual([]);
  });
});

describe('the worklet', () => {
  interface Processor {
    port: { postMessage(message: unknown): void; onmessage?: (event: { data: unknown }) => void };
    process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
  }

  /** Loads it as a browser's audio thread would, at this rate. */
  async function load(rate: number): Promise<{ make(name: string): Processor; told: Record<string, unknown>[] }> {
    const processors = new Map<string, new () => Processor>();
    const told: Record<string, unknown>[] = [];
    vi.stubGlobal('sampleRate', rate);
    vi.stubGlobal('registerProcessor', (name: string, made: new () => Processor) => processors.set(name, made));
    vi.stubGlobal('AudioWorkletProcessor', class { port = { postMessage: (message: Record<string, unknown>) => void told.push(message) }; });
    vi.resetModules();
    await import('../src/audio/worklet.js');
    return { told, make: (name) => new (processors.get(name) ?? (class {} as never))() };
  }

  const wave = (samples: number, rate: number, hertz = 440): Float32Array =>
    Float32Array.from({ length: samples }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / rate) / 2);

  it.each([24_000, 48_000, 44_100, 16_000])('captures 24 kHz from a device of %i Hz', async (rate) => {
    const { make, told } = await load(rate);
    const capture = make('hallpass-capture');
    const second = wave(rate, rate);
    for (let at = 0; at < rate; at += 128) capture.process([[second.subarray(at, at + 128)]], []);
    const pcm = told.flatMap(({ pcm: chunk }) => [...new Int16Array(chunk as ArrayBuffer)]);
    expect(pcm.length).toBeGreaterThan(23_000);
    expect(pcm.length).toBeLessThanOrEqual(24_000);
    // A tone of 440 Hz crosses zero 880 times a second, whatever the rate.
    const crossings = pcm.filter((sample, at) => at > 0 && sample >= 0 !== (pcm[at - 1] ?? 0) >= 0).length;
    expect((crossings * 24_000) / pcm.length).toBeGreaterThan(860);
    expect((crossings * 24_000) / pcm.length).toBeLessThan(900);
    expect(told[5]?.['rms']).toBeCloseTo(0.35, 1);
  });

  it('plays what it is given in order, tells what was heard, and falls silent at once', async () => {
    const { make, told } = await load(24_000);
    const playback = make('hallpass-playback');
    const play = (frames: number): number[] => {
      const output = new Float32Array(128 * frames);
      for (let at = 0; at < frames; at++) playback.process([], [[output.subarray(at * 128, at * 128 + 128)]]);
      return [...output];
    };
    playback.port.onmessage?.({ data: { samples: Float32Array.from({ length: 100 }, () => 0.5), id: 1 } });
    playback.port.onmessage?.({ data: { samples: Float32Array.from({ length: 100 }, () => 0.25), id: 2 } });
    const out = play(2);
    expect([out[0], out[99], out[100], out[199], out[200]]).toEqual([0.5, 0.5, 0.25, 0.25, 0]);
    expect(told.filter(({ played }) => played)).toEqual([{ played: 1 }, { played: 2 }]);
    expect(told.at(-1)).toMatchObject({ playing: false });
    playback.port.onmessage?.({ data: { samples: wave(10_000, 24_000), id: 3 } });
    play(1);
    playback.port.onmessage?.({ data: { clear: true } });
    expect(new Set(play(4))).toEqual(new Set([0]));
  });
});
