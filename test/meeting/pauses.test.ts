/** How soon those come back who have lost a server, on a clock of the test's own. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { realClock } from '../../src/base/clock.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { Dials } from '../../src/lanes/dials.ts';
import { keepMailbox } from '../../src/meeting/keeper.ts';
import type { Dial, WireEvents } from '../../src/meeting/ports.ts';
import type { Path } from '../../src/transports/path.ts';
import { RelayListener } from '../../src/transports/relay/links.ts';
import { encodeRendezvous, NO_SERVICES, type ServerMessage } from '../../src/wire/rendezvous.ts';

const STEP = 50;
const joined: ServerMessage = { t: 'joined', v: 2, token: 'f'.repeat(32), services: NO_SERVICES };
const nobody: ServerMessage = { t: 'refused', code: 'NO_PEER', message: 'Nobody.' };

/** Time that goes on only when it is told to, in steps between which all that is ready runs. */
function clock(t: TestContext) {
  let now = 1000;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => now);
  // Every pause as long as it can be.
  t.mock.method(Math, 'random', () => 1);
  const turns = async () => {
    for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const pass = async (milliseconds: number) => {
    for (const end = now + milliseconds; now < end; ) {
      now += STEP;
      t.mock.timers.tick(STEP);
      await turns();
    }
  };
  return { now: () => now, turns, pass };
}

const longest = (times: number[]) => Math.max(...times.slice(1).map((time, index) => time - times[index]!));

test('a guest asks every second for a minute, and at once again when the server is back before the host', async (t) => {
  const { now, turns, pass } = clock(t);
  let server: 'there' | 'gone' | 'back' = 'there';
  const tries: number[] = [];
  let wire: WireEvents | undefined;
  const dial: Dial = async (events) => {
    tries.push(now());
    if (server === 'gone') throw new BeelineError('SERVER', 'gone');
    wire = events;
    return {
      send: (text) =>
        void (
          text.includes('"join"') &&
          queueMicrotask(() => events.text(encodeRendezvous(server === 'there' ? joined : nobody)))
        ),
      close: () => {},
    };
  };
  const silent = { onMessage: () => {}, onPeer: () => {}, onLost: () => {} };
  const guest = await keepMailbox(dial, { role: 'guest', nameplate: '7', deadline: 20_000, ...silent });
  await turns();
  tries.length = 0;
  server = 'gone';
  tries.push(now());
  wire!.closed(new BeelineError('SERVER', 'gone'));
  await pass(30_000);
  assert.ok(tries.length >= 30, `${tries.length}`);
  assert.ok(longest(tries) <= 1000 + 2 * STEP, tries.join());

  server = 'back';
  tries.length = 0;
  await pass(3000);
  // The first finds no host; the next come 0.25, 0.5 and 1 s later.
  const gaps = tries.slice(1, 4).map((time, index) => time - tries[index]!);
  assert.equal(gaps.length, 3, tries.join());
  for (const [index, gap] of gaps.entries()) assert.ok(gap <= 250 * 2 ** index + 2 * STEP, gaps.join());
  guest.close();
});

test('who waits at a relay that is gone tries every second for a minute, then less often', async (t) => {
  const { now, pass } = clock(t);
  const tries: number[] = [];
  const listener = new RelayListener({
    seat: () => ({ token: 'token', guest: 1 }),
    connect: async () => {
      tries.push(now());
      throw new BeelineError('NO_PATH', 'gone');
    },
  });
  await pass(60_000);
  assert.ok(longest(tries) <= 1000 + 2 * STEP, tries.join());
  await pass(120_000);
  const later = tries.filter((time) => time > 120_000);
  assert.ok(later.length <= 10, `${later.length}`);
  tries.length = 0;
  // A welcome of the server that is back.
  listener.refresh();
  await pass(1000);
  assert.ok(tries.length >= 2, `${tries.length}`);
  listener.close();
});

test('a path that failed while others carried is tried at once when they are gone', async (t) => {
  const { pass, turns } = clock(t);
  let tries = 0;
  const path: Path = {
    kind: 'relay',
    name: 'server',
    most: 4,
    open: async () => {
      tries++;
      throw new BeelineError('NO_PATH', 'gone');
    },
  };
  const dials = new Dials(
    realClock,
    () => assert.fail(),
    () => {},
  );
  dials.replace([path]);
  for (let i = 0; i < 60; i++) {
    dials.open({ kind: 'relay', tcp: false }, 0, 1, true);
    await pass(500);
  }
  const calm = tries;
  dials.open({ kind: 'relay', tcp: false }, 0, 1, true);
  await turns();
  assert.equal(tries, calm, 'it waits while others carry');
  dials.open({ kind: 'relay', tcp: false }, 0, 1, false);
  await turns();
  assert.equal(tries, calm + 1);
  dials.open({ kind: 'relay', tcp: false }, 0, 1, false);
  await turns();
  assert.equal(tries, calm + 1, 'and not again at once');
  dials.close();
});
