// Seals sessions as NextAuth v4 and Auth.js v5 do, with jose as they use it.
import { hkdfSync } from 'node:crypto';
import { EncryptJWT, base64url, calculateJwkThumbprint } from 'jose';

/** How each library derives its key (next-auth 4.24, @auth/core 0.41). */
export const FORMATS = {
  'next-auth-v4': {
    cookie: 'next-auth.session-token',
    enc: 'A256GCM',
    bytes: 32,
    derivation: () => ['', 'NextAuth.js Generated Encryption Key'],
  },
  'authjs-v5': {
    cookie: 'authjs.session-token',
    enc: 'A256CBC-HS512',
    bytes: 64,
    derivation: (cookie) => [cookie, `Auth.js Generated Encryption Key (${cookie})`],
  },
};

/** The key of a secret. */
export function sessionKey(format, secret) {
  const { cookie, bytes, derivation } = FORMATS[format];
  const [salt, info] = derivation(cookie);
  return new Uint8Array(hkdfSync('sha256', secret, salt, info, bytes));
}

/** The value of a session cookie. */
export async function seal(format, secret, claims) {
  const key = sessionKey(format, secret);
  const { enc } = FORMATS[format];
  const header = { alg: 'dir', enc };
  if (format === 'authjs-v5') {
    header.kid = await calculateJwkThumbprint({ kty: 'oct', k: base64url.encode(key) }, 'sha512');
  }
  return new EncryptJWT(claims).setProtectedHeader(header).encrypt(key);
}
