// Alerts, received by a server that checks them with the library of Standard Webhooks.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { startServe } from './hallpass.mjs';

const SECRETS = [0, 1].map(() => `whsec_${randomBytes(32).toString('base64')}`);

/** A receiver that keeps the raw messages it was sent. */
async function receiver() {
  const messages = [];
  let heard = () => {};
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      messages.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(204).end();
      heard();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  /** Resolves with the messages once there are so many. */
  const many = async (count) => {
    while (messages.length < count) await new Promise((resolve) => (heard = resolve));
    return messages;
  };
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, many, stop };
}

let hook, house;

before(async () => {
  hook = await receiver();
  house = await startServe((upstream) => `
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[[upstream]]
base_url = "${upstream}/v1"
[[auth.jwt]]
name = "app"
issuer = "https://app.example.test"
audience = "hallpass"
algorithms = ["HS256"]
secret = "${randomBytes(32).toString('hex')}"
[auth]
default_role = "person"
[profiles.interview]
session = { type = "realtime", model = "gpt-realtime-2.1" }
[roles.person]
profiles = ["interview"]
permissions = ["grants:create"]
[alerts]
look_ms = 50
[[alerts.rule]]
name = "refusals_burst"
window_seconds = 1
[[alerts.webhook]]
name = "ops"
url = "${hook.url}"
secret = "${SECRETS.join(' ')}"
allow_private_addresses = true
`);
});

after(async () => {
  await house?.stop();
  hook?.stop();
});

test('the library of Standard Webhooks accepts what is sent, under either secret', async () => {
  for (let refused = 0; refused < 25; refused++) {
    const answer = await fetch(`${house.url}/api/generate-client-secret`, { method: 'POST' });
    assert.equal(answer.status, 401);
  }
  const messages = await hook.many(2);
  const types = messages.map(({ headers, body }) => {
    for (const secret of SECRETS) {
      const event = new Webhook(secret).verify(body, headers);
      assert.equal(event.data.rule, 'refusals_burst');
    }
    assert.throws(() => new Webhook(`whsec_${randomBytes(32).toString('base64')}`).verify(body, headers));
    assert.throws(() => new Webhook(SECRETS[0]).verify(body.replace('refusals', 'refusal'), headers));
    return JSON.parse(body).type;
  });
  assert.deepEqual(types, ['alert.started', 'alert.ended']);
});
