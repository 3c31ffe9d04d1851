// Whatever Hallpass accepts, jose accepts with the same claims.
//
// Thousands of tokens and sessions are made, good ones and mutated ones, and
// judged by `hallpass auth check` and by jose in this one process. Hallpass may
// be stricter; it may never be laxer. HALLPASS_SEED repeats a run.
import assert from 'node:assert/strict';
import { createHmac, createSecretKey, generateKeyPairSync, randomInt, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLocalJWKSet, jwtDecrypt, jwtVerify } from 'jose';
import { run } from './hallpass.mjs';
import { randomOf } from './random.mjs';
import { FORMATS, seal, sessionKey } from './session-cookie.mjs';

const TOKENS = 4000;
const SESSIONS = 2000;
const NOW = 1_795_348_800;
const AT = new Date(NOW * 1000).toISOString();
const ISSUER = 'https://issuer.example.test';
const AUDIENCE = 'hallpass';
const LEEWAY = { token: 30, session: 15 };

const seed = Number(process.env.HALLPASS_SEED ?? randomInt(2 ** 31));
const random = randomOf(seed);

const encode = (bytes) => Buffer.from(bytes).toString('base64url');

/** A key pair of each public kind, and the document of their public halves. */
function issuerKeys() {
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: generateKeyPairSync('ed25519'),
  };
  const keys = Object.entries(pairs).map(([alg, pair]) => ({
    ...pair.publicKey.export({ format: 'jwk' }),
    kid: `key-${alg}`,
    alg,
    use: 'sig',
  }));
  return { pairs, jwks: { keys } };
}

const { pairs, jwks } = issuerKeys();
const SECRET = encode(random.bytes(48));

/** Signs with the key of an algorithm, whatever the header says. */
function signature(alg, signed) {
  if (alg === 'HS256') return createHmac('sha256', SECRET).update(signed).digest();
  const key = pairs[alg].privateKey;
  if (alg === 'EdDSA') return sign(null, Buffer.from(signed), key);
  return sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
}

const ODD = [
  null, true, 0, -1, 1.5, '', ' ', 'none', 'x', [], {}, [''], ['hallpass'], [AUDIENCE, 7], NOW, NOW + 40,
  NOW - 40, String(NOW + 600), NOW * 1000, 1e300, '\u0000', 'é', 'a'.repeat(300), { a: { b: 1 } }, 'user-1',
];
const CLAIMS = ['iss', 'aud', 'sub', 'exp', 'nbf', 'iat', 'jti', 'roles', 'session_id', 'extra'];
const HEADER = ['alg', 'kid', 'typ', 'crit', 'b64', 'zip', 'enc', 'cty', 'jku', 'jwk', 'x5c', 'extra'];
const ALGS = ['RS256', 'ES256', 'EdDSA', 'HS256', 'none', 'rs256', 'PS256', 'ES384', 'Ed25519', 'RS256 '];
const TYPS = ['JWT', 'jwt', 'at+jwt', 'application/at+jwt', 'id+jwt', 'JOSE', ''];

function claims() {
  const base = { iss: ISSUER, aud: AUDIENCE, sub: `user-${random.below(99)}`, iat: NOW - 60, exp: NOW + 600 };
  if (random.chance(0.3)) base.aud = [AUDIENCE, 'other'];
  if (random.chance(0.3)) base.nbf = NOW - random.below(100);
  if (random.chance(0.3)) base.roles = ['candidate'];
  if (random.chance(0.3)) base.session_id = `interview-${random.below(9)}`;
  if (random.chance(0.2)) base.exp = NOW - LEEWAY.token - 2 + random.below(5);
  if (random.chance(0.2)) base.nbf = NOW + LEEWAY.token - 2 + random.below(5);
  if (random.chance(0.1)) base.iat = NOW + LEEWAY.token - 2 + random.below(5);
  return base;
}

/** JSON text of an object, sometimes written oddly. */
function written(object) {
  const text = JSON.stringify(object);
  if (random.chance(0.85)) return text;
  return random.pick([
    () => ` ${text}\n`,
    () => `${text}x`,
    () => `\ufeff${text}`,
    () => text.replace('{', `{${JSON.stringify(random.pick(Object.keys(object)))}:${JSON.stringify(random.pick(ODD))},`),
    () => text.replace('"sub"', '"\\u0073ub"'),
    () => text.replace('"alg"', '"\\u0061lg"'),
    () => text.replace(/\d+/, (digits) => `${digits}.0`),
    () => text.replace(/\d+/, (digits) => `${digits}e0`),
    () => text.replace(/\d+/, (digits) => `0${digits}`),
    () => text.slice(0, -1),
    () => text.replace(':', ' : '),
    () => `[${text}]`,
    () => text.replace('user', '\\ud800'),
  ])();
}

/** One part of an object changed. */
function shaken(object, names, special) {
  const name = random.pick(names);
  const changed = { ...object };
  if (random.chance(0.25)) delete changed[name];
  else changed[name] = random.chance(0.5) && special[name] ? random.pick(special[name]) : random.pick(ODD);
  return changed;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ';

/** One place of a finished token changed. */
function bent(token) {
  const at = random.below(token.length);
  const parts = token.split('.');
  return random.pick([
    () => token.slice(0, at) + random.pick(ALPHABET) + token.slice(at + 1),
    () => token.slice(0, at) + token.slice(at + 1),
    () => token.slice(0, at) + random.pick(ALPHABET) + token.slice(at),
    () => token.slice(0, at),
    () => `${token}${random.pick(['=', '.', ' ', 'A', '\t'])}`,
    () => `${random.pick([' ', '.', '='])}${token}`,
    () => parts.toReversed().join('.'),
    () => parts.with(random.below(parts.length), '').join('.'),
    () => [...parts, parts.at(-1)].join('.'),
    () => token.replaceAll('-', '+').replaceAll('_', '/'),
    // The unused bits of a last character, which a lax reader does not look at.
    () => parts.with(2, parts[2]?.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1)) ?? '').join('.'),
  ])();
}

/** The same signature in another form, which verifies or must not. */
function resigned(alg, bytes) {
  if (alg === 'ES256' && random.chance(0.5)) {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
    return Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  }
  return random.pick([Buffer.alloc(bytes.length), bytes.subarray(1), Buffer.concat([bytes, Buffer.alloc(1)]), random.bytes(64)]);
}

function token(config) {
  const signer = config === 'secret' ? 'HS256' : random.pick(['RS256', 'ES256', 'EdDSA']);
  let header = { alg: signer, kid: `key-${signer}`, typ: 'JWT' };
  if (config === 'secret' || random.chance(0.1)) delete header.kid;
  let payload = claims();
  const mutations = random.below(3);
  const form = mutations === 0 ? JSON.stringify : written;
  for (let done = 0; done < mutations; done += 1) {
    if (random.chance(0.4)) {
      const kids = ['key-RS256', 'key-ES256', 'key-EdDSA', 'key-HS256', '../../etc/passwd'];
      header = shaken(header, HEADER, { alg: ALGS, typ: TYPS, kid: kids, crit: [['exp'], ['b64'], []], b64: [false, true] });
    } else {
      payload = shaken(payload, CLAIMS, { iss: [`${ISSUER}/`, [ISSUER]], aud: ['HALLPASS', ['other']], roles: [['candidate', 7], 'admin'] });
    }
  }
  const signed = `${encode(form(header))}.${encode(form(payload))}`;
  const made = signature(signer, signed);
  const bytes = mutations > 0 && random.chance(0.1) ? resigned(signer, made) : made;
  const whole = `${signed}.${encode(bytes)}`;
  return { good: mutations === 0, text: mutations > 0 && random.chance(0.3) ? bent(whole) : whole };
}

async function session(format) {
  let payload = { name: 'A User', email: 'a@example.test', jti: 'x', ...claims() };
  if (random.chance(0.4)) payload = shaken(payload, CLAIMS, {});
  // jose's own encryption wants claims it knows to be of their types.
  for (const name of ['iss', 'aud', 'jti', 'exp', 'nbf', 'iat', 'sub']) {
    if (payload[name] !== undefined && typeof payload[name] === 'object') delete payload[name];
  }
  const whole = await seal(format, random.chance(0.9) ? SECRET : `${SECRET}\n`, payload);
  return { good: false, text: random.chance(0.4) ? bent(whole) : whole };
}

const configuration = `
[[auth.jwt]]
name = "keys"
issuer = "${ISSUER}"
audience = "${AUDIENCE}"
algorithms = ["RS256", "ES256", "EdDSA"]
jwks_file = "jwks.json"
leeway_seconds = ${LEEWAY.token}
claims = { roles = "roles", session_id = "session_id" }

[[auth.jwt]]
name = "secret"
issuer = "${ISSUER}"
audience = "${AUDIENCE}"
algorithms = ["HS256"]
secret = "${SECRET}"
leeway_seconds = ${LEEWAY.token}
claims = { roles = "roles", session_id = "session_id" }
${Object.keys(FORMATS)
  .map(
    (format) => `
[[auth.session_cookie]]
name = "${format}"
format = "${format}"
secrets = ["${SECRET}"]
leeway_seconds = ${LEEWAY.session}
roles = "roles"
`,
  )
  .join('')}`;

const currentDate = new Date(NOW * 1000);
/** RFC 9864 names the same algorithm anew; to jose a key has the one name or the other. */
const renamed = { keys: jwks.keys.map((key) => (key.alg === 'EdDSA' ? { ...key, alg: 'Ed25519' } : key)) };
const published = { old: createLocalJWKSet(jwks), new: createLocalJWKSet(renamed) };
const shared = createSecretKey(Buffer.from(SECRET));

/** The claims by jose, or why it refuses. */
async function byJose({ kind, text }) {
  const common = { currentDate, clockTolerance: LEEWAY.token, issuer: ISSUER, audience: AUDIENCE, requiredClaims: ['exp', 'sub'] };
  if (kind === 'token') {
    const header = () => JSON.parse(Buffer.from(text.split('.')[0], 'base64url').toString());
    let alg;
    try {
      ({ alg } = header());
    } catch {
      // jose says itself what is wrong with it.
    }
    const verified =
      alg === 'HS256'
        ? jwtVerify(text, shared, { ...common, algorithms: ['HS256'] })
        : jwtVerify(text, alg === 'Ed25519' ? published.new : published.old, {
            ...common,
            algorithms: ['RS256', 'ES256', 'EdDSA', 'Ed25519'],
          });
    return (await verified).payload;
  }
  const options = {
    currentDate,
    clockTolerance: LEEWAY.session,
    keyManagementAlgorithms: ['dir'],
    contentEncryptionAlgorithms: ['A256GCM', 'A256CBC-HS512'],
  };
  return (await jwtDecrypt(text, sessionKey(kind, SECRET), options)).payload;
}

function question({ kind, text }, id) {
  if (kind === 'token') return { id, authorization: `Bearer ${text}` };
  return { id, cookies: { [FORMATS[kind].cookie]: text } };
}

/** What jose read, as Hallpass tells a caller. */
function caller(kind, payload) {
  // A list with anything in it that is no role's name gives none.
  const named = Array.isArray(payload.roles) && payload.roles.every((role) => typeof role === 'string' && role !== '');
  const told = { subject: payload.sub, roles: named ? payload.roles : [] };
  return kind === 'token' ? { ...told, session_id: payload.session_id ?? null } : told;
}

test(`whatever hallpass accepts, jose accepts with the same claims (HALLPASS_SEED=${seed})`, async (t) => {
  const cases = [];
  for (let made = 0; made < TOKENS; made += 1) {
    cases.push({ kind: 'token', ...token(random.chance(0.25) ? 'secret' : 'keys') });
  }
  for (let made = 0; made < SESSIONS; made += 1) {
    const kind = random.pick(Object.keys(FORMATS));
    cases.push({ kind, ...(await session(kind)) });
  }
  const folder = await mkdtemp(join(tmpdir(), 'hallpass-jose-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'jwks.json'), JSON.stringify(jwks));
  const file = join(folder, 'auth.toml');
  await writeFile(file, configuration);

  const lines = cases.map((one, id) => JSON.stringify(question(one, id))).join('\n');
  const printed = await run(['auth', 'check', '--config', file, '--at', AT], `${lines}\n`);
  const verdicts = printed.trim().split('\n').map((line) => JSON.parse(line));

  assert.equal(verdicts.length, cases.length);
  const count = { both: 0, neither: 0, stricter: 0 };
  for (const { id, verdict, reason, caller: told } of verdicts) {
    const { kind, text, good } = cases[id];
    const about = `HALLPASS_SEED=${seed} ${kind} ${id} ${text}`;
    const { payload, error } = await byJose(cases[id]).then(
      (payload) => ({ payload }),
      (error) => ({ error }),
    );
    if (verdict === 'accept') {
      assert.ok(payload, `${about}: hallpass accepts, jose refuses: ${error}`);
      const expected = caller(kind, payload);
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(told[name], value, `${about}: ${name}`);
      count.both += 1;
    } else {
      // A good token is refused for its time alone.
      if (good) assert.match(reason, /^(expired|not_yet_valid|issued_in_future)$/, about);
      count[payload ? 'stricter' : 'neither'] += 1;
    }
  }
  t.diagnostic(`seed ${seed}: ${JSON.stringify(count)}`);
  assert.ok(count.both > 1000, `too few were accepted: ${JSON.stringify(count)}`);
  assert.ok(count.neither > 1000, `too few were refused: ${JSON.stringify(count)}`);
});
