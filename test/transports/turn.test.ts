import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BeelineError } from '../../src/base/errors.ts';
import { type Certificate, makeCertificate } from '../../src/identity/certificate.ts';
import { METHOD } from '../../src/nat/stun/message.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { dial } from '../../src/transports/tcp/dial.ts';
import {
  allocate,
  bindConnection,
  MAX_CONNECTIONS,
  MAX_PERMISSIONS,
  type TurnOptions,
} from '../../src/transports/turn/allocation.ts';
import { Credential } from '../../src/transports/turn/control.ts';
import { FakeTurn, LOGIN } from './turn-fake.ts';

describe('TURN allocations', () => {
  const undo: (() => unknown)[] = [];
  let ours: Certificate;
  let theirs: Certificate;

  before(async () => {
    [ours, theirs] = await Promise.all([makeCertificate(), makeCertificate()]);
  });
  after(async () => {
    for (const each of undo.reverse()) await each();
  });

  async function fakeServer(): Promise<FakeTurn> {
    const fake = await FakeTurn.start();
    undo.push(() => fake.stop());
    return fake;
  }

  async function start(fakes: FakeTurn | string[], options: Partial<TurnOptions> = {}) {
    const pipes: { pipe: Pipe; fingerprint: string }[] = [];
    const lost: BeelineError[] = [];
    const urls = Array.isArray(fakes) ? fakes : [fakes.url];
    const allocation = await allocate({
      rendezvous: '127.0.0.1',
      server: { urls, ...LOGIN },
      context: laneContext(ours.cert, ours.key),
      onPipe: (pipe, fingerprint) => pipes.push({ pipe, fingerprint }),
      onLost: (error) => lost.push(error),
      signal: new AbortController().signal,
      ...options,
    });
    undo.push(() => allocation.close());
    return { allocation, pipes, lost };
  }

  const dialed = (allocation: { relayed: { host: string; port: number } }) =>
    dial(
      allocation.relayed,
      laneContext(theirs.cert, theirs.key),
      ours.fingerprint,
      new AbortController().signal,
      { kind: 'turn', relayed: true },
    );

  async function until(what: string, met: () => boolean): Promise<void> {
    for (let tries = 0; !met(); tries++) {
      assert.ok(tries < 1000, `still waiting: ${what}`);
      await sleep(10);
    }
  }

  /** Answers one method otherwise. */
  const only =
    (method: number, answer: FakeTurn['answer']): FakeTurn['answer'] =>
    (request) =>
      request.method === method ? answer(request) : request.usual();

  it('a peer dials the relayed address and has a lane; the end is told to the server', async () => {
    const fake = await fakeServer();
    const { allocation, pipes, lost } = await start(fake);
    assert.equal(allocation.mapped.host, '192.0.2.1');
    await allocation.permit(['127.0.0.1']);
    const theirPipe = await dialed(allocation);
    await until('a pipe', () => pipes.length === 1);
    assert.equal(pipes[0]!.fingerprint, theirs.fingerprint);
    assert.match(pipes[0]!.pipe.remote, /^127\.0\.0\.1:\d+$/);
    const got: Uint8Array[] = [];
    const ends: string[] = [];
    theirPipe.start(
      (bytes) => got.push(new Uint8Array(bytes)),
      () => ends.push('theirs'),
    );
    pipes[0]!.pipe.start(
      () => {},
      () => ends.push('ours'),
    );
    await new Promise<void>((resolve) => pipes[0]!.pipe.write(Buffer.from('hello'), () => resolve()));
    await until('the bytes', () => Buffer.concat(got).toString() === 'hello');
    await allocation.close();
    assert.deepEqual({ ...fake.seen.at(-1) }, { method: METHOD.refresh, nonce: 'first', lifetime: 0 });
    await until('both ends', () => ends.length === 2);
    assert.deepEqual(lost, []);
  });

  it('a nonce may go stale before any request, proven by the server or not', async () => {
    const fake = await fakeServer();
    const { allocation, pipes, lost } = await start(fake);
    let changes = 0;
    let stale = new Set<number>();
    fake.answer = (request) => {
      if (stale.delete(request.method)) fake.nonce = `nonce ${++changes}`;
      const answer = request.usual();
      return answer.error ? { ...answer, proven: changes % 2 === 0 } : answer;
    };
    for (let i = 1; i <= 4; i++) {
      stale = new Set([METHOD.createPermission, METHOD.refresh, ...(i > 2 ? [METHOD.connectionBind] : [])]);
      await allocation.permit([`192.0.2.${i}`]);
      assert.equal(fake.count(METHOD.createPermission), i);
      const pipe = await dialed(allocation);
      await until('a pipe', () => pipes.length === i);
      assert.equal(stale.size, 0, 'each kind of request met a stale nonce');
      pipe.destroy();
    }
    assert.equal(changes, 10);
    assert.deepEqual(lost, []);
  });

  it('a server that calls every nonce stale is given up after a few tries', async () => {
    const fake = await fakeServer();
    let asked = 0;
    fake.answer = () => {
      fake.nonce = `nonce ${++asked}`;
      return fake.challenge(438);
    };
    await assert.rejects(start(fake), { code: 'SERVER', message: /438/ });
    assert.equal(asked, 4);
  });

  it('what a server refuses is told; the next of its URLs is tried', async () => {
    const fake = await fakeServer();
    const good = await fakeServer();
    for (const [error, text] of [
      [401, /username and credential/],
      [442, /TCP allocations/],
      [486, /as many allocations/],
      [508, /full/],
      [599, /599 \(so be it\)/],
    ] as const) {
      fake.answer = (request) => (error === 401 ? fake.challenge(401) : { ...request.usual(), error });
      await assert.rejects(start(fake), { code: 'SERVER', message: text });
    }
    const { allocation } = await start([fake.url, 'nonsense', good.url]);
    assert.equal(good.count(METHOD.allocate), 1);
    await allocation.close();
    await assert.rejects(start(['nonsense']), { code: 'SERVER' });
  });

  it('silence, garbage, unproven and senseless answers end in an error', async () => {
    const fake = await fakeServer();
    const cases: [FakeTurn['answer'], string][] = [
      [() => undefined, 'TIMEOUT'],
      [({ socket }) => void socket.write('SSH-2.0-OpenSSH_9.2 and so on\r\n'), 'PROTOCOL'],
      [({ socket }) => void socket.destroy(), 'NO_PATH'],
      [({ socket }) => void socket.end(), 'NO_PATH'],
      [({ usual }) => ({ ...usual(), proven: false }), 'AUTHENTICATION'],
      [({ usual }) => ({ ...usual(), attributes: usual().attributes?.slice(0, 2) }), 'PROTOCOL'],
      [() => ({ error: 401 }), 'SERVER'],
    ];
    for (const [answer, code] of cases) {
      fake.answer = answer;
      const timing = code === 'TIMEOUT' ? { answer: 200 } : {};
      await assert.rejects(start(fake, { timing }), { name: 'BeelineError', code });
    }
    const port = fake.port;
    await fake.stop();
    await assert.rejects(start([`turn:127.0.0.1:${port}`]), { code: 'NO_PATH' });
  });

  it('each distinct address is permitted by itself, 16 at most, and renewed', async () => {
    const fake = await fakeServer();
    const { allocation } = await start(fake, { timing: { renew: 100 } });
    fake.answer = only(METHOD.createPermission, ({ usual }) => {
      const answer = usual();
      return fake.seen.at(-1)?.peer === '10.0.0.1' ? { error: 403 } : answer;
    });
    const asked = () => fake.seen.filter(({ peer }) => peer).map(({ peer }) => peer!);
    const count = (peer: string) => asked().filter((each) => each === peer).length;
    await allocation.permit(['10.0.0.1', '192.0.2.7', '::ffff:192.0.2.7', '2001:db8::1', 'localhost', '']);
    assert.deepEqual([...new Set(asked())].sort(), ['10.0.0.1', '192.0.2.7']);
    await until('renewals', () => count('192.0.2.7') >= 3);
    const refused = count('10.0.0.1');
    const renewed = count('192.0.2.7');
    await until('more renewals', () => count('192.0.2.7') >= renewed + 3);
    assert.equal(count('10.0.0.1'), refused);
    const crowd = Array.from({ length: 40 }, (_, i) => `198.51.100.${i}`);
    await allocation.permit(crowd);
    assert.equal(new Set(asked()).size, 2 + MAX_PERMISSIONS);
    await until('renewals', () => count(crowd[MAX_PERMISSIONS - 1]!) >= 3);
    const forgotten = count('192.0.2.7');
    await until('more renewals', () => count(crowd[0]!) >= 6);
    assert.ok(count('192.0.2.7') <= forgotten + 1, 'the oldest made room');
  });

  it('it is refreshed at half of its life, and not in a hurry if a server grants none', async () => {
    const fake = await fakeServer();
    fake.lifetime = 3;
    const times = [performance.now()];
    const { lost } = await start(fake);
    fake.lifetime = 0;
    fake.answer = only(METHOD.refresh, ({ usual }) => {
      times.push(performance.now());
      return usual();
    });
    await until('refreshes', () => fake.count(METHOD.refresh) === 2);
    const [first = 0, second = 0] = times.slice(1).map((time, i) => time - times[i]!);
    assert.ok(first >= 1_400 && second >= 900, `${first} and ${second} ms`);
    assert.deepEqual(lost, []);
  });

  it('it is lost once: refused, unanswered, cut or talked nonsense to', async () => {
    const endings: [(fake: FakeTurn) => void, string][] = [
      [(fake) => fake.controls[0]!.destroy(), 'NO_PATH'],
      [(fake) => fake.push(Buffer.alloc(200, 1)), 'PROTOCOL'],
      [(fake) => (fake.answer = only(METHOD.refresh, () => ({ error: 437 }))), 'SERVER'],
      [(fake) => (fake.answer = only(METHOD.refresh, () => undefined)), 'TIMEOUT'],
    ];
    for (const [end, code] of endings) {
      const fake = await fakeServer();
      const { allocation, lost } = await start(fake, {
        timing: { refresh: 100, answer: code === 'TIMEOUT' ? 3_000 : 15_000 },
      });
      end(fake);
      await until(code, () => lost.length === 1);
      assert.equal(lost[0]!.code, code);
      await allocation.permit(['127.0.0.1']);
      await allocation.close();
      assert.equal(lost.length, 1);
    }
  });

  it('a network that has changed is noticed by asking', async () => {
    const fake = await fakeServer();
    const { allocation, lost } = await start(fake, { timing: { answer: 3_000 } });
    allocation.check();
    await until('a refresh', () => fake.count(METHOD.refresh) === 1);
    fake.answer = () => undefined;
    await until('the loss', () => {
      // One that is still being answered is all that is asked.
      allocation.check();
      return lost.length === 1;
    });
    assert.equal(lost[0]!.code, 'TIMEOUT');
    allocation.check();
  });

  it('closing does not wait for a server that says nothing, and aborting closes', async () => {
    const fake = await fakeServer();
    const { allocation, lost } = await start(fake, { timing: { close: 100 } });
    fake.answer = () => undefined;
    await allocation.close();
    const abort = new AbortController();
    fake.answer = ({ usual }) => usual();
    const { lost: alsoLost } = await start(fake, { signal: abort.signal });
    abort.abort();
    await until('the end', () => fake.seen.at(-1)?.lifetime === 0);
    assert.deepEqual([...lost, ...alsoLost], []);
    await assert.rejects(start(fake, { signal: abort.signal }), { code: 'NO_PATH' });
    const during = new AbortController();
    fake.answer = () => void setImmediate(() => during.abort());
    await assert.rejects(start(fake, { signal: during.signal }), { code: 'NO_PATH' });
  });

  it('a flood of attempts opens no more than the bound, and those that fail make room', async () => {
    const fake = await fakeServer();
    let failed = 0;
    const { allocation, pipes } = await start(fake, { log: { debug: () => void failed++ } });
    const malformed = [new Uint8Array(0), new Uint8Array(3), new Uint8Array(8)];
    for (const id of malformed) fake.attempt(id);
    let binds = 0;
    const held: { destroy(): void }[] = [];
    fake.answer = only(METHOD.connectionBind, ({ socket }) => {
      binds++;
      held.push(socket);
      return undefined;
    });
    for (let i = 0; i < 200; i++) fake.attempt(Uint8Array.of(1, 1, 1, i));
    await until('binds', () => binds === MAX_CONNECTIONS);
    await sleep(100);
    assert.equal(binds, MAX_CONNECTIONS);
    fake.answer = ({ usual }) => usual();
    for (const socket of held) socket.destroy();
    await until('failures', () => failed === MAX_CONNECTIONS);
    for (let i = 1; i <= 2 * MAX_CONNECTIONS; i++) {
      const pipe = await dialed(allocation);
      await until('a pipe', () => pipes.length === i);
      pipe.destroy();
      pipes[i - 1]!.pipe.destroy();
      await sleep(20);
    }
  });

  it('a stranger who connects and says nothing, or no TLS, gets nothing', async () => {
    const fake = await fakeServer();
    const { allocation, pipes, lost } = await start(fake);
    const socket = connect(allocation.relayed.port, allocation.relayed.host);
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
    assert.deepEqual([pipes.length, lost.length], [0, 0]);
    (await dialed(allocation)).destroy();
  });

  it('what comes right behind the answer to a bind is the peer’s, and is not lost', async () => {
    const fake = await fakeServer();
    fake.answer = ({ usual, method }) =>
      method === METHOD.connectionBind && !usual().error
        ? { ...usual(), after: Buffer.from('hello') }
        : usual();
    const name = 'fake';
    const signal = new AbortController().signal;
    const target = { host: '127.0.0.1', port: fake.port, secure: false };
    const common = { name, target, credential: new Credential(LOGIN), answer: 1000, signal };
    const bound = { address: '127.0.0.1', id: Uint8Array.of(0, 0, 0, 1), fresh: Promise.resolve() };
    const socket = await bindConnection({ ...common, ...bound });
    if (socket.readableLength === 0) await once(socket, 'readable');
    assert.equal(String(socket.read()), 'hello');
    socket.destroy();
    const failing = bindConnection({ ...common, ...bound, fresh: Promise.reject(new Error('stale')) });
    await assert.rejects(failing, /stale/);
  });
});
