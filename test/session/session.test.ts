/** One session by itself, on a virtual clock: what it makes of the rendezvous, of pipes, and of words, in whatever order they come. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { ANSWER_DEADLINE, HANDSHAKE_DEADLINE } from '../../src/base/limits.ts';
import { fromCode, type SharedSecret } from '../../src/identity/secret.ts';
import type { Mailbox } from '../../src/meeting/ports.ts';
import type { TransferEvent, TransferOptions } from '../../src/session/api.ts';
import { Guesses } from '../../src/session/guesses.ts';
import { IncomingPipes } from '../../src/session/incoming.ts';
import { Lobby } from '../../src/session/lobby.ts';
import { Session, type SessionEnd } from '../../src/session/session.ts';
import type { Peer } from '../../src/sync/peer.ts';
import type { Role } from '../../src/transports/transport.ts';
import { NO_SERVICES } from '../../src/wire/rendezvous.ts';
import { hashing } from '../hashing.ts';
import { helloOf } from '../hello.ts';
import { memoryPipes } from '../lanes/memory-pipe.ts';
import { settled, VirtualClock } from '../virtual-clock.ts';
import { pake } from './fakes.ts';

const CODE = fromCode({ nameplate: '7', password: 'right-words' });

interface SideOptions {
  fingerprint?: string;
  secret?: SharedSecret;
  options?: Pick<TransferOptions, 'lanes' | 'limit' | 'relay' | 'wait'>;
}

function side(
  role: Role,
  clock: VirtualClock,
  { fingerprint = role, secret = CODE, options = {} }: SideOptions = {},
) {
  const events: TransferEvent[] = [];
  const calls: string[] = [];
  const made = {
    ...{ role, clock, events, calls, fingerprint },
    /** Bodies for the other side. */
    out: [] as string[],
    dropped: 0,
    hellos: 0,
    awaits: undefined as string | undefined,
    end: undefined as SessionEnd | undefined,
    state: () => events.flatMap((event) => (event.event === 'state' ? [event.to] : [])),
  };
  const pipes = new IncomingPipes(clock);
  const session: Session = new Session({
    ...{ id: 1, role, options, pipes, log: undefined, paused: false, again: false },
    ...{ mayPin: () => true, several: () => false },
    platform: {
      ...{ clock, agent: 'test', random: () => 0, ...hashing, pake },
      allocate: (bytes) => new Uint8Array(bytes),
    },
    emit: (event) => void events.push(event),
    ended: (end) => {
      made.end = end;
      lobby.close();
    },
  });
  const call = (name: string) => () => void calls.push(name);
  const engine: Peer = {
    get awaits() {
      return made.awaits;
    },
    restartable: true,
    ...{ addLane: call('addLane'), removeLane: call('removeLane'), message: call('message') },
    ...{ restart: call('restart'), rest: call('rest'), run: call('run'), stop: call('stop') },
  };
  const mailbox: Mailbox = {
    ...{ nameplate: '7', token: '', services: NO_SERVICES },
    send: (body) => void made.out.push(body),
    ...{ guests: 1, keep: () => {} },
    drop: () => void made.dropped++,
    ...{ reconnect: () => {}, close: () => {} },
  };
  const traits = { relayed: false, ownAddress: [], hides: false };
  const network = {
    kinds: [{ kind: 'memory', traits }],
    hello: () => {
      const {
        agent: _agent,
        lanes: _lanes,
        ...hello
      } = helloOf({ fingerprint: made.fingerprint.padEnd(64, '0') });
      return hello;
    },
    peer: () => void made.hellos++,
    close: call('network closed'),
  };
  const lobby = new Lobby({
    ...{ role, clock, pake, guesses: new Guesses(1), log: undefined },
    ...(role === 'receiver' && { session }),
    emit: (event) => void events.push(event),
    seat: () => session,
    strangers: (present) => {
      if (!session.attended) session.present(present);
    },
    failed: (error) => session.failUnlessProven(error),
    lost: (error) => session.failUnlessProven(error),
  });
  const open = () => {
    session.open({ engine, network, known: { secret } });
    lobby.open(mailbox, { secret });
  };
  return { ...made, made, session, meeting: lobby.events, engine, open };
}

type Side = ReturnType<typeof side>;

/** Hands over what each has said until neither says more. */
function talk(...[a, b]: [Side, Side]): void {
  while (a.out.length + b.out.length > 0) {
    for (const body of a.out.splice(0)) b.meeting.onMessage(body, 0);
    for (const body of b.out.splice(0)) a.meeting.onMessage(body, 0);
  }
}

/** Two that are open, and at the rendezvous; nothing is said yet. */
function pair(receiving: SideOptions = {}, sending: SideOptions = {}) {
  const clock = new VirtualClock();
  const sender = side('sender', clock, { fingerprint: 'a', ...sending });
  const receiver = side('receiver', clock, { fingerprint: 'b', ...receiving });
  for (const { session, open } of [sender, receiver]) {
    session.dispatch('start');
    open();
  }
  const meet = () => {
    for (const { meeting } of [sender, receiver]) meeting.onPeer(true, 0);
    talk(sender, receiver);
  };
  return { clock, sender, receiver, meet };
}

/** A lane between them. */
async function connect(sender: Side, receiver: Side) {
  const [near, far] = memoryPipes();
  sender.session.offerPipe(near, 'b'.padEnd(64, '0'));
  receiver.session.offerPipe(far, 'a'.padEnd(64, '0'));
  await settled();
  return near;
}

/** So long is over, and what is on the pipes has come: they know nothing of the clock. */
async function flow(clock: VirtualClock, ms: number) {
  for (let at = 0; at < ms; at += 250) {
    await clock.pass(Math.min(250, ms - at));
    for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

const codeOf = ({ made }: Side) => made.end && 'error' in made.end && made.end.error.code;

it('what the rendezvous brings before the session is open is made up for in its order', () => {
  const { sender, receiver, clock } = pair();
  const late = side('receiver', clock, { fingerprint: 'b' });
  late.session.dispatch('start');
  late.meeting.onPeer(true, 0);
  sender.meeting.onPeer(true, 0);
  for (const body of sender.out.splice(0)) late.meeting.onMessage(body, 0);
  assert.deepEqual([late.state(), late.out], [['connecting'], []]);
  late.open();
  talk(sender, late);
  assert.deepEqual(late.state(), ['connecting', 'authenticating']);
  assert.ok(late.session.proven && sender.session.proven);
  assert.equal(receiver.session.proven, false);
});

it('the two prove the secret, a lane comes up, and the engine is asked to pull', async () => {
  const { sender, receiver, meet } = pair();
  meet();
  assert.deepEqual([sender.made.hellos, receiver.made.hellos], [1, 1]);
  await connect(sender, receiver);
  for (const { calls, state } of [sender, receiver]) {
    assert.deepEqual(calls, ['addLane', 'run']);
    assert.deepEqual(state(), ['connecting', 'authenticating', 'transferring']);
  }
});

it('a pipe that comes before its owner is proven waits, and a stranger’s is closed', async () => {
  const { sender, receiver, meet } = pair();
  const [near] = memoryPipes();
  const [strange] = memoryPipes();
  let closed = 0;
  for (const [pipe, fingerprint] of [
    [near, 'b'.padEnd(64, '0')],
    [strange, 'c'.padEnd(64, '0')],
  ] as const) {
    const destroy = pipe.destroy.bind(pipe);
    pipe.destroy = () => {
      closed++;
      destroy();
    };
    sender.session.pipes.offer(pipe, fingerprint);
  }
  assert.deepEqual([closed, sender.calls], [0, []]);
  meet();
  await settled();
  assert.deepEqual([closed, sender.calls], [1, ['addLane', 'run']]);
  assert.ok(receiver.session.proven);
});

it('who comes back to the rendezvous while lanes carry is shown a fresh hello and nothing changes', async () => {
  const { sender, receiver, meet } = pair();
  meet();
  await connect(sender, receiver);
  const told = sender.events.length;
  meet();
  assert.equal(sender.events.length, told);
  assert.deepEqual(
    [sender.made.hellos, receiver.made.hellos].map((hellos) => hellos > 1),
    [true, true],
  );
  assert.equal(sender.session.state, 'transferring');
});

it('a new process of the same secret takes the place of the old one, whose lanes are dropped', async () => {
  const { sender, receiver, meet, clock } = pair();
  meet();
  await connect(sender, receiver);
  const second = side('receiver', clock, { fingerprint: 'd' });
  second.session.dispatch('start');
  second.open();
  sender.meeting.onPeer(false, 0);
  for (const { meeting } of [sender, second]) meeting.onPeer(true, 0);
  talk(sender, second);
  await clock.pass(1);
  assert.ok(sender.calls.includes('restart') && sender.calls.includes('removeLane'));
  assert.equal(sender.session.pin, 'd'.padEnd(64, '0'));
  assert.deepEqual([...sender.session.lanes], []);
});

it('a stream cannot be sent to a new process', async () => {
  const { sender, receiver, meet, clock } = pair();
  meet();
  await connect(sender, receiver);
  Object.assign(sender.engine, { restartable: false });
  const second = side('receiver', clock, { fingerprint: 'd' });
  second.session.dispatch('start');
  second.open();
  for (const { meeting } of [sender, second]) meeting.onPeer(true, 0);
  talk(sender, second);
  await clock.pass(10_000);
  assert.equal(codeOf(sender), 'PEER_FAILED');
});

it('a wrong code ends both, and says whose turn it is', async () => {
  const { sender, receiver, meet, clock } = pair({ secret: fromCode({ nameplate: '7', password: 'wrong' }) });
  meet();
  await clock.pass(10_000);
  assert.deepEqual([codeOf(sender), codeOf(receiver)], ['WRONG_CODE', 'WRONG_CODE']);
  for (const { made, role } of [sender, receiver])
    assert.match(
      String(made.end && 'error' in made.end && made.end.error.message),
      role === 'sender' ? /Send again/ : /Ask the sender/,
    );
});

it('with a key, whoever cannot prove it is put out and the right one is waited for', async () => {
  const key = (password: string): SharedSecret => ({ ...CODE, way: 'psk', password: Buffer.from(password) });
  const { sender, receiver, meet, clock } = pair({ secret: key('wrong') }, { secret: key('right') });
  meet();
  await clock.pass(10_000);
  assert.deepEqual([codeOf(sender), sender.made.dropped], [undefined, 1]);
  assert.equal(codeOf(receiver), 'WRONG_CODE');
});

it('somebody who takes the place and says nothing is put out; a sender that says nothing ends its receiver', async () => {
  const { sender, receiver, clock } = pair();
  for (const { meeting } of [sender, receiver]) meeting.onPeer(true, 0);
  await clock.pass(HANDSHAKE_DEADLINE);
  assert.deepEqual([sender.made.dropped, codeOf(sender)], [1, undefined]);
  await clock.pass(10_000);
  assert.equal(codeOf(receiver), 'TIMEOUT');
});

it('a sender that comes and goes for ever makes no wait longer', async () => {
  const { receiver, clock } = pair();
  for (let i = 0; i < 40 && !receiver.session.over; i++) {
    receiver.meeting.onPeer(i % 2 === 0, 0);
    await clock.pass(HANDSHAKE_DEADLINE / 2);
  }
  await clock.pass(HANDSHAKE_DEADLINE);
  assert.ok(receiver.session.over, 'it waits for ever');
});

it('what the engine waits for has a deadline while lanes carry, and none in a pause', async () => {
  const { sender, receiver, meet, clock } = pair();
  meet();
  await connect(sender, receiver);
  receiver.made.awaits = 'its offer';
  receiver.session.awaits();
  receiver.session.pause();
  await flow(clock, 2 * ANSWER_DEADLINE);
  assert.equal(receiver.session.state, 'paused');
  receiver.session.resume();
  await flow(clock, ANSWER_DEADLINE + 5_000);
  assert.equal(codeOf(receiver), 'TIMEOUT');
});

it('a pause, its end and a cancel are heard on the other side, each by whom', async () => {
  const { sender, receiver, meet, clock } = pair();
  meet();
  await connect(sender, receiver);
  sender.session.pause();
  await flow(clock, 100);
  assert.deepEqual([receiver.session.state, receiver.calls.at(-1)], ['paused', 'rest']);
  receiver.session.resume();
  await flow(clock, 100);
  assert.deepEqual([sender.session.state, sender.calls.at(-1)], ['transferring', 'run']);
  sender.session.cancel();
  await flow(clock, 5_000);
  assert.deepEqual([codeOf(sender), codeOf(receiver)], ['CANCELLED', 'CANCELLED']);
  const by = receiver.events.flatMap((event) => (event.event === 'state' && event.by ? [event.by] : []));
  assert.deepEqual(by, ['peer', 'self', 'peer']);
});

it('an end before it is open releases what was opened, and what comes later', async () => {
  const clock = new VirtualClock();
  const one = side('receiver', clock);
  let released = 0;
  one.session.dispatch('start');
  one.session.cleanup.push(() => void released++);
  one.session.fail(new BeelineError('INTERRUPTED', 'for this test'));
  await clock.pass(5_000);
  assert.deepEqual([released, codeOf(one)], [1, 'INTERRUPTED']);
  one.session.cleanup.push(() => void released++);
  one.open();
  await clock.pass(1);
  assert.deepEqual([released, one.calls, clock.waiting], [2, [] as string[], 0]);
});

it('a relayed pipe is not let in where the person wants none', () => {
  const { sender, meet } = pair({}, { options: { relay: 'never' } });
  meet();
  const [near] = memoryPipes();
  let closed = false;
  const destroy = () => {
    closed = true;
  };
  sender.session.offerPipe(Object.assign(near, { relayed: true as const, destroy }), 'b'.padEnd(64, '0'));
  assert.deepEqual([closed, sender.calls], [true, []]);
});

it('nothing of the rendezvous is heard after the end, and no wait is left', async () => {
  for (const present of [true, false]) {
    const { sender, receiver, clock } = pair();
    for (const { session } of [sender, receiver]) session.cancel();
    // The mailbox closes last.
    for (const { meeting } of [sender, receiver]) meeting.onPeer(present, 0);
    await clock.pass(5_000);
    assert.deepEqual([codeOf(sender), codeOf(receiver)], ['CANCELLED', 'CANCELLED']);
    for (const { meeting } of [sender, receiver]) meeting.onPeer(present, 0);
    assert.equal(clock.waiting, 0);
  }
});

it('however much the rendezvous brings before the session is open, its loss is heard', async () => {
  const clock = new VirtualClock();
  const late = side('receiver', clock);
  late.session.dispatch('start');
  for (let i = 0; i < 1000; i++) late.meeting.onMessage('x', 0);
  late.meeting.onLost(new BeelineError('SERVER', 'gone'));
  late.open();
  await clock.pass(5_000);
  assert.ok(late.session.over);
  assert.equal(clock.waiting, 0, 'a wait is left');
});
