"""OpenAI's own Python package against a running `hallpass dev`, unchanged but
for its base URL: it gets a client secret, holds a conversation through the
relay, is ended by a revocation, and tells its user why."""

import asyncio
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import urllib.request

from openai import APIStatusError, AsyncOpenAI, OpenAI
from websockets.exceptions import ConnectionClosed

MODEL = "gpt-realtime-2.1"
TURNS = 3
DEADLINE_SECONDS = 30


class Dev:
    """A broker with a simulated OpenAI, on free ports."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hallpass-pypi-")
        command = [os.environ["HALLPASS_BIN"], "dev", "--port", "0", "--data-dir", self.folder.name]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while "is ready" not in (line := self.process.stdout.readline()):
            if not line:
                raise RuntimeError("hallpass dev ended before it was ready")
        written = pathlib.Path(self.folder.name, "dev.json").read_text(encoding="utf-8")
        self.file = json.loads(written)

    def stop(self):
        self.process.terminate()
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait()
        self.folder.cleanup()

    def post(self, address, key, body):
        """The answer to a JSON request."""
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
            return json.load(answer)

    def mint(self):
        """A pass of relay mode, as a page's backend gets it."""
        url = f"{self.file['url']}/api/generate-client-secret"
        return self.post(url, self.file["api_key"], {"mode": "relay"})

    def revoke(self, grant):
        url = f"{self.file['admin_url']}/api/admin/revocations"
        return self.post(url, self.file["admin_key"], {"kind": "grant", "target": grant["id"]})


async def turn(connection, number):
    """Says something and waits for the whole response."""
    content = [{"type": "input_text", "text": f"Turn {number}."}]
    item = {"type": "message", "role": "user", "content": content}
    await connection.conversation.item.create(item=item)
    await connection.response.create()
    async for event in connection:
        if event.type == "response.done":
            return event.response
    raise AssertionError("the session ended within a turn")


class OfficialPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dev = Dev()
        cls.addClassCleanup(cls.dev.stop)

    def client(self, key):
        return OpenAI(api_key=key, base_url=f"{self.dev.file['url']}/v1", max_retries=0)

    def test_client_secrets_create_answers_with_only_the_base_url_changed(self):
        with self.client(self.dev.file["api_key"]) as client:
            secret = client.realtime.client_secrets.create(session={"type": "realtime", "model": MODEL})
        self.assertTrue(secret.value.startswith("ek_"))
        self.assertEqual(secret.session.model, MODEL)

    def test_a_refusal_is_its_own_kind_of_error_and_says_what_to_do(self):
        with self.client("hp_svc_wrong") as client, self.assertRaises(APIStatusError) as refused:
            client.realtime.client_secrets.create()
        self.assertEqual(refused.exception.status_code, 401)
        self.assertTrue(refused.exception.code)
        self.assertTrue(refused.exception.request_id)

    def test_a_conversation_is_held_and_ended_by_a_revocation_that_is_told(self):
        asyncio.run(asyncio.wait_for(self.converse(), DEADLINE_SECONDS))

    async def converse(self):
        grant = self.dev.mint()
        address = f"{self.dev.file['url']}/v1"
        async with AsyncOpenAI(api_key=grant["value"], base_url=address) as client:
            async with client.realtime.connect(model=MODEL) as connection:
                created = await connection.recv()
                self.assertEqual(created.type, "session.created")
                for number in range(TURNS):
                    response = await turn(connection, number)
                    self.assertEqual(response.status, "completed")
                    self.assertGreater(response.usage.total_tokens, 0)
                revoked = await asyncio.to_thread(self.dev.revoke, grant)
                self.assertEqual(revoked["sessions_ended"], 1)
                await self.see_the_end(connection)

    async def see_the_end(self, connection):
        codes = []
        with self.assertRaises(ConnectionClosed) as closed:
            while True:
                event = await connection.recv()
                codes.append(event.error.code if event.type == "error" else event.type)
        self.assertEqual(codes[-1], "revoked", codes)
        self.assertEqual(closed.exception.rcvd.code, 1008)
        self.assertIn("revoked", closed.exception.rcvd.reason)


if __name__ == "__main__":
    unittest.main()
