// OpenAI's own packages through the relay, unchanged: a conversation of several
// turns, ended by a revocation that they are told of.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDev } from './dev.mjs';
import { converse } from './relay-session.mjs';

let dev;

before(async () => {
  dev = await startDev();
});

after(() => dev?.stop());

async function post(url, key, body) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return answer.json();
}

const mint = () => post(`${dev.url}/api/generate-client-secret`, dev.api_key, { mode: 'relay' });

const revoke = (grant) =>
  post(`${dev.admin_url}/api/admin/revocations`, dev.admin_key, { kind: 'grant', target: grant.id });

/** OpenAI's side of the session that is live. */
async function upstreamSession() {
  const live = await (await fetch(`${dev.upstream_url}/_sim/sessions`)).json();
  assert.equal(live.length, 1);
  return live[0];
}

describe('through the relay', () => {
  test('OpenAIRealtimeWS talks over TLS, is ended, and shows why', async () => {
    const grant = await mint();
    let upstream;
    const turnsDone = async () => {
      upstream = await upstreamSession();
      assert.equal((await revoke(grant)).sessions_ended, 1);
    };

    const learnt = await converse({
      sdk: 'openai',
      secret: grant.value,
      url: dev.tls_url,
      ca: dev.ca_file,
      turnsDone,
    });

    assert.equal(upstream.responses, 3);
    assert.deepEqual(learnt.errors, ['revoked']);
    assert.equal(learnt.code, 1008);
    assert.match(learnt.reason, /revoked/);
  });

  test('the Agents SDK talks, stays pinned, and shows why it ended', async () => {
    const grant = await mint();
    let upstream;
    const turnsDone = async ({ updates }) => {
      assert.ok(updates.length > 0, 'its session.update was answered');
      upstream = await upstreamSession();
      assert.equal((await revoke(grant)).sessions_ended, 1);
    };

    const learnt = await converse({
      sdk: 'agents',
      secret: grant.value,
      url: dev.url,
      ca: dev.ca_file,
      turnsDone,
    });

    assert.ok(upstream.session.instructions.startsWith('You are a friendly'), 'the profile’s, not the page’s');
    assert.ok(learnt.errors.includes('revoked'), JSON.stringify(learnt));
  });
});
