/** What one receiver of an offer may try on another that the origin introduces it to. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fault } from '../../src/base/errors.ts';
import { Lane } from '../../src/lanes/lane.ts';
import type { Neighbour } from '../../src/sync/members.ts';
import type { Message } from '../../src/wire/messages.ts';
import { helloOf } from '../hello.ts';
import { memoryPipes } from '../lanes/memory-pipe.ts';
import { boundless, introduce, LinkedProcess, type Places } from '../session/links.ts';
import { VirtualClock } from '../virtual-clock.ts';

const HOSTILE = 'e'.padEnd(64, '0');

/** Two honest receivers that are linked, and what a third says to one of them. */
async function world() {
  const clock = new VirtualClock();
  const places: Places = new Map();
  const [one, other] = ['a', 'b'].map((name) => new LinkedProcess(name, clock, places));
  introduce(one!, other!);
  const flow = async (ms: number) => {
    for (let at = 0; at < ms; at += 250) {
      await clock.pass(Math.min(250, ms - at));
      for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await flow(1000);
  /** One more that the origin names, which is the hostile one. */
  const introduced = async (dials = false): Promise<Neighbour> => {
    const neighbour = one!.meet(dials, () => {});
    await flow(250);
    return neighbour;
  };
  /** The hostile one's lane, which proves its own certificate. */
  const connected = async (): Promise<Lane> => {
    const [near, far] = memoryPipes();
    one!.pipes.offer(near, HOSTILE);
    const owner = {
      message: () => {},
      land: () => ({ put: () => {}, take: () => false, cut: () => {} }),
      closed: () => {},
    };
    const lane = new Lane(1, far, owner, clock);
    lane.start();
    await flow(500);
    return lane;
  };
  /** What was tried cost the one who tried, and nobody else. */
  const unharmed = async () => {
    await flow(500);
    assert.deepEqual([one!.neighbours.up, other!.neighbours.up], [1, 1]);
    for (const { neighbours } of [one!, other!]) neighbours.end();
    await flow(250);
    assert.deepEqual([one!.networks.open, clock.waiting], [one!.networks.closed, 0]);
  };
  return { clock, one: one!, other: other!, flow, introduced, connected, unharmed };
}

it('protects from: a member that says it is this receiver, or one that is linked already', async () => {
  const { one, other, flow, introduced, unharmed } = await world();
  for (const { fingerprint } of [one, other]) {
    (await introduced()).hear(JSON.stringify(helloOf({ fingerprint })));
    await flow(250);
  }
  assert.deepEqual([one.refused, one.warned], [2, []]);
  await unharmed();
});

it('protects from: a member that says that it is another than before', async () => {
  const { one, introduced, unharmed } = await world();
  const neighbour = await introduced();
  neighbour.hear(JSON.stringify(helloOf({ fingerprint: HOSTILE })));
  neighbour.hear(JSON.stringify(helloOf({ fingerprint: 'f'.padEnd(64, '0') })));
  assert.deepEqual([one.refused, one.warned], [1, ['MEMBER_MISBEHAVES']]);
  await unharmed();
});

it('protects from: a member whose hello is nonsense, or names more addresses than there may be', async () => {
  const { one, introduced, unharmed } = await world();
  for (const body of ['', '{', '[]', '{"fingerprint":1}', 'x'.repeat(16_384), boundless(HOSTILE)])
    (await introduced()).hear(body);
  assert.equal(one.refused, 6);
  await unharmed();
});

it('protects from: a member that says nothing, or whose addresses lead nowhere', async () => {
  const { one, other, flow, introduced, unharmed } = await world();
  const before = one.dials;
  await introduced(true);
  (await introduced(true)).hear(JSON.stringify(helloOf({ fingerprint: HOSTILE })));
  await flow(31_000);
  assert.equal(one.refused, 2);
  assert.ok(one.dials - before < 40, `${one.dials - before} dials`);
  assert.deepEqual([one.warned, other.refused], [[], 0]);
  await unharmed();
});

it('protects from: a stranger who connects before anybody has named it', async () => {
  const { clock, one, connected, unharmed } = await world();
  let closed = false;
  void (await connected()).over.then(() => {
    closed = true;
  });
  for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(closed);
  assert.equal(one.neighbours.up, 1);
  assert.ok(clock.waiting > 0);
  await unharmed();
});

for (const message of [
  {
    type: 'offer',
    version: 3,
    kind: 'files',
    entries: 1,
    pages: 1,
    bytes: 1,
    chunkSize: 1 << 20,
    sha256: false,
    update: false,
  },
  { type: 'status', seq: 1, state: 'cancelled', code: '', text: '' },
  { type: 'hash', index: 0, length: 1, hash: new Uint8Array(32) },
  { type: 'members', seq: 1, all: [{ id: 1, dials: true }] },
  { type: 'signal', member: 1, seq: 1, body: '' },
  { type: 'finished', root: new Uint8Array(32), started: 0, ended: 0 },
  { type: 'get', ranges: [{ index: 0, from: 0, to: 1 }] },
] as Message[])
  it(`protects from: a member that sends '${message.type}', which it must not`, async () => {
    const { one, other, introduced, connected, unharmed } = await world();
    (await introduced()).hear(JSON.stringify(helloOf({ fingerprint: HOSTILE })));
    const lane = await connected();
    assert.equal(one.neighbours.up, 2);
    lane.send(message).catch(() => {});
    await lane.over;
    assert.deepEqual([one.refused, one.warned, other.refused], [1, ['MEMBER_MISBEHAVES'], 0]);
    // It is named by the number that its lanes had.
    const named = one.events.flatMap((event) => (event.event === 'warning' ? [event.peer] : []));
    const its = one.events.find((event) => event.event === 'peer' && event.fingerprint === HOSTILE);
    assert.deepEqual(named, [its && 'peer' in its && its.peer]);
    assert.deepEqual(named, [3]);
    // Nothing is wanted of that certificate any more.
    (await introduced()).hear(JSON.stringify(helloOf({ fingerprint: HOSTILE })));
    assert.equal(one.refused, 2);
    await unharmed();
  });

for (const [what, reason, error] of [
  ['claims chunks and brings none', 'MEMBER_SILENT', fault('MEMBER_SILENT', { seconds: 60 })],
  ['brings what the sender does not have', 'HELPER_LIES', fault('HELPER_LIES')],
] as const)
  it(`protects from: a member that ${what}: it is left and named, and not taken again`, async () => {
    const { one, introduced, connected, unharmed } = await world();
    (await introduced()).hear(JSON.stringify(helloOf({ fingerprint: HOSTILE })));
    const lane = await connected();
    one.leaves(error);
    await lane.over;
    const warnings = one.events.filter((event) => event.event === 'warning');
    assert.deepEqual(
      warnings.map((event) => [event.peer, event.code, event.reason]),
      [[3, error.code, reason]],
    );
    assert.equal(one.refused, 1);
    (await introduced()).hear(JSON.stringify(helloOf({ fingerprint: HOSTILE })));
    assert.equal(one.refused, 2);
    await unharmed();
  });

it('protects from: a member that is linked, wants something and never asks: nobody serves for it for ever', async () => {
  const { one, other, flow, introduced, connected, clock } = await world();
  (await introduced()).hear(JSON.stringify(helloOf({ fingerprint: HOSTILE })));
  const lane = await connected();
  let served = false;
  void one.neighbours.serve()!.then(() => {
    served = true;
  });
  other.neighbours.end();
  await flow(62_000);
  assert.ok(served);
  lane.close();
  await flow(250);
  assert.equal(clock.waiting, 0);
});
