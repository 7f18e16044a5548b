/** When direct lanes count as good enough to do without a relay: by what they carry beside it, and by what they carry alone. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import type { Dials } from '../../src/lanes/dials.ts';
import type { Lane } from '../../src/lanes/lane.ts';
import { Measure } from '../../src/lanes/measure.ts';
import { NODE_TRANSPORTS } from '../../src/transports/node.ts';

/** Seconds between looks, as the supervisor has them. */
const LOOK_S = 0.5;
/** Seconds that the relay needs for what it was asked for. */
const ASKED_S = 4;

const laneOf = (id: number, kind: string) =>
  ({ id, kind, relayed: kind === 'relay', received: 0, quiet: false, roundTrip: 20, spared: false }) as Lane;
const NO_DIALS = { paths: [] } as unknown as Dials;

interface Share {
  relay: number;
  direct: number;
}

/** Two lanes by the relay and two direct ones from second 3 on. `carries` tells bytes a second of each way. Ends once it is well. */
function run(carries: (spared: boolean) => Share, seconds: number) {
  let now = 0;
  const clock = { now: () => now * 1000 } as Clock;
  const measure = new Measure(clock, NODE_TRANSPORTS);
  const relay = [laneOf(1, 'relay'), laneOf(2, 'relay')];
  const direct = [laneOf(3, 'punched'), laneOf(4, 'punched')];
  let sparedFor = 0;
  let asked = ASKED_S;
  while (now < seconds && !measure.carriesWell) {
    now += LOOK_S;
    const both = now >= 3;
    // What it was asked for before still comes.
    asked = relay[0]!.spared ? asked - LOOK_S : ASKED_S;
    const spared = asked < 0;
    if (spared) sparedFor += LOOK_S;
    const { relay: byRelay, direct: byDirect } = carries(spared);
    const brings = (lanes: Lane[], rate: number) => {
      for (const each of lanes) (each as { received: number }).received += (rate * LOOK_S) / lanes.length;
    };
    if (!spared) brings(relay, both ? byRelay : 8e6);
    if (both) brings(direct, byDirect);
    measure.take(both ? [...relay, ...direct] : relay, NO_DIALS, true, false);
  }
  return { well: measure.carriesWell, now, sparedFor };
}

test('of one bottleneck before all lanes the relay has most, and is let go within seconds all the same', () => {
  const { well, now } = run(
    (spared) => (spared ? { relay: 0, direct: 8e6 } : { relay: 6e6, direct: 2e6 }),
    60,
  );
  assert.ok(well && now <= 3 + 2 + ASKED_S + 2, `well: ${well}, after ${now} s`);
});

test('direct lanes that carry little do not make the relay needless, and to try them costs little', () => {
  const { well, sparedFor } = run((spared) => ({ relay: spared ? 0 : 8e6, direct: 1e5 }), 600);
  assert.equal(well, false);
  assert.ok(sparedFor > 0 && sparedFor < 0.04 * 600, `spared for ${sparedFor} of 600 s`);
});

test('once direct lanes are gone the relay is not spared any more', () => {
  let now = 0;
  const measure = new Measure({ now: () => now * 1000 } as Clock, NODE_TRANSPORTS);
  const [relay, direct] = [laneOf(1, 'relay'), laneOf(2, 'punched')];
  const look = (...lanes: Lane[]) => {
    now += LOOK_S;
    (relay as { received: number }).received += relay.spared ? 0 : 4e6;
    measure.take(lanes, NO_DIALS, true, false);
  };
  look(relay);
  for (let i = 0; i < 20 && !relay.spared; i++) look(relay, direct);
  assert.ok(relay.spared);
  look(relay);
  assert.equal(relay.spared, false);
});
