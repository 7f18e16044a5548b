import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { realClock } from '../../src/base/clock.ts';
import { MAX_LANES, RELAY_LANES } from '../../src/base/limits.ts';
import { Lane } from '../../src/lanes/lane.ts';
import { Supervisor } from '../../src/lanes/supervisor.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { NODE_TRANSPORTS, QUIC_TRANSPORTS } from '../../src/transports/node.ts';
import type { Path } from '../../src/transports/path.ts';
import { type MemoryPipe, memoryPipes } from './memory-pipe.ts';

/** A supervisor whose lanes lead to other ends that answer pings, until they are told to be silent. */
function world(
  t: TestContext,
  role: 'sender' | 'receiver' = 'receiver',
  count?: number,
  slight?: () => boolean | undefined,
  known = NODE_TRANSPORTS,
) {
  const up: Lane[] = [];
  const retired: Lane[] = [];
  const far: { kind: string; lane: Lane; pipe: MemoryPipe }[] = [];
  const asked: number[] = [];
  const owner = {
    message: (_lane: Lane, message: { type: string; count?: number }) => {
      if (message.type === 'want-lanes') asked.push(message.count!);
    },
    land: () => ({ put: () => {}, take: () => false, cut: () => {} }),
    closed: () => {},
  };
  const supervisor = new Supervisor({
    ...{ role, kinds: known, clock: realClock },
    ...(count !== undefined && { count }),
    ...(slight && { slight }),
    free: () => true,
    shared: () => false,
    onLane: (lane) => up.push(lane),
    onMessage: () => {},
    onBlocks: () => ({ put: () => {}, take: () => false, cut: () => {} }),
    onClosed: (lane) => up.splice(up.indexOf(lane), 1),
    onRetire: (lane) => {
      retired.push(lane);
      lane.close();
    },
  });
  t.after(() => {
    supervisor.close();
    for (const { lane } of far) lane.close();
  });
  const pipe = (kind: string): Pipe => {
    const [near, other] = memoryPipes();
    const lane = new Lane(far.length, other, owner, realClock);
    lane.start();
    far.push({ kind, lane, pipe: other });
    const relayed = kind === 'turn' || kind === 'relay';
    return { ...near, ...bound(near), kind, relayed };
  };
  let dials = 0;
  const path = (kind: string, name: string, more: Partial<Path> = {}): Path => ({
    kind,
    name,
    most: 16,
    open: async () => {
      dials++;
      return pipe(kind);
    },
    ...more,
  });
  const kinds = () => up.map(({ kind }) => kind).sort();
  const silence = (kind: string) => {
    for (const end of far) if (end.kind === kind) end.pipe.write = () => {};
  };
  return { supervisor, path, pipe, up, far, retired, asked, kinds, silence, dials: () => dials };
}

/** Methods of a memory pipe use `this`. */
function bound(pipe: MemoryPipe): Pick<Pipe, 'write' | 'start' | 'pause' | 'resume' | 'destroy'> {
  return {
    write: pipe.write.bind(pipe),
    start: pipe.start.bind(pipe),
    pause: pipe.pause.bind(pipe),
    resume: pipe.resume.bind(pipe),
    destroy: pipe.destroy.bind(pipe),
  };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (holds()) return;
    await sleep(25);
  }
  assert.fail(`never: ${what}`);
}

const hangs = (signal: AbortSignal) =>
  new Promise<Pipe>((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new Error('aborted'))),
  );
const fails = () => Promise.reject(new Error('nobody there'));

test('a sender dials another sort than streams only while nothing better is up', async (t) => {
  const { supervisor, path, pipe, kinds, far } = world(t, 'sender', undefined, undefined, QUIC_TRANSPORTS);
  supervisor.add(pipe('udx'));
  supervisor.paths([path('quic', 'theirs'), path('tcp', 'nobody', { open: fails })]);
  await until('a lane of QUIC, which is before UDX', () => kinds().includes('quic'));
  for (const { kind, lane } of far) if (kind === 'udx') lane.close();
  supervisor.add(pipe('tcp'));
  // The receiver has no use for it beside TCP, and no other comes in its place.
  for (const { kind, lane } of far) if (kind === 'quic') lane.close();
  await until('TCP alone', () => kinds().join() === 'tcp');
  await sleep(1000);
  assert.equal(far.filter(({ kind }) => kind === 'quic').length, 1);
  for (const { kind, lane } of far) if (kind === 'tcp') lane.close();
  await until('QUIC again', () => kinds().join() === 'quic');
});

test('of several addresses the first that answers gets all the lanes, and the other dials end', async (t) => {
  const { supervisor, path, kinds } = world(t);
  let aborted = 0;
  const slow: Partial<Path> = {
    open: (signal) => {
      signal.addEventListener('abort', () => aborted++);
      return hangs(signal);
    },
  };
  supervisor.paths([path('tcp', 'dead', slow), path('tcp', 'good'), path('tcp', 'refused', { open: fails })]);
  await until('four lanes', () => kinds().join() === 'tcp,tcp,tcp,tcp');
  assert.equal(aborted, 1);
});

test('a path that is open already is dialled alone, and the others when it fails', async (t) => {
  const { supervisor, path, kinds } = world(t, 'receiver', 1);
  const dialled: string[] = [];
  const told = (name: string, more: Partial<Path> = {}): Path => {
    const path_ = path('tcp', name, more);
    const open = (signal: AbortSignal) => {
      dialled.push(name);
      return path_.open(signal);
    };
    return { ...path_, open };
  };
  supervisor.paths([told('other'), told('open', { ready: true })]);
  await until('a lane', () => kinds().join() === 'tcp');
  assert.deepEqual(dialled, ['open']);

  const second = world(t, 'receiver', 1);
  let ready = true;
  const gone = told('gone', { open: fails });
  Object.defineProperty(gone, 'ready', {
    get: () => ready,
  });
  const open = gone.open;
  gone.open = (signal) => {
    ready = false;
    return open(signal);
  };
  second.supervisor.paths([gone, { ...second.path('tcp', 'works') }]);
  await until('another lane', () => second.kinds().join() === 'tcp');
  assert.deepEqual(dialled, ['open', 'gone']);
});

test('a first lane that is late is dialled a second time, and one beside others is not', async (t) => {
  const { supervisor, path, kinds } = world(t);
  const dials = { tcp: 0, udx: 0 };
  const late = (kind: 'tcp' | 'udx'): Partial<Path> => ({
    open: (signal) => (dials[kind]++ === 0 || kind === 'udx' ? hangs(signal) : good.open(signal)),
  });
  const good = path('tcp', 'good');
  supervisor.paths([path('tcp', 'late', late('tcp'))]);
  await until('a lane by the second dial', () => kinds().includes('tcp'));
  supervisor.paths([path('tcp', 'late', late('tcp')), path('udx', 'late', late('udx'))]);
  await sleep(1_000);
  assert.ok(dials.udx <= 1, `${dials.udx} dials`);
});

test('of two dials on one path the first to come up ends the other', async (t) => {
  const { supervisor, path, up, dials } = world(t, 'receiver', 1);
  const good = path('tcp', 'good');
  let aborted = 0;
  let release = () => {};
  const first = new Promise<void>((resolve) => {
    release = resolve;
  });
  const open = [
    async (signal: AbortSignal) => {
      await first;
      return good.open(signal);
    },
    (signal: AbortSignal) => {
      signal.addEventListener('abort', () => aborted++);
      release();
      return hangs(signal);
    },
  ];
  supervisor.paths([path('tcp', 'late', { open: (signal) => open.shift()!(signal) })]);
  await until('a lane by the first dial', () => up.length > 0);
  assert.deepEqual([open.length, dials(), aborted], [0, 1, 1]);
});

test('only a TCP dial is made twice: others take long, and repeat by themselves', async (t) => {
  for (const kind of ['udx', 'relay']) {
    const { supervisor, path } = world(t);
    let begun = 0;
    const open = (signal: AbortSignal) => {
      begun++;
      return hangs(signal);
    };
    supervisor.paths([path(kind, 'late', { open })]);
    await until('a dial', () => begun > 0);
    await sleep(1_000);
    assert.equal(begun, 1, kind);
  }
});

test('a relay is not touched while something direct comes up at once', async (t) => {
  const { supervisor, path, kinds } = world(t);
  let relayed = 0;
  const relay = path('relay', 'server', {
    open: () => {
      relayed++;
      return fails();
    },
  });
  supervisor.paths([path('tcp', 'good'), relay]);
  await until('four lanes', () => kinds().length === 4);
  await sleep(500);
  assert.equal(relayed, 0);
});

test('without anything direct a relay carries, and is let go once something direct carries well', async (t) => {
  const { supervisor, path, kinds, retired } = world(t);
  const relay = path('relay', 'server');
  supervisor.paths([path('tcp', 'dead', { open: hangs }), relay]);
  await until('relay lanes', () => kinds().length === RELAY_LANES && kinds()[0] === 'relay');
  supervisor.paths([path('punched', 'a', { most: 1 }), path('punched', 'b', { most: 1 }), relay]);
  await until('punched lanes only', () => kinds().join() === 'punched,punched');
  assert.deepEqual(new Set(retired.map(({ kind }) => kind)), new Set(['relay']));
});

test('a direct path that falls silent brings the relay in, before its lanes are given up', async (t) => {
  const { supervisor, path, kinds, silence } = world(t);
  supervisor.paths([path('tcp', 'good'), path('relay', 'server')]);
  await until('direct lanes', () => kinds().join() === 'tcp,tcp,tcp,tcp');
  supervisor.paths([path('tcp', 'good', { open: hangs }), path('relay', 'server')]);
  silence('tcp');
  await until('relay lanes beside them', () => kinds().join() === 'relay,relay,tcp,tcp,tcp,tcp');
});

test('a process that stood still does not blame its lanes', async (t) => {
  const { supervisor, path, kinds, dials } = world(t);
  supervisor.paths([path('tcp', 'good'), path('relay', 'server')]);
  await until('direct lanes', () => kinds().join() === 'tcp,tcp,tcp,tcp');
  // Past the moment from which a relay may be dialled.
  await sleep(300);
  const before = dials();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
  await sleep(1_000);
  assert.equal(dials(), before);
});

test('a silent lane whose path is gone is closed at once', async (t) => {
  const { supervisor, path, kinds, silence } = world(t);
  supervisor.paths([path('udx', 'checked')]);
  await until('a lane', () => kinds().length > 0);
  supervisor.paths([path('udx', 'checked', { open: hangs })]);
  silence('udx');
  await sleep(2000);
  supervisor.paths([]);
  assert.deepEqual(kinds(), []);
});

test('lanes on an address that this machine has no more are closed', async (t) => {
  const { supervisor, path, kinds, pipe } = world(t);
  const at = (local: string) =>
    path('tcp', local, { open: async () => ({ ...pipe('tcp'), local }), most: 1 });
  supervisor.paths([at('192.0.2.1:5'), at('[2001:db8::1]:5')]);
  await until('two lanes', () => kinds().length === 2);
  supervisor.paths([]);
  supervisor.moved(new Set(['2001:db8::1']));
  assert.equal(kinds().length, 1);
});

test("a sender's TURN lane names an address of the server's, and stays when this machine's change", (t) => {
  const { supervisor, pipe, kinds } = world(t, 'sender');
  supervisor.add({ ...pipe('turn'), local: '198.51.100.7:49152' });
  supervisor.moved(new Set(['10.0.0.2']));
  assert.deepEqual(kinds(), ['turn']);
});

test('where only the other side can dial, it is asked for more lanes', async (t) => {
  const { supervisor, path, pipe, asked } = world(t);
  supervisor.paths([path('tcp', 'unreachable', { open: fails })]);
  supervisor.add(pipe('tcp'));
  await until('it was asked', () => asked.length > 0);
  assert.equal(asked[0], 4);
  for (let more = 0; more < 3; more++) supervisor.add(pipe('tcp'));
  supervisor.keep(2);
  await until('it was asked for fewer', () => asked.at(-1) === 2);
});

test('a TURN lane makes the relay of the server superfluous', async (t) => {
  const { supervisor, path, kinds } = world(t);
  supervisor.paths([path('relay', 'server')]);
  await until('relay lanes', () => kinds().join() === 'relay,relay');
  supervisor.paths([path('relay', 'server'), path('turn', '192.0.2.7:5')]);
  await until('TURN lanes only', () => kinds().join() === 'turn,turn');
});

test('of lanes that are too many those go that bring least', async (t) => {
  const { supervisor, path, pipe, far, retired, kinds } = world(t);
  supervisor.paths([path('tcp', 'good')]);
  await until('four lanes', () => kinds().length === 4);
  const busy = new Set([...supervisor.lanes].slice(0, 2));
  let stop = false;
  t.after(() => {
    stop = true;
  });
  // The other ends of these two talk all the time, those of the other two now and then.
  for (const [i, { lane }] of far.entries())
    void (async () => {
      for (; !stop; await sleep(i < 2 ? 2 : 100)) await lane.send({ type: 'ping' }).catch(() => {});
    })();
  await sleep(1_500);
  supervisor.add(pipe('tcp'));
  await until('one retired', () => retired.length > 0);
  assert.equal(retired.length, 1);
  assert.ok(!busy.has(retired[0]!), 'a busy one was retired');
  assert.ok(retired[0]!.id <= 4, 'the new one was retired');
});

for (const [role, most] of [
  ['sender', MAX_LANES],
  ['receiver', 4],
] as const) {
  test(`a ${role} keeps ${most} lanes, however many the other side opens`, (t) => {
    const { supervisor, pipe, retired } = world(t, role, 4);
    let refused = 0;
    for (let i = 0; i < MAX_LANES + 10; i++) {
      const one = pipe('tcp');
      const destroy = one.destroy;
      one.destroy = () => {
        refused++;
        destroy();
      };
      supervisor.add(one);
    }
    assert.equal([...supervisor.lanes].length, most);
    // Some are let in in place of others.
    assert.ok(refused >= MAX_LANES + 10 - most - retired.length);
  });
}

test('protects from: a peer that opens lanes and closes them, without end', async (t) => {
  const begun = performance.now();
  const { supervisor, up, pipe } = world(t);
  let opened = 0;
  for (let i = 0; i < 2000; i++) {
    supervisor.add(pipe('tcp'));
    if (up.length === 0) continue;
    opened++;
    up[0]!.close();
  }
  const most = 2 * MAX_LANES + (4 * (performance.now() - begun)) / 1000;
  assert.ok(opened >= 2 * MAX_LANES && opened <= most + 1, `${opened} lanes`);
  // An honest one that comes a little later is let in.
  await sleep(600);
  supervisor.add(pipe('tcp'));
  assert.equal(up.length, 1);
});

test('protects from: a peer that closes each lane that is dialled', async (t) => {
  const begun = performance.now();
  const { supervisor, up, path } = world(t);
  let opened = 0;
  supervisor.paths([path('tcp', 'a')]);
  while (performance.now() - begun < 2000 || opened <= MAX_LANES) {
    for (const lane of [...up]) {
      opened++;
      lane.close();
    }
    // It may be dialled again at once.
    supervisor.paths([path('tcp', 'a')]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const most = 2 * MAX_LANES + (4 * (performance.now() - begun)) / 1000;
  assert.ok(opened <= most + 1, `${opened} lanes`);
});

test('of little one lane is opened; of much four, as soon as that is known, or if it takes long', async (t) => {
  let slight: boolean | undefined = true;
  const little = world(t, 'receiver', undefined, () => slight);
  little.supervisor.paths([little.path('tcp', 'a')]);
  await sleep(400);
  assert.deepEqual(little.kinds(), ['tcp']);
  slight = false;
  little.supervisor.paths([little.path('tcp', 'a')]);
  await sleep(50);
  assert.equal(little.kinds().length, 4);

  const untold = world(t, 'receiver', undefined, () => undefined);
  untold.supervisor.paths([untold.path('tcp', 'a')]);
  await sleep(1);
  assert.deepEqual(untold.kinds(), ['tcp']);
  await sleep(150);
  assert.equal(untold.kinds().length, 4);

  const said = world(t, 'receiver', 3, () => true);
  said.supervisor.paths([said.path('tcp', 'a')]);
  await sleep(50);
  assert.equal(said.kinds().length, 3);
});

test('lanes that would be in a thread by now make way, but not before there is another, nor where they are the best there is', async (t) => {
  const { supervisor, path, up, kinds, retired } = world(t);
  let threads = false;
  const opened = new Set<Lane>();
  const outdated: Path['outdated'] = (lane) => threads && opened.has(lane as Lane);
  supervisor.paths([path('tcp', 'main', { outdated })]);
  await until('four lanes', () => kinds().join() === 'tcp,tcp,tcp,tcp');
  for (const lane of up) opened.add(lane);
  const before = new Set(up);
  // There are threads, and nobody answers there yet.
  threads = true;
  supervisor.paths([path('tcp', 'main', { outdated, open: fails })]);
  await sleep(300);
  assert.equal(retired.length, 0);
  assert.equal(up.length, 4);
  supervisor.paths([path('tcp', 'main', { outdated })]);
  await until('other lanes alone', () => up.length === 4 && up.every((lane) => !before.has(lane)));
  assert.deepEqual(new Set(retired), before);
});

test('a path on which opening the first lane took very long begins with more', async (t) => {
  for (const [openedInMs, count] of [
    [20, 4],
    [200, 8],
    [400, 16],
  ] as const) {
    const { supervisor, path, pipe } = world(t);
    let opened = 0;
    const open = async () => {
      opened++;
      return { ...pipe('tcp'), openedInMs };
    };
    supervisor.paths([path('tcp', 'a', { open })]);
    await until(`${count} lanes`, () => opened >= count);
    assert.equal(opened, count);
  }
});
