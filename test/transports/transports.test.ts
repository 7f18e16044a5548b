/** The contract of a transport (src/transports/transport.ts), over all that a program has, and one that only tests have. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { NODE_TRANSPORTS, QUIC_TRANSPORTS } from '../../src/transports/node.ts';
import type { NodeTransport, Surroundings } from '../../src/transports/surroundings.ts';
import {
  type Meeting,
  makeTransports,
  type PeerFacts,
  type Transport,
} from '../../src/transports/transport.ts';
import { NO_SERVICES } from '../../src/wire/rendezvous.ts';
import { decodeHello, encodeHello } from '../../src/wire/signal.ts';
import { helloOf } from '../hello.ts';
import { unixTransport } from '../node/unix-transport.ts';
import { around } from './surroundings.ts';

const { fingerprint, tls, seal, hosts } = helloOf({ hosts: ['192.0.2.7'] });
const peer: PeerFacts = { fingerprint, tls, seal, hosts, met: [] };

async function made(t: TestContext, kind: NodeTransport, role: 'sender' | 'receiver') {
  const more: Partial<Surroundings> = {};
  const changed = new Promise<void>((resolve) => {
    more.onChange = resolve;
  });
  const transport = kind.make(await around(role, more));
  t.after(() => transport.close());
  return { transport, changed };
}

for (const kind of [...QUIC_TRANSPORTS, unixTransport()]) {
  describe(`transport ${kind.kind}`, () => {
    it('has a name that a hello may bear, and traits that agree', () => {
      assert.match(kind.kind, /^[a-z][a-z0-9-]{0,15}$/);
      const { relayed, hides, sort } = kind.traits;
      assert.ok(!relayed || hides, 'what goes through a relay shows no address');
      assert.ok(relayed === (sort === undefined), 'what is direct is tuned, and nothing else');
    });

    it("hears what the other side's says, after it has crossed in a hello", async (t) => {
      for (const [from, to] of [
        ['sender', 'receiver'],
        ['receiver', 'sender'],
      ] as const) {
        const { transport: theirs, changed } = await made(t, kind, from);
        if (theirs.start && !theirs.describe()) {
          theirs.start();
          theirs.hear(undefined, peer);
          await changed;
        }
        const { transport: ours } = await made(t, kind, to);
        const said = theirs.describe();
        const transports = said === undefined ? {} : { [kind.kind]: said };
        const hello = decodeHello(encodeHello(helloOf({ transports })));
        ours.hear(hello.transports[kind.kind], peer);
        for (const path of ours.paths()) assert.equal(path.kind, kind.kind);
      }
    });

    it('does without: a peer that has none, no server, a network that changed', async (t) => {
      const { transport } = await made(t, kind, 'receiver');
      const nowhere: Meeting = {
        url: 'http://127.0.0.1:9',
        token: undefined,
        guest: undefined,
        services: NO_SERVICES,
      };
      await transport.meet?.(nowhere);
      transport.ask?.([]);
      transport.welcome?.();
      transport.again?.(false);
      transport.forwarded?.(undefined);
      transport.hear(undefined, peer);
      assert.deepEqual(transport.paths(), []);
      await transport.close();
      await transport.close();
    });

    it('takes no nonsense: whatever comes is heard or is PROTOCOL', async (t) => {
      const { transport } = await made(t, kind, 'receiver');
      const hear = (theirs: unknown) => {
        try {
          transport.hear(theirs, peer);
        } catch (thrown) {
          assert.ok(thrown instanceof BeelineError && thrown.code === 'PROTOCOL', String(thrown));
        }
      };
      const list = fc.array(fc.oneof(fc.jsonValue(), fc.constantFrom('10.0.0.1:80', '[::1]:0', 'a.b:1')));
      const object = fc.record({ at: fc.oneof(list, fc.jsonValue()), password: fc.jsonValue() });
      fc.assert(fc.property(fc.oneof(fc.jsonValue(), list, object), hear));
    });
  });
}

it('a session has those transports that the use of relays leaves, in their order', () => {
  const none: Transport = { describe: () => undefined, hear: () => {}, paths: () => [], close: () => {} };
  const kinds = (relay: 'auto' | 'never' | 'only') =>
    makeTransports(
      NODE_TRANSPORTS.map((known) => ({ ...known, make: () => none })),
      { relay },
    ).kinds.map(({ kind }) => kind);
  assert.deepEqual(kinds('auto'), ['tcp', 'punched', 'udx', 'webrtc', 'turn', 'relay']);
  assert.deepEqual(kinds('never'), ['tcp', 'punched', 'udx', 'webrtc']);
  assert.deepEqual(kinds('only'), ['webrtc', 'turn', 'relay']);
  const besides = QUIC_TRANSPORTS.map(({ kind }) => kind).filter((kind) => kind !== 'quic');
  assert.deepEqual(besides, kinds('auto'));
});

it('a hello bears only what a transport is called by, and of each only its own', () => {
  const heard: unknown[] = [];
  const one = (kind: string) => ({ kind, traits: NODE_TRANSPORTS[0]!.traits, make: () => listening });
  const listening = {
    describe: () => 'mine',
    hear: (theirs: unknown) => heard.push(theirs),
    paths: () => [],
    close() {},
  };
  const transports = makeTransports([one('a'), one('b')], { relay: 'auto' });
  assert.deepEqual(transports.describe(), { a: 'mine', b: 'mine' });
  transports.hear(helloOf({ transports: { b: { x: 1 }, c: 'unknown' } }), []);
  assert.deepEqual(heard, [undefined, { x: 1 }]);
  for (const bad of [{ __proto: 1 }, { A: 1 }, { '': 1 }, { ['a'.repeat(17)]: 1 }, [], 'x', null])
    assert.throws(() => decodeHello(JSON.stringify({ ...helloOf(), transports: bad })), { code: 'PROTOCOL' });
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 1]));
  assert.throws(() => decodeHello(encodeHello(helloOf({ transports: many }))), { code: 'PROTOCOL' });
});

const rtc = {
  id: '0123456789abcdef',
  kind: 'answer',
  ufrag: 'abcd',
  password: 'x'.repeat(22),
  fingerprint: 'cd'.repeat(32),
  candidates: ['candidate:1 1 UDP 2114977791 192.0.2.2 44221 typ host'],
};
const udx = { at: ['10.0.0.1:1'], password: 'ef'.repeat(16), symmetric: false };
const quic = { at: ['10.0.0.1:1'], key: 'ef'.repeat(32) };
const some = (count: number) => Array.from({ length: count }, () => '10.0.0.1:1');
const REFUSED: Record<string, unknown[]> = {
  tcp: [
    ...[['evil.example:80'], ['10.0.0.1:0'], ['10.0.0.1:70000'], ['10.0.0.1'], [7], some(41)].flatMap(
      (at) => [{ at }, { mapped: at }],
    ),
    ...[
      { threads: [0] },
      { threads: [65_536] },
      { threads: [1.5] },
      { threads: Array(17).fill(1) },
      'x',
      null,
      [],
    ],
  ],
  punched: [['evil.example:80'], some(41), {}],
  turn: [['evil.example:80'], some(41), {}],
  udx: [
    ...[
      [],
      'x',
      null,
      { ...udx, at: ['evil.example:80'] },
      { ...udx, at: some(41) },
      { ...udx, symmetric: 1 },
    ],
    ...[
      { ...udx, password: 'EF'.repeat(16) },
      { ...udx, password: 'ef' },
    ],
  ],
  quic: [
    ...[[], 'x', null, {}, { ...quic, at: ['evil.example:80'] }, { ...quic, at: some(41) }],
    ...[{ ...quic, key: 'EF'.repeat(32) }, { ...quic, key: 'ef' }, { at: quic.at }],
  ],
  webrtc: [
    Array.from({ length: 5 }, () => rtc),
    [{ ...rtc, fingerprint: 'x' }],
    [{ ...rtc, ufrag: 'a\r\na=x' }],
    [{ ...rtc, candidates: ['candidate:1 1 udp 1 evil.example 9 typ host'] }],
    [{ ...rtc, candidates: ['candidate:1 1 udp 1 192.0.2.2 9 typ host\r\na=x'] }],
  ],
};
const HEARD: Record<string, unknown> = {
  tcp: { at: some(40), threads: [1, 65_535] },
  punched: some(40),
  turn: some(1),
  udx,
  quic,
  webrtc: [rtc],
};

for (const kind of QUIC_TRANSPORTS) {
  const refused = REFUSED[kind.kind];
  if (!refused) continue;
  it(`${kind.kind} refuses names instead of addresses, and too many of anything`, async (t) => {
    const { transport } = await made(t, kind, 'receiver');
    transport.hear(HEARD[kind.kind], peer);
    for (const theirs of refused)
      assert.throws(() => transport.hear(theirs, peer), { code: 'PROTOCOL' }, JSON.stringify(theirs));
  });
}
