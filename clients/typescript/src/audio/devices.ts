import { DeviceError } from '../errors.js';

/** A microphone to choose. */
export interface InputDevice {
  id: string;
  /** Empty until the user has allowed a microphone once. */
  label: string;
}

/** The microphones there are. */
export async function inputDevices(): Promise<InputDevice[]> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return all.filter(({ kind, deviceId }) => kind === 'audioinput' && deviceId).map(({ deviceId, label }) => ({ id: deviceId, label }));
}

/** Asks the user for the microphone; a refusal is a `DeviceError` a person understands. */
export async function openMicrophone(deviceId?: string): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw trouble('insecure_page');
  const audio: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  if (deviceId) audio.deviceId = { exact: deviceId };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw deviceError(error);
  }
}

const CODES: Record<string, keyof typeof WORDS> = {
  NotAllowedError: 'microphone_denied',
  SecurityError: 'microphone_denied',
  NotFoundError: 'microphone_missing',
  NotReadableError: 'microphone_busy',
  AbortError: 'microphone_busy',
  OverconstrainedError: 'microphone_gone',
};

const WORDS = {
  microphone_denied: [
    'The microphone is blocked. Allow it in the browser’s address bar, then try again.',
    'getUserMedia was refused: by the user, the system, or a Permissions-Policy.',
  ],
  microphone_missing: ['No microphone was found. Please connect one.', 'getUserMedia found no audio input.'],
  microphone_busy: ['The microphone is used by another program.', 'The device could not be started.'],
  microphone_gone: [
    'The microphone is not there any more. Please choose another.',
    'It was unplugged, or its deviceId is unknown.',
  ],
  insecure_page: ['The microphone only works on a secure page.', 'getUserMedia needs https or localhost.'],
  audio_unavailable: [
    'Sound could not be started on this device.',
    'AudioWorklet failed to load: is workletUrl right, and allowed by script-src?',
  ],
} as const;

/** A trouble with a device, in words that help. */
export function trouble(code: keyof typeof WORDS, cause?: unknown): DeviceError {
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : undefined;
  return new DeviceError(code, { detail: name, words: WORDS[code] });
}

/** The browser's error in words that help. */
export function deviceError(error: unknown): DeviceError {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  return trouble(CODES[name] ?? 'audio_unavailable', error);
}
