// @vitest-environment happy-dom
import { act, cleanup, renderHook } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeviceError } from '../src/index.js';
import { useInterview, useLevels, type UseInterview } from '../src/react/index.js';
import { FakeHallpass } from '../src/testing/index.js';

/** A microphone and speaker that a test speaks with. */
const voices = vi.hoisted(() => {
  class FakeVoice {
    static all: FakeVoice[] = [];
    static refusal: Error | undefined;
    static async open(): Promise<FakeVoice> {
      if (FakeVoice.refusal) throw FakeVoice.refusal;
      const voice = new FakeVoice();
      FakeVoice.all.push(voice);
      return voice;
    }
    listeners = new Map<string, (event: unknown) => void>();
    muted = false;
    playing = false;
    closed = false;
    played: string[] = [];
    on(name: string, listener: (event: unknown) => void): () => void {
      this.listeners.set(name, listener);
      return () => this.listeners.delete(name);
    }
    tell(name: string, event: unknown): void {
      this.listeners.get(name)?.(event);
    }
    play(_delta: string, itemId: string): void {
      this.played.push(itemId);
      this.playing = true;
    }
    interrupt(): { itemId: string; contentIndex: number; playedMs: number } | undefined {
      const itemId = this.played.at(-1);
      this.playing = false;
      return itemId ? { itemId, contentIndex: 0, playedMs: 5 } : undefined;
    }
    close(): void {
      this.closed = true;
    }
  }
  return { FakeVoice };
});
vi.mock('../src/audio/voice.js', () => ({ Voice: voices.FakeVoice }));

const { FakeVoice } = voices;
let server: FakeHallpass;

beforeEach(() => {
  server = new FakeHallpass();
  FakeVoice.all = [];
  FakeVoice.refusal = undefined;
});
afterEach(cleanup);

function use(): { current: UseInterview } & { unmount(): void; rerender(): void } {
  const options = { ...server.options, workletUrl: '/w.js', greet: false };
  const { result, unmount, rerender } = renderHook(() => useInterview({ ...options }), { wrapper: StrictMode });
  return {
    get current() {
      return result.current;
    },
    unmount,
    rerender: () => rerender(),
  };
}

describe('useInterview', () => {
  it('goes from idle to live to ended, with one connection even in strict mode', async () => {
    const hook = use();
    expect(hook.current.phase).toBe('idle');
    await act(() => hook.current.start());
    expect(hook.current.phase).toBe('live');
    expect(server.connections).toHaveLength(1);
    act(() => server.connection.say('Hello there.'));
    expect(hook.current.transcript).toMatchObject([{ role: 'assistant', text: 'Hello there.', final: true }]);
    expect(hook.current.usage.total_tokens).toBe(30);
    expect(hook.current.timeLeftMs).toBeGreaterThan(3_590_000);
    act(() => hook.current.stop());
    expect(hook.current).toMatchObject({ phase: 'ended', end: { cause: 'client' } });
    expect(FakeVoice.all[0]?.closed).toBe(true);
  });

  it('keeps the identity of its functions, and does not reconnect for new options', async () => {
    const hook = use();
    const { start, stop, mute, useDevice } = hook.current;
    await act(() => hook.current.start());
    hook.rerender();
    expect(hook.current).toMatchObject({ start, stop, mute, useDevice });
    expect(server.connections).toHaveLength(1);
  });

  it('ends the interview when it is unmounted', async () => {
    const hook = use();
    await act(() => hook.current.start());
    hook.unmount();
    expect(server.open).toEqual([]);
    expect(FakeVoice.all[0]?.closed).toBe(true);
  });

  it('says what is wrong with the microphone, and can be started again', async () => {
    FakeVoice.refusal = new DeviceError('microphone_denied');
    const hook = use();
    await act(() => hook.current.start());
    expect(hook.current).toMatchObject({ phase: 'failed', error: { code: 'microphone_denied' } });
    expect(server.requests).toEqual([]);
    FakeVoice.refusal = undefined;
    await act(() => hook.current.start());
    expect(hook.current.phase).toBe('live');
  });

  it('shows a refusal, and lets the microphone go', async () => {
    server.refuse({ path: '/api/', status: 403, code: 'access_revoked' });
    const hook = use();
    await act(() => hook.current.start());
    expect(hook.current).toMatchObject({ phase: 'failed', error: { userMessage: 'Your access was withdrawn.' } });
    expect(FakeVoice.all[0]?.closed).toBe(true);
  });

  it('is stopped while it starts', async () => {
    const hook = use();
    await act(async () => {
      const started = hook.current.start();
      hook.current.stop();
      await started;
    });
    expect(hook.current.phase).toBe('ended');
    expect(server.connections).toEqual([]);
    expect(FakeVoice.all.every(({ closed }) => closed)).toBe(true);
  });

  it('passes sound both ways, and tells what was heard of an interrupted reply', async () => {
    const hook = use();
    await act(() => hook.current.start());
    const [voice] = FakeVoice.all;
    act(() => voice?.tell('sound', 'AAAA'));
    act(() => server.connection.begin().word('Once upon a time'));
    expect(voice?.played).toHaveLength(1);
    act(() => server.connection.emit({ type: 'input_audio_buffer.speech_started' }));
    expect(server.connection.received).toMatchObject([
      { type: 'input_audio_buffer.append', audio: 'AAAA' },
      { type: 'conversation.item.truncate', content_index: 0, audio_end_ms: 5 },
    ]);
  });

  it('mutes, and shows levels to those alone who ask', async () => {
    const hook = use();
    await act(() => hook.current.start());
    act(() => hook.current.mute(true));
    expect(hook.current.muted).toBe(true);
    expect(FakeVoice.all[0]?.muted).toBe(true);
    const before = hook.current;
    const { result } = renderHook(() => useLevels(hook.current.interview));
    act(() => FakeVoice.all[0]?.tell('levels', { input: 0.4, output: 0.1 }));
    expect(result.current).toEqual({ input: 0.4, output: 0.1 });
    expect(hook.current).toBe(before);
  });
});
