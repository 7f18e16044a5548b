import assert from 'node:assert/strict';
import { EventEmitter, on, once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import {
  localMailbox,
  type Mailbox,
  type MailboxOptions,
  openMailbox,
  type Target,
} from '../../src/meeting/mailbox.ts';
import { createRendezvous, type Limits, type Rendezvous } from '../../src/server/index.ts';
import { dialWebSocket } from '../../src/websocket/dial.ts';

const isError =
  (code: string, pattern = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof BeelineError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  };

/** A rendezvous whose connections the test can cut. */
async function world(use: (world: World) => Promise<void>, limits?: Partial<Limits>) {
  const sockets = new Set<Socket>();
  let rendezvous!: Rendezvous;
  let server!: ReturnType<typeof createHttpServer>;
  const open: Mailbox[] = [];
  async function start(port: number): Promise<number> {
    rendezvous = createRendezvous({ limits });
    server = createHttpServer();
    rendezvous.handle(server);
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
  async function stop(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    const closed = once(server, 'close');
    server.close();
    await rendezvous.close();
    await closed;
  }
  const port = await start(0);
  const meet = async (options: Partial<MailboxOptions> & Pick<MailboxOptions, 'role'>, target?: Target) => {
    const it = new Listener(options.role);
    const mailbox = await openMailbox({
      ...(target ?? { url: `http://127.0.0.1:${port}/` }),
      deadline: 20_000,
      ...it.callbacks,
      ...options,
    });
    open.push(mailbox);
    return Object.assign(it, { mailbox });
  };
  try {
    await use({
      port,
      meet,
      cut: () => {
        for (const socket of sockets) socket.destroy();
      },
      stop,
      restart: () => start(port),
      rendezvous: () => rendezvous,
    });
  } finally {
    for (const mailbox of open) mailbox.close();
    if (server.listening) await stop();
  }
}

interface World {
  port: number;
  meet(
    options: Partial<MailboxOptions> & Pick<MailboxOptions, 'role'>,
    target?: Target,
  ): Promise<Listener & { mailbox: Mailbox }>;
  cut(): void;
  stop(): Promise<void>;
  restart(): Promise<number>;
  rendezvous(): Rendezvous;
}

/** Collects what a mailbox tells, in order. */
class Listener {
  readonly #events = new EventEmitter();
  readonly #queue: AsyncIterableIterator<unknown[]>;
  readonly callbacks: Pick<MailboxOptions, 'onMessage' | 'onPeer' | 'onLost'>;
  readonly name: string;
  /** The one that came last. */
  guest = 0;

  constructor(name: string) {
    this.name = name;
    this.#queue = on(this.#events, 'event') as AsyncIterableIterator<unknown[]>;
    const tell = (event: unknown) => void this.#events.emit('event', event);
    const onPeer = (present: boolean, guest: number) => {
      if (present) this.guest = guest;
      tell(present);
    };
    this.callbacks = { onMessage: tell, onPeer, onLost: tell };
  }

  async next(): Promise<unknown> {
    return (await this.#queue.next()).value[0];
  }
}

test('two meet over WebSocket, and a third gets a clear refusal', () =>
  world(async ({ meet }) => {
    const host = await meet({ role: 'host' });
    const { nameplate } = host.mailbox;
    assert.match(nameplate, /^[0-9]{1,3}$/);
    const guest = await meet({ role: 'guest', nameplate });
    assert.deepEqual([await host.next(), await guest.next()], [true, true]);
    host.mailbox.send('one', host.guest);
    guest.mailbox.send('two');
    assert.deepEqual([await guest.next(), await host.next()], ['one', 'two']);
    await assert.rejects(meet({ role: 'guest', nameplate }), isError('CROWDED', /Two sides have met/));
    host.mailbox.drop(host.guest);
    isError('REFUSED')(await guest.next());
    assert.equal(await host.next(), false);
    const next = await meet({ role: 'guest', nameplate });
    assert.deepEqual([await host.next(), await next.next()], [true, true]);
    host.mailbox.close();
    assert.equal(await next.next(), false);
    isError('NO_PEER', /sender has left/)(await next.next());
  }));

test('both ends outlive a lost connection, and a restarted server', () =>
  world(async ({ meet, cut, stop, restart }) => {
    const host = await meet({ role: 'host' });
    const guest = await meet({ role: 'guest', nameplate: host.mailbox.nameplate });
    assert.deepEqual([await host.next(), await guest.next()], [true, true]);

    const together = async () => {
      // Each end may be seen to come and go while both find back; what counts is that it ends with both there.
      host.mailbox.send('from host', host.guest);
      guest.mailbox.send('from guest');
      const hear = async (it: Listener & { mailbox: Mailbox }, mine: string, theirs: string) => {
        for (let event = await it.next(); event !== theirs; event = await it.next()) {
          assert.equal(typeof event, 'boolean', `${it.name} got ${event}`);
          if (event) it.mailbox.send(mine, it.guest);
        }
        it.mailbox.send(mine, it.guest);
      };
      await Promise.all([hear(host, 'from host', 'from guest'), hear(guest, 'from guest', 'from host')]);
    };
    cut();
    await together();
    await stop();
    await restart();
    const settle = new Set(['from host', 'from guest', true, false]);
    for (const it of [host, guest]) {
      let event = await it.next();
      while (event !== true) {
        assert.ok(settle.has(event as string), String(event));
        event = await it.next();
      }
    }
    await together();
  }));

test('a meeting that the server ends for its traffic goes on in a new one, under its nameplate', () =>
  world(
    async ({ meet }) => {
      const host = await meet({ role: 'host' });
      const { nameplate, token } = host.mailbox;
      const guest = await meet({ role: 'guest', nameplate });
      assert.deepEqual([await host.next(), await guest.next()], [true, true]);
      for (let i = 0; i < 100; i++) host.mailbox.drop(99);
      assert.deepEqual([await host.next(), await host.next(), await guest.next()], [false, true, true]);
      assert.equal(host.mailbox.nameplate, nameplate);
      assert.notEqual(host.mailbox.token, token);
      assert.equal(
        host.guest,
        2,
        'a server that has forgotten the first does not call another by its number',
      );
    },
    { mailboxBytes: 4000 },
  ));

test('a guest whose share of the traffic is used up comes in again as a newcomer, and the meeting stays', () =>
  world(
    async ({ meet }) => {
      const host = await meet({ role: 'host' });
      const { nameplate, token } = host.mailbox;
      const guest = await meet({ role: 'guest', nameplate });
      assert.deepEqual([await host.next(), await guest.next()], [true, true]);
      for (let i = 0; i < 40; i++) host.mailbox.send('x'.repeat(100), host.guest);
      assert.deepEqual([await host.next(), await host.next()], [false, true]);
      let event = await guest.next();
      while (event !== true) {
        assert.match(String(event), /^x+$/);
        event = await guest.next();
      }
      assert.deepEqual([host.guest, host.mailbox.token], [2, token]);
    },
    { mailboxBytes: 4000 },
  ));

test('one host and three guests: each is heard and answered by its number, over a lost connection too', () =>
  world(async ({ meet, cut }) => {
    const heard = new Map<number, string[]>();
    const present = new Set<number>();
    let wake = () => {};
    const host = await meet({
      role: 'host',
      guests: 3,
      onMessage: (body, guest) => {
        heard.set(guest, [...(heard.get(guest) ?? []), body]);
        wake();
      },
      onPeer: (there, guest) => {
        if (there) {
          present.add(guest);
          host?.mailbox.send(`you are ${guest}`, guest);
        } else present.delete(guest);
        wake();
      },
    });
    const until = async (wanted: () => boolean) => {
      while (!wanted()) await new Promise<void>((resolve) => (wake = resolve));
    };
    const { nameplate } = host.mailbox;
    assert.equal(host.mailbox.guests, 3);
    const guests: (Listener & { mailbox: Mailbox })[] = [];
    for (let i = 0; i < 3; i++) guests.push(await meet({ role: 'guest', nameplate }));
    await until(() => present.size === 3);
    await assert.rejects(meet({ role: 'guest', nameplate }), isError('CROWDED', /takes 3 at a time/));
    const named = async () => {
      const numbers: number[] = [];
      for (const guest of guests) {
        let event = await guest.next();
        while (typeof event === 'boolean') event = await guest.next();
        numbers.push(Number(/^you are (\d+)$/.exec(event as string)![1]));
      }
      return numbers;
    };
    assert.deepEqual(await named(), [1, 2, 3]);
    for (const [i, guest] of guests.entries()) guest.mailbox.send(`guest ${i + 1}`);
    await until(() => heard.size === 3);
    assert.deepEqual(
      [...heard].sort(),
      [1, 2, 3].map((i) => [i, [`guest ${i}`]]),
    );
    cut();
    assert.deepEqual(await named(), [1, 2, 3], 'each has its number again');
    await until(() => present.size === 3);
    host.mailbox.drop(2);
    await until(() => present.size === 2);
    assert.deepEqual([...present].sort(), [1, 3]);
    const fourth = await meet({ role: 'guest', nameplate });
    await until(() => present.size === 3);
    assert.ok(present.has(4));
    fourth.mailbox.close();
    await until(() => present.size === 2);
  }));

test('a guest may come first and wait for its host', () =>
  world(async ({ meet }) => {
    await assert.rejects(meet({ role: 'guest', nameplate: '7' }), isError('NO_PEER', /Nobody is sending/));
    const waiting = meet({ role: 'guest', nameplate: '7', waitForHost: true });
    const host = await meet({ role: 'host', nameplate: '7' });
    const guest = await waiting;
    assert.deepEqual([await host.next(), await guest.next()], [true, true]);
  }));

test('events wait until the opener has its mailbox', () =>
  world(async ({ meet, port }) => {
    const host = await meet({ role: 'host', nameplate: '7' });
    let mailbox: Mailbox | undefined;
    const present = deferred();
    mailbox = await openMailbox({
      url: `ws://127.0.0.1:${port}`,
      role: 'guest',
      nameplate: '7',
      deadline: 20_000,
      onMessage() {},
      onLost() {},
      onPeer: () => (mailbox ? present.resolve(mailbox) : present.reject(new Error('too early'))),
    });
    assert.equal(await present.promise, mailbox);
    mailbox.close();
    assert.deepEqual([await host.next(), await host.next()], [true, false]);
  }));

function deferred() {
  let resolve!: (value: unknown) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

test('the sender hosts in its own process; the guest tries all its addresses at once', () =>
  world(async ({ meet, rendezvous, port }) => {
    const host = new Listener('local host');
    const mailbox = await localMailbox(rendezvous(), { role: 'host', deadline: 1000, ...host.callbacks });
    const addresses = [
      { host: '127.0.0.1', port: 1 },
      { host: '127.0.0.1', port },
    ];
    const reached: unknown[] = [];
    const guest = await meet(
      { role: 'guest', nameplate: mailbox.nameplate },
      { find: async () => addresses, reached: (address) => reached.push(address) },
    );
    assert.deepEqual(reached, addresses.slice(1));
    assert.deepEqual([await host.next(), await guest.next()], [true, true]);
    guest.mailbox.send('hello');
    assert.equal(await host.next(), 'hello');
    mailbox.send('back', host.guest);
    assert.equal(await guest.next(), 'back');
    mailbox.close();
    assert.equal(await guest.next(), false);
    isError('NO_PEER')(await guest.next());
    await assert.rejects(
      meet({ role: 'guest', nameplate: '7' }, { find: async () => addresses.slice(0, 1) }),
      isError('NO_PEER', /127\.0\.0\.1:1 \(ECONNREFUSED\)/),
    );
  }));

test('who comes as the process of a sender ends meets the next one', () =>
  world(async ({ meet, rendezvous, port }) => {
    const host = new Listener('local host');
    const mailbox = await localMailbox(rendezvous(), { role: 'host', deadline: 1000, ...host.callbacks });
    const ending = createHttpServer();
    const ends = [
      (socket: Socket) => socket.destroy(),
      (socket: Socket) => socket.resetAndDestroy(),
      // It says that it ends, before it is asked anything.
      (socket: Socket) => void ending.emit('connection', socket),
    ];
    const stopping = createRendezvous();
    stopping.handle(ending);
    const dying = createServer((socket) => ends.shift()!(socket.on('error', () => {})));
    ending.on('upgrade', () => setImmediate(() => void stopping.close()));
    dying.listen(0, '127.0.0.1');
    await once(dying, 'listening');
    const next = { host: '127.0.0.1', port };
    const last = { host: '127.0.0.1', port: (dying.address() as AddressInfo).port };
    const guest = await meet(
      { role: 'guest', nameplate: mailbox.nameplate, waitForHost: true, nobody: () => undefined },
      { find: async () => [ends.length > 0 ? last : next] },
    );
    assert.deepEqual([await guest.next(), ends.length], [true, 0]);
    dying.close();
    await stopping.close();
  }));

test('a connection that was closed before it is used is no reason to wait', async () => {
  const dying = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(dying, 'listening');
  const closed = async () => {
    const socket = connect((dying.address() as AddressInfo).port, '127.0.0.1').resume();
    await once(socket, 'close');
    return socket;
  };
  const url = 'ws://sender.test/';
  const options = { url, name: 'it', maxPayload: 1000, signal: AbortSignal.timeout(20_000), socket: closed };
  await assert.rejects(
    dialWebSocket(options, () => {}),
    isError('SERVER', /closed the connection/),
  );
  dying.close();
});

test('a local mailbox learns that its rendezvous has closed, once', async () => {
  const rendezvous = createRendezvous();
  const host = new Listener('local host');
  await localMailbox(rendezvous, { role: 'host', deadline: 1000, ...host.callbacks });
  await rendezvous.close();
  isError('SERVER', /shutting down/)(await host.next());
});

test('refusals of the server reach the person with their reason', () =>
  world(
    async ({ meet }) => {
      const host = await meet({ role: 'host' });
      await assert.rejects(meet({ role: 'host' }), isError('SERVER', /Too many connections .* \(1 is/));
      host.mailbox.close();
    },
    { connectionsPerAddress: 1 },
  ));

test('what is not a rendezvous is named as such, and silence has a deadline', async () => {
  const quiet = { onMessage() {}, onPeer() {}, onLost() {} };
  const guest = { role: 'guest', nameplate: '7', deadline: 20_000, ...quiet } as const;
  for (const url of ['ftp://x', 'nonsense', 'http://'])
    await assert.rejects(openMailbox({ ...guest, url }), isError('USAGE'), url);
  for (const nameplate of ['', 'A', '7-x', undefined])
    await assert.rejects(openMailbox({ ...guest, nameplate, url: 'ws://127.0.0.1:1' }), isError('USAGE'));
  await assert.rejects(openMailbox({ ...guest, url: 'ws://127.0.0.1:1' }), isError('SERVER', /Cannot reach/));

  const sockets = new Set<Socket>();
  const mute = createServer((socket) => sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  const web = createHttpServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
  await Promise.all([once(mute, 'listening'), once(web, 'listening')]);
  const urlOf = (server: { address(): unknown }) =>
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await assert.rejects(
    openMailbox({ ...guest, url: urlOf(web) }),
    isError('SERVER', /Is it a Beeline server/),
  );
  await assert.rejects(openMailbox({ ...guest, url: urlOf(mute), deadline: 50 }), isError('TIMEOUT'));
  const stop = new AbortController();
  const stopped = assert.rejects(
    openMailbox({ ...guest, url: urlOf(mute), signal: stop.signal }),
    isError('INTERRUPTED'),
  );
  stop.abort();
  await stopped;
  for (const socket of sockets) socket.destroy();
  mute.close();
  web.close();
});
