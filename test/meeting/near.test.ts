/** Showing oneself to others nearby, against a scripted server: lost connections, and servers that misbehave. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { keepNear } from '../../src/meeting/near.ts';
import type { Dial, WireEvents } from '../../src/meeting/ports.ts';
import { VirtualClock } from '../virtual-clock.ts';

const ME = { token: 'ab'.repeat(16), name: 'Anna' };
const [ben, carl] = [
  { id: '11'.repeat(8), name: 'Ben' },
  { id: '22'.repeat(8), name: 'Carl' },
];
const nearby = (...devices: object[]) => JSON.stringify({ t: 'nearby', v: 2, devices });
const called = (from: object, nameplate?: unknown) => JSON.stringify({ t: 'called', from, nameplate });

/** Answers the nth `near` with the nth answer, the last one again and again. */
function world(...answers: string[]) {
  const clock = new VirtualClock();
  const said: string[] = [];
  const wires: WireEvents[] = [];
  const events: string[] = [];
  const dial: Dial = async (on) => {
    wires.push(on);
    const answer = answers[Math.min(wires.length, answers.length) - 1]!;
    return {
      send(text) {
        const { t, to, nameplate } = JSON.parse(text);
        if (t === 'near') queueMicrotask(() => on.text(answer));
        else said.push(`${to.slice(0, 2)} ${nameplate ?? 'no more'}`);
      },
      close() {},
    };
  };
  const near = keepNear(
    dial,
    ME,
    {
      nearby: (devices) => events.push(devices ? `[${devices.map(({ name }) => name)}]` : 'away'),
      called: (from, nameplate) => events.push(`${from.name} ${nameplate ?? 'no more'}`),
      refused: (error) => events.push(error.reason ?? error.code),
    },
    clock,
  );
  return {
    ...{ clock, near, wires },
    tell: (text: string) => wires.at(-1)!.text(text),
    heard: () => events.splice(0),
    said: () => said.splice(0),
  };
}

test('it tells who is near, and who calls', async () => {
  const { clock, near, tell, heard } = world(nearby(ben));
  await clock.pass(0);
  tell(called(ben, '7'));
  tell(called(ben));
  tell(nearby(ben, carl));
  assert.deepEqual(heard(), ['[Ben]', 'Ben 7', 'Ben no more', '[Ben,Carl]']);
  near.close();
});

test('a call is said again when either of the two has come back, and not once it is over', async () => {
  const { clock, near, wires, tell, heard, said } = world(nearby(ben));
  await clock.pass(0);
  near.call(ben.id, '7');
  tell(nearby());
  tell(nearby(ben));
  tell(nearby(ben, carl));
  assert.deepEqual(said(), ['11 7', '11 7']);
  wires[0]!.closed(new BeelineError('SERVER', 'gone'));
  await clock.pass(3000);
  assert.equal(wires.length, 2);
  assert.deepEqual(said(), ['11 7']);
  near.call(carl.id, '8');
  near.call(carl.id, undefined);
  tell(nearby());
  tell(nearby(ben, carl));
  assert.deepEqual(said(), ['11 no more', '22 8', '22 no more']);
  assert.ok(heard().includes('away'));
  near.close();
  await clock.pass(3_600_000);
  assert.equal(wires.length, 2);
});

test('a server that does not do this, or has no room, is asked no more', async () => {
  for (const [code, reason] of [
    ['REFUSED', 'NEAR_UNKNOWN'],
    ['CROWDED', 'NEAR_FULL'],
    ['PROTOCOL', undefined],
  ]) {
    const { clock, wires, heard } = world(JSON.stringify({ t: 'refused', code, reason, message: 'no' }));
    await clock.pass(3_600_000);
    assert.deepEqual(heard(), [reason ?? code]);
    assert.equal(wires.length, 1);
  }
});

test('protects from: a server that lies about who is near: lists without end, names that steer a screen, calls of nobody', async () => {
  for (const bad of [
    nearby(...Array.from({ length: 17 }, () => ben)),
    nearby({ ...ben, name: 'B\u202een' }),
    nearby({ ...ben, name: 'x'.repeat(1000) }),
    nearby({ ...ben, id: '<img>' }),
    nearby({ ...ben, ip: '192.0.2.1' }),
    called(ben, '7'),
    called(ben, `d${'a'.repeat(15)}`),
    'nonsense',
  ]) {
    const { clock, heard } = world(bad);
    await clock.pass(60_000);
    const told = heard();
    assert.equal(told.length, 1, bad.slice(0, 80));
    assert.match(told[0]!, /^(RENDEZVOUS_MALFORMED|SERVER_MISBEHAVES)$/);
  }
});
