/** Watching for hosts at a server: what a watcher hears, and what it cannot do to the server or learn from it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../src/server/limits.ts';
import { Mailboxes } from '../../src/server/mailboxes.ts';
import { type ClientMessage, encodeRendezvous } from '../../src/wire/rendezvous.ts';
import type { WatcherMessage } from '../../src/wire/watch.ts';

const plate = (name: string) => `d${name.padStart(15, 'a')}`;
const [one, two] = [plate('one'), plate('two')];

/** Nameplates, each another. */
const many = (count: number, from = 0) =>
  Array.from(
    { length: count },
    (_, i) =>
      `p${(from + i)
        .toString(2)
        .padStart(15, 'a')
        .replace(/[01]/g, (bit) => (bit === '1' ? '7' : '6'))}`,
  );

function world(limits: Partial<Limits> = {}, hosts?: 'this process') {
  let now = 1000;
  const mailboxes = new Mailboxes({ limits, clock: () => now, hosts });
  function client(address = '192.0.2.1', texts: string[] = [], ofPage = false) {
    const heard: WatcherMessage[] = [];
    const state = { closed: false };
    const seat = mailboxes.open({
      ...{ address, ofPage },
      send: (text) => {
        texts.push(text);
        heard.push(JSON.parse(text));
      },
      close: () => {
        state.closed = true;
      },
    });
    return {
      ...{ seat, state },
      say: (message: ClientMessage) => seat.receive(encodeRendezvous(message)),
      watch: (...nameplates: string[]) => seat.receive(JSON.stringify({ t: 'watch', v: 2, nameplates })),
      /** What came since the last look, in short. */
      heard: () =>
        heard.splice(0).map((said) => {
          if (said.t === 'watching') return said.present.join();
          return said.t === 'hosting' ? `${said.present ? '+' : '-'}${said.nameplate}` : said.code;
        }),
    };
  }
  function host(nameplate: string, token?: string, texts?: string[]) {
    const it = client('198.51.100.7', texts);
    it.say({ t: 'host', v: 2, nameplate, token });
    return it;
  }
  return { mailboxes, client, host, pass: (ms: number) => (now += ms) };
}

test('a watcher hears who hosts now, and who comes and goes', () => {
  const { client, host } = world();
  const first = host(one);
  const watcher = client();
  watcher.watch(one, two);
  assert.deepEqual(watcher.heard(), [one]);
  const second = host(two);
  host(plate('three'));
  assert.deepEqual(watcher.heard(), [`+${two}`], 'of others it hears nothing');
  first.say({ t: 'leave' });
  second.seat.closed();
  assert.deepEqual(watcher.heard(), [`-${one}`, `-${two}`]);
  host(two);
  assert.deepEqual(watcher.heard(), [`+${two}`], 'in the place of one that was lost');
});

test('a host that takes its place back from a connection that the server still believed in is no arrival', () => {
  const { client, host } = world();
  const heard: string[] = [];
  const first = host(one, undefined, heard);
  const watcher = client();
  watcher.watch(one);
  const { token } = JSON.parse(heard[0]!);
  host(one, token);
  assert.equal(first.state.closed, true);
  assert.deepEqual(watcher.heard(), [one]);
});

test('each list is instead of the one before, and one that left hears nothing', () => {
  const { mailboxes, client, host } = world();
  const watcher = client();
  watcher.watch(one);
  watcher.watch(two);
  assert.deepEqual(watcher.heard(), ['', '']);
  host(one);
  host(two);
  assert.deepEqual(watcher.heard(), [`+${two}`]);
  watcher.say({ t: 'leave' });
  assert.equal(watcher.state.closed, true);
  assert.deepEqual(mailboxes.counts, { mailboxes: 2, connections: 2 });
});

test('a watcher neither hosts nor joins, and who does either does not watch', () => {
  for (const message of [
    { t: 'host', v: 2 },
    { t: 'join', v: 2, nameplate: one },
    { t: 'send', body: 'x' },
    { t: 'drop', guest: 1 },
  ] as const) {
    const watcher = world().client();
    watcher.watch(one);
    watcher.say(message);
    assert.deepEqual(watcher.heard(), ['', 'PROTOCOL'], message.t);
    assert.ok(watcher.state.closed);
  }
  const { host, mailboxes } = world();
  const hosting = host(one);
  hosting.watch(two);
  assert.ok(hosting.state.closed);
  assert.equal(mailboxes.counts.connections, 0);
});

test('nobody watches at a rendezvous of one sender', () => {
  const watcher = world({}, 'this process').client();
  watcher.watch(one);
  assert.deepEqual(watcher.heard(), ['REFUSED']);
});

test('a watcher that says hello is not closed for silence', () => {
  const { mailboxes, client, pass } = world({ helloDeadline: 15_000 });
  const watcher = client();
  watcher.watch(one);
  pass(3_600_000);
  mailboxes.sweep();
  assert.equal(watcher.state.closed, false);
});

test('protects from: a host that comes and goes at any rate makes no flood of notices', () => {
  const { mailboxes, client, host, pass } = world();
  const watcher = client();
  watcher.watch(one);
  watcher.heard();
  for (let i = 0; i < 300; i++) host(one).say({ t: 'leave' });
  const heard = watcher.heard();
  assert.ok(heard.length >= 8 && heard.length <= 20, `${heard.length} notices`);
  // What it is told last is true, and it is told within a sweep.
  host(one);
  pass(10_000);
  mailboxes.sweep();
  assert.deepEqual(watcher.heard(), [`+${one}`]);
  mailboxes.sweep();
  assert.deepEqual(watcher.heard(), []);
});

test('protects from: floods of watches and of nameplates, from one address and from many', () => {
  const { mailboxes, client } = world({
    watched: 500,
    watchedPerAddress: 300,
    watchers: 4,
    watchesPerHour: 10,
  });
  const first = client('192.0.2.1');
  first.watch(...many(200));
  const second = client('192.0.2.1');
  second.watch(...many(101));
  assert.deepEqual(second.heard(), ['SERVER'], 'of this address');
  // Its own old list makes room for its new one.
  first.watch(...many(300));
  assert.deepEqual(first.heard(), ['', '']);
  const third = client('192.0.2.3');
  third.watch(...many(201));
  assert.deepEqual(third.heard(), ['SERVER'], 'in all');
  const others = ['192.0.2.4', '192.0.2.5', '192.0.2.6', '192.0.2.7'].map((address) => {
    const it = client(address);
    it.watch(one);
    return it.heard().at(-1);
  });
  assert.deepEqual(others, ['', '', '', 'SERVER'], 'watchers');
  for (let i = 0; i < 20; i++) first.watch(one);
  assert.equal(first.heard().at(-1), 'SERVER', 'an hour');
  assert.ok(first.state.closed);
  mailboxes.close();
  assert.deepEqual(mailboxes.counts, { mailboxes: 0, connections: 0 });
  const fresh = client('192.0.2.9');
  fresh.watch(...many(300));
  assert.deepEqual(fresh.heard(), [''], 'nothing of those that are gone counts');
});

test('protects from: pages that are merely open, which leave half of each limit to inboxes', () => {
  const limits = {
    watched: 400,
    watchedPerAddress: 300,
    watchers: 8,
    connectionsPerAddress: 6,
    watchesPerHour: 5,
  };
  const { mailboxes, client } = world(limits);
  const page = (address: string, ...nameplates: string[]) => {
    const it = client(address, [], true);
    it.watch(...nameplates);
    return { ...it, said: it.heard().at(-1) };
  };
  const inbox = (address: string, ...nameplates: string[]) => {
    const it = client(address);
    it.watch(...nameplates);
    return { ...it, said: it.heard().at(-1) };
  };

  const first = page('192.0.2.1', ...many(150));
  assert.equal(first.said, '');
  assert.equal(page('192.0.2.1', one).said, 'SERVER', 'half of what an address may watch');
  assert.equal(page('192.0.2.2', ...many(51)).said, 'SERVER', 'half of what may be watched in all');
  const pages = [1, 2, 3].map(() => page('192.0.2.3', one));
  assert.deepEqual(
    pages.map(({ said }) => said),
    ['', '', ''],
  );
  assert.equal(page('192.0.2.4', one).said, 'SERVER', 'half of the watchers');
  pages[0]!.seat.closed();
  assert.equal(page('192.0.2.4', one).said, '', 'one that is gone makes way');
  pages[1]!.seat.closed();
  assert.equal(inbox('192.0.2.3', one).said, '');

  // An address whose pages have all that they may have has room for inboxes, and so has the server.
  assert.equal(inbox('192.0.2.1', ...many(150)).said, '');
  assert.equal(inbox('192.0.2.5', ...many(90)).said, '');
  mailboxes.close();
  for (let i = 0; i < 3; i++) assert.equal(page('192.0.2.6', one).said, '');
  assert.equal(page('192.0.2.6', one).said, 'SERVER', 'half of the connections of an address');
  for (let i = 0; i < 2; i++) page('192.0.2.6', one);
  mailboxes.close();
  assert.equal(page('192.0.2.6', one).said, 'SERVER', 'an hour');
  assert.equal(inbox('192.0.2.6', one).said, '', 'which is not that of its inboxes');
});
