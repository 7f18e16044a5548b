/** The relay on the wire: who is paired with whom, what passes, and how each limit says no. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { BeelineError } from '../../src/base/errors.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { RelayUsage } from '../../src/server/relay-usage.ts';
import { decodeRelayAnswer, decodeRelayHello, encodePaired, encodeRelayHello } from '../../src/wire/relay.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { type Relayed, RelayWorld, relayWorld } from './relay-world.ts';

const MiB = 2 ** 20;

test('hellos and answers are read strictly', () => {
  const token = '0123456789abcdef'.repeat(2);
  assert.deepEqual(decodeRelayHello(encodeRelayHello({ token })), { t: 'relay', v: 1, token });
  const named = { t: 'relay', v: 1, token, guest: 7 };
  assert.deepEqual(decodeRelayHello(encodeRelayHello({ token, guest: 7 })), named);
  assert.doesNotThrow(() => decodeRelayAnswer(encodePaired()));
  const code = (wanted: string) => (error: unknown) => error instanceof BeelineError && error.code === wanted;
  const bad = [
    '',
    '{}',
    'null',
    `{"t":"relay","token":"${token}"}`,
    `{"t":"relay","v":1,"token":"${token.slice(1)}"}`,
    `{"t":"relay","v":1,"token":"${token}","x":1}`,
    `{"t":"relay","v":1,"token":"${token}","guest":0}`,
    `{"t":"relay","v":1,"token":"${token}","guest":"1"}`,
    `{"t":"relay","v":1,"token":"${token}"}${' '.repeat(600)}`,
  ];
  for (const text of bad) assert.throws(() => decodeRelayHello(text), code('PROTOCOL'), text);
  assert.throws(() => decodeRelayHello(`{"t":"relay","v":2,"token":"${token}"}`), code('VERSION'));
  for (const text of ['', '{"t":"paired","x":1}', '{"t":"relay"}'])
    assert.throws(() => decodeRelayAnswer(text), code('PROTOCOL'));
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
      for (const decode of [decodeRelayHello, decodeRelayAnswer]) {
        try {
          decode(text);
        } catch (error) {
          assert.ok(error instanceof BeelineError);
        }
      }
    }),
    { seed, numRuns: Number(process.env.RUNS ?? 100) },
  );
});

test('services say that there is a relay, unless there is none', async () => {
  await relayWorld({}, async (world) => {
    assert.deepEqual((await world.seat('host', '7')).services, { relay: true, stun: [] });
  });
  await relayWorld({ relay: false }, async (world) => {
    const { services, token } = await world.seat('host', '7');
    assert.deepEqual(services, { relay: false, stun: [] });
    await assert.rejects(world.relay(token), /404/);
  });
  await relayWorld({ turn: { urls: ['turn:t.example:3478'], secret: 'hush' } }, async (world) => {
    const a = (await world.seat('host', '7')).services.turn!;
    const b = (await world.seat('join', '7')).services.turn!;
    assert.deepEqual(a.urls, ['turn:t.example:3478']);
    assert.match(a.username, /^\d+:[0-9a-f]+$/);
    assert.equal(a.username.split(':')[1], b.username.split(':')[1], 'one meeting is one user');
  });
});

test('64 MiB each way come out as they went in', () =>
  relayWorld({}, async (world) => {
    const { host, guest } = await world.pair('7');
    const random = randomFrom(seed);
    const sent: { [side: string]: string } = {};
    await Promise.all(
      Object.entries({ host, guest }).map(async ([name, { socket }]) => {
        const hash = createHash('sha256');
        for (let left = 64 * MiB; left > 0; ) {
          const size = Math.min(left, 1 + Math.floor(random() * 128 * 1024));
          const bytes = randomBytes(random, Math.min(size, 4096))
            .toString('latin1')
            .repeat(1 + size / 4096);
          const chunk = Buffer.from(bytes, 'latin1').subarray(0, size);
          hash.update(chunk);
          left -= size;
          socket.send(chunk);
          if (socket.bufferedAmount > MiB) await new Promise((resolve) => setImmediate(resolve));
        }
        sent[name] = hash.digest('hex');
      }),
    );
    const digest = async (it: Relayed) =>
      createHash('sha256')
        .update(await it.until(64 * MiB))
        .digest('hex');
    assert.equal(await digest(guest), sent.host);
    assert.equal(await digest(host), sent.guest);
    assert.deepEqual([host.received, guest.received], [64 * MiB, 64 * MiB]);
  }));

test('who has closed had what it sent delivered first', () =>
  relayWorld({}, async (world) => {
    const { host, guest } = await world.pair('7');
    guest.socket.pause();
    for (let i = 0; i < 40; i++) host.socket.send(Buffer.alloc(100_000, i));
    host.socket.close(1000);
    setTimeout(() => guest.socket.resume(), 100);
    assert.equal((await guest.closed).code, 1000);
    assert.equal(guest.received, 4_000_000);
    assert.equal(guest.chunks.at(-1)![0], 39);
  }));

test('a side whose receiver does not read is read no further', () =>
  relayWorld({ limits: { relayBuffer: 64 * 1024 } }, async (world) => {
    const { host, guest } = await world.pair('7');
    guest.socket.pause();
    // What the server, two kernels and the test's own socket do not take stays queued at the sender.
    const all = 256 * MiB;
    for (let i = 0; i < all / MiB; i++)
      for (let j = 0; j < 8; j++) host.socket.send(Buffer.alloc(128 * 1024, i));
    let before = -1;
    while (host.socket.bufferedAmount !== before) {
      before = host.socket.bufferedAmount;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const taken = all - host.socket.bufferedAmount;
    assert.ok(taken < 32 * MiB, `${taken} bytes were taken for a reader that reads none`);
    guest.chunks.push = () => 0; // what matters is that all of it comes
    guest.socket.resume();
    await guest.until(all);
  }));

test('a wrong token, a second text and bytes too early are refused in words', () =>
  relayWorld({}, async (world) => {
    const closing = async (it: Promise<Relayed>) => (await it).closed;
    const wrong = await closing(world.relay('f'.repeat(32)));
    assert.equal(wrong.code, 1008);
    assert.match(wrong.reason, /no such place/);
    assert.equal((await closing(world.relay('', undefined, 'junk'))).code, 1002);
    const { token } = await world.seat('host', '7');
    const early = await world.relay(token, 1);
    early.socket.send(Buffer.from('early'));
    assert.match((await early.closed).reason, /not there yet/);
    const { host, guest } = await world.pair('8');
    host.socket.send('text');
    for (const it of [host, guest]) assert.match((await it.closed).reason, /Only binary/);
    const large = await world.pair('9');
    large.host.socket.send(Buffer.alloc(128 * 1024 + 1));
    assert.equal((await large.host.closed).code, 1009);
    await large.guest.closed;
  }));

test('whatever the order, a host is paired with a guest of its own meeting and nobody else', () =>
  relayWorld({ limits: { relayWaiting: 100, relayConnectionsPerAddress: 200 } }, async (world) => {
    const random = randomFrom(seed);
    const meetings = ['1', '2', '3'];
    const seats = await Promise.all(
      meetings.map(async (plate) => {
        const host = (await world.seat('host', plate)).token;
        return { host, guest: (await world.seat('join', plate)).token };
      }),
    );
    const plan = Array.from({ length: 30 }, (_, i) => ({
      meeting: i % 3,
      side: i < 15 ? ('host' as const) : ('guest' as const),
    }));
    plan.sort(() => random() - 0.5);
    const all: { meeting: number; side: string; it: Relayed }[] = [];
    for (const { meeting, side } of plan)
      all.push({
        meeting,
        side,
        it: await world.relay(seats[meeting]![side], side === 'host' ? 1 : undefined),
      });
    await Promise.all(all.map(({ it }) => it.paired));
    for (const { meeting, side, it } of all) it.socket.send(Buffer.from(`${meeting} ${side}`));
    for (const { meeting, side, it } of all) {
      while (it.received === 0) await once(it.socket, 'message');
      assert.equal(it.chunks.join(), `${meeting} ${side === 'host' ? 'guest' : 'host'}`);
    }
    // Two of the same side wait for ever.
    const lonely = [await world.relay(seats[0]!.host, 1), await world.relay(seats[0]!.host, 1)];
    await world.pair('9');
    assert.deepEqual(
      lonely.map(({ isPaired }) => isPaired),
      [false, false],
    );
  }));

test('one host and three guests: each is paired with the connection that is for it', () =>
  relayWorld({}, async (world) => {
    const host = await world.seat('host', '7', undefined, 3);
    const guests = [];
    for (let i = 0; i < 3; i++) guests.push(await world.seat('join', '7'));
    // The host waits for the third and the first, the second waits for the host.
    const third = await world.relay(host.token, 3);
    const first = await world.relay(host.token, 1);
    const ends = [];
    for (const { token } of [guests[1]!, guests[0]!, guests[2]!]) ends.push(await world.relay(token));
    const second = await world.relay(host.token, 2);
    const pairs = [
      [first, ends[1]!],
      [second, ends[0]!],
      [third, ends[2]!],
    ] as const;
    for (const [i, [ours, theirs]] of pairs.entries()) {
      await Promise.all([ours.paired, theirs.paired]);
      ours.socket.send(Buffer.from(`for ${i}`));
      theirs.socket.send(Buffer.from(`from ${i}`));
      assert.equal((await theirs.until(5)).toString(), `for ${i}`);
      assert.equal((await ours.until(6)).toString(), `from ${i}`);
    }
    // One that is put out waits no more, and others do; the host's place is that for all of them.
    const [one, two] = [await world.relay(guests[0]!.token), await world.relay(guests[1]!.token)];
    for (const { socket } of [one, two]) {
      socket.ping();
      await once(socket, 'pong');
    }
    host.socket.send('{"t":"drop","guest":1}');
    assert.match((await one.closed).reason, /was left, or taken/);
    const forTwo = await world.relay(host.token, 2);
    await Promise.all([forTwo.paired, two.paired]);
    const waiting = [await world.relay(host.token, 2), await world.relay(host.token, 3)];
    for (const { socket } of waiting) {
      socket.ping();
      await once(socket, 'pong');
    }
    await world.seat('host', '7', host.token, 3);
    for (const it of waiting) assert.match((await it.closed).reason, /was left, or taken/);
    assert.ok(forTwo.isPaired && forTwo.socket.readyState === WebSocket.OPEN, 'pairs go on');
  }));

test('a host says at the relay whom it waits for, and a guest does not choose', () =>
  relayWorld({}, async (world) => {
    const host = await world.seat('host', '7', undefined, 2);
    const guest = await world.seat('join', '7');
    for (const it of [await world.relay(host.token), await world.relay(guest.token, 1)])
      assert.match((await it.closed).reason, /says which guest it waits for/);
    assert.equal(world.counts().relayConnections, 0);
  }));

test('a guest that takes all the pairs it can leaves the others theirs', () =>
  relayWorld({ limits: { relayPairsPerGuest: 2 } }, async (world) => {
    const host = await world.seat('host', '7', undefined, 2);
    const [greedy, modest] = [await world.seat('join', '7'), await world.seat('join', '7')];
    const pair = async (guest: number, token: string) => {
      const ends = [await world.relay(host.token, guest), await world.relay(token)];
      const refused = Promise.race(ends.map(({ closed }) => closed));
      return Promise.race([Promise.all(ends.map(({ paired }) => paired)).then(() => 'paired'), refused]);
    };
    assert.deepEqual([await pair(1, greedy.token), await pair(1, greedy.token)], ['paired', 'paired']);
    const refused = await pair(1, greedy.token);
    assert.match(typeof refused === 'string' ? refused : refused.reason, /have 2 relayed connections/);
    assert.equal(await pair(2, modest.token), 'paired');
  }));

test('who waits for a place that is left, dropped, ended or taken anew waits no more; pairs go on', () =>
  relayWorld({}, async (world) => {
    const gone = async (it: Relayed) => assert.match((await it.closed).reason, /was left, or taken/);
    const a = await world.seat('host', '7');
    const b = await world.seat('join', '7');
    const dropped = await world.relay(b.token);
    // Its ping has an answer when the server has read what was sent before.
    dropped.socket.ping();
    await once(dropped.socket, 'pong');
    a.socket.send('{"t":"drop","guest":1}');
    await gone(dropped);
    assert.match((await (await world.relay(b.token)).closed).reason, /no such place/);

    const c = await world.seat('join', '7');
    const left = await world.relay(c.token);
    left.socket.ping();
    await once(left.socket, 'pong');
    c.socket.terminate();
    await gone(left);

    const before = await world.relay(a.token, 1);
    before.socket.ping();
    await once(before.socket, 'pong');
    const again = await world.seat('host', '7', a.token);
    await gone(before);

    const d = await world.seat('join', '7');
    const [host, guest] = [await world.relay(again.token, 3), await world.relay(d.token)];
    await Promise.all([host.paired, guest.paired]);
    const waiting = await world.relay(again.token, 3);
    waiting.socket.ping();
    await once(waiting.socket, 'pong');
    again.socket.send('{"t":"leave"}');
    await gone(waiting);
    host.socket.send(Buffer.from('still here'));
    assert.equal((await guest.until(10)).toString(), 'still here');
  }));

test('each limit ends what breaks it, with its sentence', async () => {
  const sentence = async (it: Relayed, pattern: RegExp) => {
    const { code, reason } = await it.closed;
    assert.match(reason, pattern);
    assert.equal(code, 1008);
  };
  await relayWorld({ limits: { relayMailboxBytes: 1000 } }, async (world) => {
    const { host, guest, a, b } = await world.pair('7');
    host.socket.send(Buffer.alloc(600));
    await guest.until(600);
    guest.socket.send(Buffer.alloc(400));
    await host.until(400);
    host.socket.send(Buffer.alloc(1));
    for (const it of [host, guest]) await sentence(it, /at most 1.00 kB for one meeting/);
    const more = await world.relay(a.token, 1);
    for (const it of [more, await world.relay(b.token)]) await sentence(it, /at most 1.00 kB/);
    await world.pair('8');
  });
  await relayWorld({ limits: { relayAddressBytes: 1000 } }, async (world) => {
    const one = await world.pair('7');
    one.host.socket.send(Buffer.alloc(600));
    await one.guest.until(600);
    const two = await world.pair('8');
    two.host.socket.send(Buffer.alloc(401));
    for (const it of [two.host, two.guest]) await sentence(it, /1.00 kB a day for one address/);
  });
  await relayWorld({ limits: { relayPairsPerGuest: 1 } }, async (world) => {
    const { a, b, host } = await world.pair('7');
    const [c, d] = [await world.relay(a.token, 1), await world.relay(b.token)];
    for (const it of [c, d]) await sentence(it, /1 relayed connections; this server/);
    host.socket.close();
    await host.closed;
    await world.pair('8');
  });
  await relayWorld({ limits: { relayPairsPerAddress: 1 } }, async (world) => {
    await world.pair('7');
    const a = await world.relay((await world.seat('host', '8')).token, 1);
    const b = await world.relay((await world.seat('join', '8')).token);
    for (const it of [a, b]) await sentence(it, /One side's address has 1 relayed/);
  });
  await relayWorld({ limits: { relayPairs: 1 } }, async (world) => {
    await world.pair('7');
    const a = await world.relay((await world.seat('host', '8')).token, 1);
    const b = await world.relay((await world.seat('join', '8')).token);
    for (const it of [a, b]) await sentence(it, /relay is full \(1 connections\)/);
  });
  await relayWorld({ limits: { relayWaiting: 2 } }, async (world) => {
    const { token } = await world.seat('host', '7');
    await world.relay(token, 1);
    await world.relay(token, 1);
    await sentence(await world.relay(token, 1), /wait already \(2 is the limit/);
  });
  await relayWorld({ limits: { relayConnectionsPerAddress: 1 } }, async (world) => {
    const { token } = await world.seat('host', '7');
    const first = await world.relay(token, 1);
    await assert.rejects(world.relay(token, 1), /429/);
    first.socket.close();
    await first.closed;
    await world.relay(token, 1);
  });
  await relayWorld({ limits: { relayConnections: 1 } }, async (world) => {
    const { token } = await world.seat('host', '7');
    await world.relay(token, 1);
    await assert.rejects(world.relay(token, 1), /429/);
  });
  await relayWorld({ limits: { relayIdle: 50 }, tick: 20 }, async (world) => {
    const { host, guest } = await world.pair('7');
    for (const it of [host, guest]) await sentence(it, /Nothing was sent through the relay for 0.05 s/);
  });
});

test('a connection that shows no token is ended', () =>
  relayWorld({ limits: { helloDeadline: 50 }, tick: 20 }, async (world) => {
    const { WebSocket } = await import('ws');
    const mute = new WebSocket(`ws://127.0.0.1:${world.server.port}/v1/relay`);
    const [code, reason] = await once(mute, 'close');
    assert.deepEqual([code, /asked for nothing/.test(String(reason))], [1008, true]);
  }));

test('a connection that waits and answers no ping is ended', () =>
  relayWorld({ limits: { pongDeadline: 100 }, tick: 20 }, async (world) => {
    const { WebSocket } = await import('ws');
    const { token } = await world.seat('host', '7');
    const lively = await world.relay(token, 1);
    const deaf = new WebSocket(`ws://127.0.0.1:${world.server.port}/v1/relay`, { autoPong: false });
    await once(deaf, 'open');
    deaf.send(JSON.stringify({ t: 'relay', v: 1, token, guest: 1 }));
    assert.equal((await once(deaf, 'close'))[0], 1006);
    assert.equal(lively.socket.readyState, lively.socket.OPEN);
  }));

test('a rate for all is kept to, and shared', async () => {
  let now = 0;
  const usage = (relayRate: number) => new RelayUsage({ ...DEFAULT_LIMITS, relayRate }, () => now);
  const shared = usage(1000);
  const [first, second] = [0, 1].map(() => shared.meter('00', []));
  assert.equal(first!.pace(100), 0, 'a tenth of a second goes at once');
  assert.equal(first!.pace(100), 100);
  assert.equal(second!.pace(100), 200, 'the second reader waits behind the first');
  now = 10_000;
  assert.equal(second!.pace(100), 0, 'what was not used is not saved up');
  assert.equal(usage(0).meter('00', []).pace(1e12), 0);

  await relayWorld({ limits: { relayRate: 2 * MiB } }, async (world) => {
    const pairs = [await world.pair('7'), await world.pair('8')];
    const began = performance.now();
    for (const { host } of pairs) for (let i = 0; i < 16; i++) host.socket.send(Buffer.alloc(64 * 1024, i));
    await Promise.all(pairs.map(({ guest }) => guest.until(MiB)));
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds > 0.8, `2 MiB at 2 MiB/s took ${seconds} s`);
  });
});

test('a server that closes says so to who waits and who is paired', async () => {
  let ended: Promise<{ code: number; reason: string }>[] = [];
  await relayWorld({}, async (world) => {
    const { host, guest, a } = await world.pair('7');
    const waiting = await world.relay(a.token, 1);
    waiting.socket.ping();
    await once(waiting.socket, 'pong');
    ended = [host.closed, guest.closed, waiting.closed];
    await world.server.close();
  });
  for (const { code, reason } of await Promise.all(ended))
    assert.deepEqual([code, reason], [1001, 'This server is shutting down.']);
});

/** The same server, from another address of this machine. */
const from = (world: RelayWorld, localAddress: string) =>
  new RelayWorld(world.server, { base: `ws://127.0.0.1:${world.server.port}`, options: { localAddress } });

test('silent connections at the relay keep nobody out who has a token', { timeout: 60_000 }, () =>
  relayWorld({ limits: { relayStrangers: 6, relayConnectionsPerAddress: 4 } }, async (world) => {
    const silent = Array.from(
      { length: 20 },
      (_, i) =>
        new WebSocket(`ws://127.0.0.1:${world.server.port}/v1/relay`, {
          localAddress: `127.0.1.${1 + (i % 4)}`,
        }),
    );
    for (const socket of silent) socket.on('error', () => {});
    await Promise.all(silent.map((socket) => once(socket, 'open')));
    const { host, guest } = await world.pair('7');
    host.socket.send(Buffer.from('hello'));
    assert.equal(String(await guest.until(5)), 'hello');
    assert.ok(silent.filter(({ readyState }) => readyState === WebSocket.OPEN).length <= 6);
    for (const socket of silent) socket.terminate();
  }),
);

test('a full relay makes way for an address that has less of it, and for no other', { timeout: 60_000 }, () =>
  relayWorld({ limits: { relayPairs: 3 } }, async (world) => {
    const busy = [await world.pair('1'), await world.pair('2'), await world.pair('3')];
    const other = from(world, '127.0.0.2');
    const { host, guest } = await other.pair('4');
    const { code, reason } = await busy[0]!.host.closed;
    assert.equal(code, 1013);
    assert.match(reason, /makes way/);
    await busy[0]!.guest.closed;
    host.socket.send(Buffer.from('hello'));
    assert.equal(String(await guest.until(5)), 'hello');
    // Two against one: the next of either finds it full, and whoever carries goes on.
    const a = await world.relay((await world.seat('host', '8')).token, 1);
    const b = await world.relay((await world.seat('join', '8')).token);
    for (const it of [a, b]) assert.match((await it.closed).reason, /relay is full \(3 connections\)/);
    for (const { host } of busy.slice(1)) assert.equal(host.socket.readyState, WebSocket.OPEN);
    assert.equal(world.counts().relayPairs, 3);
    host.socket.terminate();
    guest.socket.terminate();
  }),
);
