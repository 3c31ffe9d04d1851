import { describe, expect, it, vi } from 'vitest';
import { pass, stage } from './support.js';

const SEEDS = 60;
const STEPS = 25;

/** Repeatable draws, so that a schedule that fails can be run again. */
function draws(seed: number): (below: number) => number {
  let state = seed * 2654435761;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0;
    return (state >>> 8) % below;
  };
}

/** A conversation that is cut, replaced and refused at any point. */
async function converse(seed: number): Promise<void> {
  const draw = draws(seed);
  const all = stage({ secretSeconds: 60 }, { directRenewal: draw(2) === 0 ? 'replace' : 'renew', maxTurnWaitMs: 3000 });
  const { server, session } = all;
  await session.start();
  const said: string[] = [];
  let sound = 0;
  for (let step = 0; step < STEPS && session.status !== 'closed'; step++) {
    const words = `words ${step} of ${seed}`;
    const speaking = session.status === 'open' || session.status === 'renewing';
    switch (draw(8)) {
      case 0:
      case 1:
        if (speaking) server.open[0]?.say(words), said.push(words);
        break;
      case 2:
        if (speaking) {
          server.open[0]?.hear(words);
          server.open[0]?.say(`re ${words}`);
          said.push(words, `re ${words}`);
        }
        break;
      case 3:
        for (const connection of server.open) connection.close([1006, 1001, 1011, 1012, 1013][draw(5)] ?? 1006);
        break;
      case 4:
        void session.replace();
        break;
      case 5:
        server.refuse({ path: '/refresh', status: 503, code: 'upstream_timeout', times: 1 });
        break;
      case 6:
        await pass(draw(60_000));
        break;
      case 7:
        if (session.status !== 'connecting') session.send({ type: 'input_audio_buffer.append', audio: `sound${sound++}` });
        break;
    }
    await pass(draw(400));
  }
  await pass(120_000);
  expect(session.status, 'comes back from all of it').toBe('open');

  const shown = session.transcript.filter(({ interrupted }) => !interrupted).map(({ text }) => text);
  expect(shown.filter((text) => text.startsWith('words') || text.startsWith('re')), 'no word lost, doubled or out of place').toEqual(said);
  const told = server.open[0]?.told.filter((text) => text.startsWith('words') || text.startsWith('re'));
  expect(told, 'the model knows the same').toEqual(said);
  expect(server.open, 'one connection').toHaveLength(1);

  const heard = server.connections.flatMap(({ received }) => received.flatMap((event) => (event.type === 'input_audio_buffer.append' ? [event.audio] : [])));
  expect(new Set(heard).size, 'no sound goes to two connections').toBe(heard.length);
  session.stop();
}

describe('any schedule of faults', () => {
  it.each(Array.from({ length: SEEDS }, (_, seed) => seed))('keeps every word once and in order: %i', async (seed) => {
    vi.useFakeTimers({ now: new Date('2026-11-22T12:00:00Z') });
    const draw = draws(seed + 1000);
    vi.spyOn(Math, 'random').mockImplementation(() => draw(1000) / 1000);
    try {
      await converse(seed);
    } finally {
      vi.useRealTimers();
    }
  });
});
