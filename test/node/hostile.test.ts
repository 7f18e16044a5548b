/** The library against strangers, a hostile rendezvous and a hostile peer. Loopback only, nothing announced. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import type { BeelineError } from '../../src/base/errors.ts';
import { fromCode } from '../../src/identity/secret.ts';
import type { ReceiveOptions, SendOptions, Transfer, TransferEvent } from '../../src/node/api.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import { Guesses } from '../../src/session/guesses.ts';
import { Handshake } from '../../src/session/handshake.ts';
import type { Running } from '../../src/session/transfer.ts';
import type { Message } from '../../src/wire/messages.ts';
import { helloOf } from '../hello.ts';
import { freePort } from '../ports.ts';
import { whenOpen } from './meeting.ts';

const CODE = '7-velvet-canyon';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'beeline-hostile-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function until<E extends TransferEvent['event']>(transfer: Transfer, name: E) {
  return new Promise<TransferEvent & { event: E }>((resolve) => {
    transfer.subscribe((event) => {
      if (event.event === name) resolve(event as TransferEvent & { event: E });
    });
  });
}

interface Started {
  sender: Running;
  port: number;
  join(options?: Partial<ReceiveOptions>): Running;
}

/** A sender that can be found, and the way to join it. */
async function start(path: string, options: SendOptions = {}): Promise<Started> {
  const sender = send([path], { lan: false, code: CODE, at: '127.0.0.1:0', ...options }) as Running;
  const { port } = await until(sender, 'listening');
  const at = `127.0.0.1:${port}`;
  return {
    sender,
    port,
    join: (more) => receive({ accept: 'all', lan: false, code: CODE, at, ...more }) as Running,
  };
}

function file(dir: string, bytes = 100_000): string {
  const path = join(dir, 'file.bin');
  writeFileSync(path, new Uint8Array(bytes).fill(7));
  return path;
}

/** The code of the error that a transfer ends with; '' if it succeeds. */
const ending = (transfer: Transfer): Promise<string> =>
  transfer.done.then(
    () => '',
    (error: BeelineError) => error.code,
  );

test("a stranger's open connection does not keep a sender from ending", { timeout: 90_000 }, async (t) => {
  const dir = folder(t);
  const { sender, port, join: receiver } = await start(file(dir));
  const stranger = connect(port, '127.0.0.1');
  stranger.on('error', () => {});
  t.after(() => stranger.destroy());
  await new Promise((resolve) => stranger.once('connect', resolve));
  stranger.write('GET / HT');
  const closed = new Promise((resolve) => stranger.once('close', resolve));
  assert.equal(await ending(receiver({ to: join(dir, 'to') })), '');
  assert.equal(await ending(sender), '');
  await closed;
});

test('a port that opens after its session has ended is closed again', { timeout: 90_000 }, async (t) => {
  const dir = folder(t);
  const port = await freePort();
  for (const moment of ['state', 'manifest'] as const) {
    const sender = send([file(dir)], { lan: false, code: CODE, at: `127.0.0.1:${port}` });
    sender.subscribe(({ event }) => void (event === moment && sender.cancel()));
    assert.equal(await ending(sender), 'CANCELLED');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    assert.ok(!open, `still listening, cancelled at its ${moment}`);
  }
});

test('an offer accepted after the sender has left begins nothing', { timeout: 90_000 }, async (t) => {
  const dir = folder(t);
  const to = join(dir, 'to');
  const { sender, join: receiver } = await start(file(dir));
  let answer = (_yes: boolean) => {};
  let asked = () => {};
  const prompt = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const receiving = receiver({
    to,
    accept: () => {
      asked();
      return new Promise<boolean>((resolve) => {
        answer = resolve;
      });
    },
  });
  await prompt;
  sender.cancel();
  assert.equal(await ending(receiving), 'CANCELLED');
  answer(true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(readdirSync(dir), ['file.bin']);
});

test('cancelling ends a receiver whose standard output nobody reads', { timeout: 90_000 }, async (t) => {
  const dir = folder(t);
  const { sender, join: receiver } = await start(file(dir, 5_000_000));
  let begun = () => {};
  const writing = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const stdout = new Writable({ write: () => begun() });
  const receiving = receiver({ to: '-', stdout });
  await writing;
  receiving.cancel();
  assert.equal(await ending(receiving), 'CANCELLED');
  assert.equal(await ending(sender), 'CANCELLED');
});

const broken: Record<string, Message> = {
  'a chunk request': { type: 'get', spare: false, ranges: [{ index: 0, from: 0, to: 1 }] },
  'a last word too early': { type: 'finished', root: new Uint8Array(32), started: 0, ended: 0 },
  'a status that no other could follow': {
    type: 'status',
    seq: Number.MAX_SAFE_INTEGER,
    state: 'paused',
    code: '',
    text: '',
  },
  'a wish for lanes': { type: 'want-lanes', count: 64 },
};
for (const [name, message] of Object.entries(broken)) {
  test(`a sender that sends ${name} ends the transfer`, { timeout: 90_000 }, async (t) => {
    const dir = folder(t);
    const { sender, join: receiver } = await start(file(dir));
    sender.session.engine!.addLane = (lane) => void lane.send(message).catch(() => {});
    const receiving = receiver({ to: join(dir, 'to') });
    assert.equal(await ending(receiving), 'PROTOCOL');
    sender.cancel();
    await ending(sender);
    assert.deepEqual(readdirSync(dir), ['file.bin']);
  });
}

test('a side that is connected and says nothing is given up', { timeout: 90_000 }, async (t) => {
  for (const silent of ['sender', 'receiver'] as const) {
    const dir = folder(t);
    const { sender, join: receiver } = await start(file(dir));
    const receiving = receiver({ to: join(dir, 'to') });
    const [mute, patient] = silent === 'sender' ? [sender, receiving] : [receiving, sender];
    whenOpen(mute, (engine) => {
      engine.addLane = () => {};
      engine.message = () => {};
    });
    patient.session.answer.ms = 200;
    assert.equal(await ending(patient), 'TIMEOUT');
    mute.cancel();
    await ending(mute);
  }
});

/** Both handshakes of a code, with everything that crosses in the hands of the test. */
function handshakes(receiverPassword = 'velvet-canyon') {
  const hello = () => helloOf();
  const make = (role: 'sender' | 'receiver', password: string) => {
    const side = { out: [] as string[], hellos: 0, errors: [] as BeelineError[] };
    const handshake = new Handshake({
      ...{ guesses: new Guesses(1), admit: () => true },
      role,
      secret: fromCode({ nameplate: '7', password }),
      hello,
      send: (body) => side.out.push(body),
      onHello: () => side.hellos++,
      onWord: () => {},
      onFail: (error) => side.errors.push(error),
    });
    return Object.assign(side, { handshake });
  };
  return { sender: make('sender', 'velvet-canyon'), receiver: make('receiver', receiverPassword) };
}

test('a rendezvous cannot make a receiver check a second guess at its code', () => {
  const { sender: guesser, receiver } = handshakes('right-words');
  guesser.handshake.peerAppeared();
  receiver.handshake.receive(guesser.out.at(-1)!);
  assert.equal(receiver.out.length, 1);
  guesser.handshake.peerAppeared();
  receiver.handshake.receive(guesser.out.at(-1)!);
  assert.equal(receiver.out.length, 1, 'a second answer tells whether a second guess was right');
  assert.equal(receiver.errors[0]?.code, 'AUTHENTICATION');
});

test('one wrong guess ends guessing, also once the right peer is known', () => {
  const { sender, receiver } = handshakes();
  sender.handshake.peerAppeared();
  receiver.handshake.receive(sender.out.at(-1)!);
  sender.handshake.receive(receiver.out.at(-1)!);
  assert.equal(sender.hellos, 1);
  const guess = () => {
    const { receiver: guesser } = handshakes('wrong-words');
    sender.handshake.peerAppeared();
    const last = JSON.parse(sender.out.at(-1)!);
    if (last.k !== 'share') return false;
    guesser.handshake.receive(sender.out.at(-1)!);
    sender.handshake.receive(guesser.out.at(-1)!);
    return true;
  };
  assert.ok(guess());
  assert.equal(sender.errors[0]?.code, 'WRONG_CODE');
  assert.ok(!guess(), 'a share was shown after a wrong guess');
  assert.equal(sender.hellos, 1);
});
