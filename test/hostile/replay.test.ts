/** What was said before, said again, and lanes to somebody else. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import test from 'node:test';
import { makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { dial } from '../../src/transports/tcp/dial.ts';
import { listen } from '../../src/transports/tcp/listen.ts';
import { party } from './meetings.ts';
import { LIMIT } from './world.ts';

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('protects from: a replayed handshake', LIMIT, () => {
  const record = () => {
    const [sender, receiver] = [party('sender', 'right-words', 's'), party('receiver', 'right-words', 'r')];
    sender.handshake.peerAppeared();
    receiver.handshake.receive(sender.out[0]!);
    sender.handshake.receive(receiver.out[0]!);
    receiver.handshake.receive(sender.out[1]!);
    assert.deepEqual([sender.met, receiver.met], [['r'], ['s']]);
    return { share: sender.out[0]!, answer: receiver.out[0]!, accept: sender.out[1]! };
  };
  const { share, answer, accept } = record();
  // To a new receiver of the same code, as its sender.
  const receiver = party('receiver', 'right-words', 'r2');
  receiver.handshake.receive(share);
  receiver.handshake.receive(accept);
  assert.deepEqual(receiver.met, []);
  assert.equal(receiver.errors[0]?.code, 'WRONG_CODE');
  // To a new sender, as its receiver.
  const sender = party('sender', 'right-words', 's2');
  sender.handshake.peerAppeared();
  sender.handshake.receive(answer);
  assert.deepEqual(sender.met, []);
  assert.equal(sender.errors[0]?.code, 'WRONG_CODE');
});

/** A path that keeps what the dialling side says. */
async function recorder(t: TestContext, to: number) {
  const said: Buffer[] = [];
  const sockets = new Set<Socket>();
  const { connect } = await import('node:net');
  const proxy = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
    near.on('data', (bytes) => {
      said.push(bytes);
      far.write(bytes);
    });
    far.pipe(near);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return { said, port: (proxy.address() as { port: number }).port };
}

test('protects from: replayed bytes of a lane', LIMIT, async (t) => {
  const [ours, theirs] = await Promise.all([makeCertificate(), makeCertificate()]);
  const proven: string[] = [];
  const heard: Buffer[] = [];
  const options = {
    host: '127.0.0.1',
    context: laneContext(ours.cert, ours.key),
    onPipe: (pipe: Pipe, fingerprint: string) => {
      proven.push(fingerprint);
      pipe.start(
        (bytes) => heard.push(Buffer.from(bytes)),
        () => {},
      );
    },
  };
  const listener = await listen(options);
  t.after(() => listener.close());
  const { said, port } = await recorder(t, listener.port);
  const context = laneContext(theirs.cert, theirs.key);
  const pipe = await dial(
    { host: '127.0.0.1', port },
    context,
    ours.fingerprint,
    new AbortController().signal,
  );
  pipe.write(Buffer.from('one chunk'), () => {});
  while (heard.length === 0) await pause(5);
  pipe.destroy();
  assert.deepEqual(proven, [theirs.fingerprint]);
  // The same bytes, to the very same certificate: TLS 1.3 has fresh keys, and nothing of it is taken twice.
  const { connect } = await import('node:net');
  const again = connect(listener.port, '127.0.0.1');
  const closed = new Promise((resolve) => again.on('close', resolve).on('error', () => {}));
  again.resume();
  for (const bytes of said) again.write(bytes);
  await closed;
  assert.equal(proven.length, 1);
  assert.equal(Buffer.concat(heard).toString(), 'one chunk');
});

test('protects from: a lane to somebody else', LIMIT, async (t) => {
  const [ours, theirs, middle] = await Promise.all([makeCertificate(), makeCertificate(), makeCertificate()]);
  const listener = await listen({
    host: '127.0.0.1',
    context: laneContext(middle.cert, middle.key),
    onPipe: (pipe) => pipe.destroy(),
  });
  t.after(() => listener.close());
  const context = laneContext(theirs.cert, theirs.key);
  const to = { host: '127.0.0.1', port: listener.port };
  await assert.rejects(dial(to, context, ours.fingerprint, new AbortController().signal), {
    code: 'AUTHENTICATION',
  });
});
