/** OpenAI's rate, in samples a second. */
export const RATE = 24_000;

/** Bytes to base64. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  // In parts: an argument list of any length is not to be had.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** Base64 of PCM16, little end first, to samples from -1 to 1. */
export function toSamples(base64: string): Float32Array<ArrayBuffer> {
  const text = atob(base64);
  const samples = new Float32Array(text.length >> 1);
  for (let at = 0; at < samples.length; at++) {
    const value = text.charCodeAt(2 * at) | (text.charCodeAt(2 * at + 1) << 8);
    samples[at] = (value >= 0x8000 ? value - 0x10000 : value) / 0x8000;
  }
  return samples;
}

/** A meter's height, 0 to 1, of a root mean square: a logarithm, as ears hear. */
export function meter(rms: number): number {
  const decibels = 20 * Math.log10(Math.max(rms, 1e-6));
  return Math.min(1, Math.max(0, (decibels + 60) / 54));
}
