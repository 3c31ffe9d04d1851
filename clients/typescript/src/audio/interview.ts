import type { Off } from '../emitter.js';
import type { Disconnection } from '../ends.js';
import type { Renewal, Restored, Status } from '../engine.js';
import { DeviceError, HallpassError } from '../errors.js';
import type { TranscriptEntry } from '../history.js';
import type { Usage } from '../reports.js';
import { noUsage } from '../reports.js';
import { HallpassSession, type SessionOptions } from '../session.js';
import type { Grant } from '../ticket.js';
import { CallVoice } from './call.js';
import { deviceError } from './devices.js';
import { Voice, type Levels } from './voice.js';

/** Where an interview stands, as a person would say it. */
export type Phase = 'idle' | 'microphone' | 'connecting' | 'live' | 'renewing' | 'reconnecting' | 'ended' | 'failed';

/** Everything a page shows of an interview; a new object for each change. */
export interface InterviewState {
  phase: Phase;
  status: Status;
  transcript: TranscriptEntry[];
  muted: boolean;
  /** Whether the model is heard speaking. */
  speaking: boolean;
  grant: Grant | undefined;
  /** Milliseconds since 1970; undefined until it began. */
  startedAt: number | undefined;
  endedAt: number | undefined;
  /** When the session ends by itself; later after a renewal. */
  endsAt: number | undefined;
  /** Renewals so far, the latest last. */
  renewals: readonly (Renewal & { at: number })[];
  /** What the last lost connection cost. */
  restored: Restored | undefined;
  usage: Usage;
  end: Disconnection | undefined;
  /** The last failure; its `userMessage` is for the person. */
  error: HallpassError | undefined;
}

/** How an interview is made. */
export interface InterviewOptions extends SessionOptions {
  /** Where the worklet's file is served: `@hallpass/client/worklet`. */
  workletUrl: string | URL;
  /** A microphone of `inputDevices()`. */
  deviceId?: string;
  /** Asks the model to begin; true. */
  greet?: boolean;
}

const SILENCE: Levels = { input: 0, output: 0 };

/** A session with a microphone and a speaker, as one thing a page can show. */
export class Interview {
  #options: InterviewOptions;
  #session: HallpassSession | undefined;
  #voice: Voice | undefined;
  #call: CallVoice | undefined;
  #state: InterviewState = blank();
  #levels: Levels = SILENCE;
  #watchers = new Set<() => void>();
  #listeners = new Set<(levels: Levels) => void>();
  #attempt = 0;

  constructor(options: InterviewOptions) {
    this.#options = options;
  }

  /** Other options, for the next start. */
  configure(options: InterviewOptions): void {
    this.#options = options;
  }

  get state(): InterviewState {
    return this.#state;
  }

  get levels(): Levels {
    return this.#levels;
  }

  /** The session of the interview that is on. */
  get session(): HallpassSession | undefined {
    return this.#session;
  }

  /** Calls back after each change of `state`; the answer ends it. */
  readonly watch = (watcher: () => void): Off => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  /** Calls back with the levels, some 25 times a second; the answer ends it. */
  readonly onLevels = (listener: (levels: Levels) => void): Off => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Asks for the microphone and connects. Never rejects: `state.error` says what failed. */
  readonly start = async (): Promise<void> => {
    if (!['idle', 'ended', 'failed'].includes(this.#state.phase)) return;
    const attempt = ++this.#attempt;
    this.#change({ ...blank(), phase: 'microphone' });
    try {
      await this.#open(attempt);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      const known = error instanceof HallpassError ? error : deviceError(error);
      this.#close();
      this.#change({ phase: 'failed', error: known, endedAt: Date.now() });
    }
  };

  readonly stop = (): void => {
    const begun = this.#session;
    this.#attempt++;
    begun?.stop();
    this.#close();
    if (!begun && this.#state.phase === 'microphone') this.#change({ phase: 'ended' });
  };

  readonly mute = (muted: boolean): void => {
    if (this.#voice) this.#voice.muted = muted;
    this.#call?.mute(muted);
    this.#change({ muted });
  };

  /** Changes the microphone while the interview goes on. */
  readonly useDevice = async (deviceId: string): Promise<void> => {
    this.#options = { ...this.#options, deviceId };
    try {
      await this.#voice?.useDevice(deviceId);
    } catch (error) {
      this.#change({ error: error instanceof DeviceError ? error : deviceError(error) });
    }
  };

  async #open(attempt: number): Promise<void> {
    const { mode, deviceId, workletUrl, greet = true } = this.#options;
    // A call's microphone is a track; a WebSocket's is a stream of samples.
    if (mode === 'call') this.#call = await CallVoice.open(deviceId);
    else this.#voice = await Voice.open({ workletUrl, deviceId });
    if (attempt !== this.#attempt) return this.#close();
    this.#change({ phase: 'connecting' });
    const media = this.#call ? { media: this.#call } : {};
    const session = new HallpassSession({ ...this.#options, ...media });
    this.#session = session;
    this.#follow(session);
    this.#hear(session);
    await session.start();
    if (greet) session.send({ type: 'response.create' });
  }

  #follow(session: HallpassSession): void {
    const mine = (): boolean => this.#session === session;
    session.on('status', (status) => mine() && this.#change({ status, grant: session.grant, ...phaseOf(status) }));
    session.on('transcript', (transcript) => mine() && this.#change({ transcript }));
    session.on('connected', ({ grant, session: { expires_at } }) => {
      const endsAt = expires_at ? expires_at * 1000 : undefined;
      this.#change({ grant, endsAt, startedAt: this.#state.startedAt ?? Date.now() });
    });
    // The operator's own limit comes before OpenAI's.
    session.on('hallpass.session', ({ ends_at }) => this.#change({ endsAt: ends_at * 1000 }));
    session.on('renewed', (renewal) => {
      const renewals = [...this.#state.renewals, { ...renewal, at: Date.now() }];
      this.#change({ renewals, error: undefined });
    });
    session.on('renewalFailed', ({ error }) => this.#change({ error }));
    session.on('reconnected', (restored) => this.#change({ restored, error: undefined }));
    session.on('response.done', () => this.#change({ usage: session.usage }));
    session.on('disconnected', (end) => {
      if (!mine()) return;
      const phase = end.error ? 'failed' : 'ended';
      this.#change({ phase, end, error: end.error, endedAt: Date.now(), speaking: false, usage: session.usage });
      this.#close();
    });
  }

  #hear(session: HallpassSession): void {
    this.#call?.on('levels', (levels) => this.#level(levels));
    const voice = this.#voice;
    if (!voice) return;
    session.isPlaying = () => voice.playing;
    voice.on('levels', (levels) => this.#level(levels));
    voice.on('playing', (speaking) => this.#change({ speaking }));
    voice.on('lost', (error) => this.#change({ error }));
    voice.on('sound', (audio) => {
      const ready = ['open', 'renewing', 'reconnecting'].includes(session.status);
      if (ready) session.send({ type: 'input_audio_buffer.append', audio });
    });
    session.on('response.output_audio.delta', ({ delta, item_id, content_index }) => voice.play(delta, item_id, content_index));
    session.on('input_audio_buffer.speech_started', () => {
      const cut = voice.interrupt();
      if (cut && session.status === 'open') {
        session.send({ type: 'conversation.item.truncate', item_id: cut.itemId, content_index: cut.contentIndex, audio_end_ms: cut.playedMs });
      }
    });
  }

  #close(): void {
    this.#voice?.close();
    this.#call?.close();
    this.#voice = this.#call = undefined;
    this.#level(SILENCE);
  }

  #change(change: Partial<InterviewState>): void {
    this.#state = { ...this.#state, ...change };
    for (const watcher of [...this.#watchers]) watcher();
  }

  #level(levels: Levels): void {
    this.#levels = levels;
    for (const listener of [...this.#listeners]) listener(levels);
  }
}

function blank(): InterviewState {
  return {
    phase: 'idle',
    status: 'idle',
    transcript: [],
    muted: false,
    speaking: false,
    grant: undefined,
    startedAt: undefined,
    endedAt: undefined,
    endsAt: undefined,
    renewals: [],
    restored: undefined,
    usage: noUsage(),
    end: undefined,
    error: undefined,
  };
}

function phaseOf(status: Status): { phase?: Phase } {
  if (status === 'open') return { phase: 'live' };
  if (status === 'renewing' || status === 'reconnecting' || status === 'connecting') return { phase: status };
  return {};
}
