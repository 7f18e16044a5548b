/** Devices near each other at a server: who sees whom, whose call comes where, and what a stranger at the same address cannot do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearGroup } from '../../src/server/address.ts';
import type { Limits } from '../../src/server/limits.ts';
import { Mailboxes } from '../../src/server/mailboxes.ts';
import { MemoryHub } from '../../src/server/memory-store.ts';
import { MAX_NEAR_NAME, type NearMessage } from '../../src/wire/near.ts';

const HOME = '192.0.2.1';
const token = (number: number) => number.toString(16).padStart(32, '0');

function world(limits: Partial<Limits> = {}, hosts?: 'this process') {
  let now = 1000;
  const clock = () => now;
  const hub = new MemoryHub(clock);
  const instance = () => new Mailboxes({ limits, clock, hosts, store: hub.enter() });
  const mailboxes = instance();
  let pages = 0;
  /** @param at group and address; of another instance; with another token */
  function page(name: string, at: { group?: string; address?: string; of?: Mailboxes; token?: string } = {}) {
    const { address = HOME, group = address, of = mailboxes } = at;
    const texts: string[] = [];
    const state = { closed: false };
    const own = at.token ?? token(++pages);
    const seat = of.open({
      ...{ address, near: group },
      send: (text) => texts.push(text),
      close: () => {
        state.closed = true;
      },
    });
    const say = (message: object) => seat.receive(JSON.stringify(message));
    say({ t: 'near', v: 2, name, token: own });
    const read = () => texts.splice(0).map((text) => JSON.parse(text) as NearMessage);
    let devices: readonly { id: string; name: string }[] = [];
    return {
      ...{ seat, state, say, texts, token: own },
      /** What came since the last look, in short: lists as names, calls as `name nameplate`. */
      heard: () =>
        read().map((said) => {
          if (said.t === 'refused') return said.reason ?? said.code;
          if (said.t === 'called') return `${said.from.name} ${said.nameplate ?? 'no more'}`;
          devices = said.devices;
          return `[${said.devices.map((device) => device.name)}]`;
        }),
      id: (of: string) => devices.find((device) => device.name === of)!.id,
      call: (to: string, nameplate?: string) => say({ t: 'call', to, nameplate }),
    };
  }
  return { mailboxes, instance, page, pass: (ms: number) => (now += ms) };
}

test('who shows itself sees the others of its address, and their coming and going', () => {
  const { page, mailboxes } = world();
  const anna = page('Anna');
  assert.deepEqual(anna.heard(), ['[]']);
  const ben = page('Ben');
  assert.deepEqual([anna.heard(), ben.heard()], [['[Ben]'], ['[Anna]']]);
  const far = page('Far', { address: '198.51.100.9' });
  assert.deepEqual([anna.heard(), far.heard()], [[], ['[]']], 'of another address nothing');
  ben.seat.closed();
  assert.deepEqual(anna.heard(), ['[]']);
  anna.say({ t: 'leave' });
  assert.ok(anna.state.closed);
  assert.equal(mailboxes.near, 1);
});

test('a call comes to the one that is called, with the nameplate and the caller as the server knows it, and can be taken back', () => {
  const { page } = world();
  const [anna, ben, carl] = ['Anna', 'Ben', 'Carl'].map((name) => page(name));
  for (const each of [anna!, ben!, carl!]) each.heard();
  anna!.call(anna!.id('Ben'), '7');
  anna!.call(anna!.id('Ben'));
  assert.deepEqual([ben!.heard(), carl!.heard(), anna!.heard()], [['Anna 7', 'Anna no more'], [], []]);
});

test('a page that comes back is the one that it was, and its connection of before is closed', () => {
  const { page, mailboxes } = world();
  const ben = page('Ben');
  const anna = page('Anna');
  ben.heard();
  const before = ben.id('Anna');
  const again = page('Anna', { token: anna.token });
  ben.heard();
  assert.equal(ben.id('Anna'), before);
  assert.ok(anna.state.closed);
  assert.equal(mailboxes.near, 2);
  again.heard();
  anna.seat.closed();
  assert.deepEqual(again.heard(), [], 'the end of the former one is no news');
});

test('nobody shows itself at a rendezvous of one sender, nor where nobody can tell who is near', () => {
  assert.deepEqual(world({}, 'this process').page('Anna').heard(), ['PAGE_OF_ONE_SENDER']);
  const { mailboxes } = world();
  const heard: string[] = [];
  const seat = mailboxes.open({ address: HOME, send: (text) => heard.push(text), close() {} });
  seat.receive(JSON.stringify({ t: 'near', v: 2, name: 'Anna', token: token(1) }));
  assert.match(heard[0]!, /NEAR_UNKNOWN/);
});

test('protects from: a page that shows itself and hosts, joins or watches, or calls without showing itself', () => {
  const { page, mailboxes } = world();
  for (const message of [
    { t: 'host', v: 2 },
    { t: 'join', v: 2, nameplate: '7' },
    { t: 'watch', v: 2, nameplates: [`d${'a'.repeat(15)}`] },
    { t: 'send', body: 'x' },
    { t: 'near', v: 2, name: 'Other', token: token(99) },
  ]) {
    const it = page('Anna');
    it.heard();
    it.say(message);
    assert.deepEqual(it.heard(), ['CLIENT_MISBEHAVES'], message.t);
    assert.ok(it.state.closed);
  }
  const heard: string[] = [];
  const seat = mailboxes.open({ address: HOME, near: HOME, send: (text) => heard.push(text), close() {} });
  seat.receive(JSON.stringify({ t: 'call', to: 'ab'.repeat(8), nameplate: '7' }));
  assert.match(heard[0]!, /CLIENT_MISBEHAVES/);
  assert.equal(mailboxes.near, 0);
});

test('protects from: a flood of pages at one address: the seventeenth is told so in words, and takes nothing from the others', () => {
  const { page, mailboxes } = world();
  const all = Array.from({ length: 16 }, (_, at) => page(`Page ${at}`));
  for (let more = 0; more < 1000; more++) {
    const late = page('Late');
    assert.deepEqual(late.heard(), ['NEAR_FULL']);
    assert.ok(late.state.closed);
  }
  assert.equal(mailboxes.near, 16);
  assert.equal(all[0]!.heard().at(-1)!.split(',').length, 15);
  all[3]!.seat.closed();
  assert.match(page('Late').heard().join(), /^\[Page 0/, 'there is room again, and the hour was not spent');
});

test('protects from: pages that come and go without end: their address is refused after so many an hour, no other is', () => {
  const { page } = world({ nearPerHour: 10 });
  const heard = Array.from({ length: 20 }, () => {
    const it = page('Anna');
    it.seat.closed();
    return it.heard()[0];
  });
  assert.deepEqual(heard, [...Array(10).fill('[]'), ...Array(10).fill('SERVER_BUSY')]);
  assert.deepEqual(page('Far', { address: '198.51.100.9' }).heard(), ['[]']);
});

test('protects from: one machine that takes all places of a local network', () => {
  const { page } = world();
  const heard = Array.from(
    { length: 6 },
    () => page('Flood', { group: 'lan', address: '10.0.0.66' }).heard()[0]!,
  );
  assert.deepEqual(heard.slice(4), ['NEAR_FULL', 'NEAR_FULL']);
  assert.match(page('Desk', { group: 'lan', address: '10.0.0.7' }).heard().join(), /Flood/);
});

test('devices of a local network count each by its whole address, also where all of them have one /64; the refusal says which limit it was', () => {
  const { page } = world();
  const at = (number: number) => page(`Page ${number}`, { group: 'lan', address: `fd00::${number}` });
  for (let number = 1; number <= 10; number++) assert.match(at(number).heard()[0]!, /^\[/, `${number}`);
  for (let number = 0; number < 3; number++) at(1);
  assert.match(at(1).texts[0]!, /, 4 devices show/);
  for (let number = 11; number <= 13; number++) at(number);
  assert.match(at(14).texts[0]!, /, 16 devices show/);
});

test('protects from: more pages than the server has room for, of many addresses', () => {
  const { page, mailboxes } = world({ near: 30 });
  for (let at = 0; at < 60; at++) page('Page', { address: `198.51.100.${at}` });
  assert.equal(mailboxes.near, 30);
});

test('protects from: a page that comes and goes again and again: the others hear of it seldom, and in the end what is so', () => {
  const { page, mailboxes, pass } = world();
  const anna = page('Anna');
  for (let round = 0; round < 200; round++) {
    const it = page('Flicker', { token: token(77) });
    if (round < 199) it.seat.closed();
  }
  const heard = anna.heard();
  assert.ok(heard.length <= 16, `${heard.length} lists`);
  pass(10_000);
  mailboxes.sweep();
  assert.deepEqual(anna.heard(), ['[Flicker]']);
  mailboxes.sweep();
  assert.deepEqual(anna.heard(), [], 'once');
});

test('protects from: a flood of calls, of one page and of all together', () => {
  const { page, pass } = world();
  const ben = page('Ben');
  const callers = Array.from({ length: 15 }, (_, at) => page(`Caller ${at}`));
  ben.heard();
  const to = callers[0]!.heard() && callers[0]!.id('Ben');
  for (let round = 0; round < 1000; round++) callers[0]!.call(to, '7');
  assert.equal(ben.heard().length, 8, 'of one');
  for (const caller of callers) for (let round = 0; round < 100; round++) caller.call(to, '7');
  assert.equal(ben.heard().length, 8, 'of all');
  assert.ok(callers.every(({ state }) => !state.closed));
  pass(60_000);
  callers[1]!.call(to, '9');
  assert.deepEqual(ben.heard(), ['Caller 1 9'], 'and it can be called again');
});

test('protects from: a call to an id of another address, to itself and to nobody, which say nothing about who is there', () => {
  const { page } = world();
  const anna = page('Anna');
  const far = page('Far', { address: '198.51.100.9' });
  const near = page('Near', { address: '198.51.100.9' });
  for (const each of [anna, far, near]) each.heard();
  anna.call(near.id('Far'), '7');
  anna.call('00'.repeat(8), '7');
  far.call(near.id('Far'), '7');
  assert.deepEqual([anna.heard(), far.heard(), near.heard()], [[], [], []]);
});

test('protects from: names that are huge, invisible, reversed, piled up or no text', () => {
  const { page, mailboxes } = world();
  const bad = [
    '',
    ' ',
    ' Anna',
    'x'.repeat(MAX_NEAR_NAME + 1),
    'Anna\u202egpj',
    'Anna\u200b',
    'An\nna',
    '\u001b[31mAnna',
    '\u3164',
    `A${'\u0301'.repeat(8)}`,
    '\ud800',
    7,
    null,
    { toString: 'x' },
  ];
  for (const name of bad)
    assert.deepEqual(page(name as string).heard(), ['RENDEZVOUS_MALFORMED'], JSON.stringify(name));
  assert.equal(mailboxes.near, 0);
  for (const name of ['Anna’s phone', '母のスマホ', 'Ordinateur d’Élise 2', 'هاتف', '📱'])
    assert.deepEqual(page(name, { address: `192.0.2.${name.length + 50}` }).heard(), ['[]'], name);
});

test('protects from: the id of another: it follows from a token that only its page has, and a caller cannot say who it is', () => {
  const { page } = world();
  const anna = page('Anna');
  const ben = page('Ben');
  for (const each of [anna, ben]) each.heard();
  const thief = page('Ben', { token: ben.token.replace(/.$/, 'f') });
  anna.heard();
  assert.ok(!ben.state.closed);
  thief.heard();
  thief.say({ t: 'call', to: thief.id('Anna'), from: { id: anna.id('Ben'), name: 'Ben' }, nameplate: '7' });
  assert.deepEqual([thief.heard(), anna.heard()], [['RENDEZVOUS_MALFORMED'], ['[Ben]']]);
});

test('protects from: a call with a nameplate of a standing secret, or that is none', () => {
  const { page } = world();
  for (const nameplate of [`d${'a'.repeat(15)}`, '', '07', '1'.repeat(10), '7-zoo', '../7', 7]) {
    const anna = page('Anna');
    const ben = page('Ben');
    for (const each of [anna, ben]) each.heard();
    anna.say({ t: 'call', to: anna.id('Ben'), nameplate });
    assert.deepEqual(anna.heard(), ['RENDEZVOUS_MALFORMED'], String(nameplate));
    assert.deepEqual(ben.heard(), ['[]'], String(nameplate));
    ben.seat.closed();
  }
});

test('a page that is done is seen no more, however its connection ended, and the server keeps nothing of it', () => {
  const { page, mailboxes } = world();
  const ends: ((it: ReturnType<typeof page>) => void)[] = [
    ({ seat }) => seat.closed(),
    ({ say }) => say({ t: 'leave' }),
    ({ say }) => say({ t: 'nonsense' }),
    ({ seat }) => seat.replaced(),
  ];
  for (const end of ends) {
    const ben = page('Ben');
    const anna = page('Anna');
    ben.heard();
    end(anna);
    assert.deepEqual(ben.heard(), ['[]']);
    anna.call('00'.repeat(8), '7');
    ben.seat.closed();
    assert.deepEqual([mailboxes.near, mailboxes.counts.connections], [0, 0]);
  }
  page('Ben');
  mailboxes.close();
  assert.equal(mailboxes.near, 0);
});

test('no address is in anything that a page hears', () => {
  const { page, instance } = world();
  const there = instance();
  const all = [page('Anna'), page('Ben'), page('Carl', { of: there })];
  all[0]!.heard();
  all[0]!.call(all[0]!.id('Carl'), '7');
  for (const { texts } of all) assert.doesNotMatch(texts.join(), /192\.0\.2/);
});

test('pages at two instances see and call each other, and one that dies takes its pages with it', () => {
  const { page, mailboxes, instance } = world();
  const there = instance();
  const anna = page('Anna');
  const ben = page('Ben', { of: there });
  assert.deepEqual(
    [anna.heard(), ben.heard()],
    [
      ['[]', '[Ben]'],
      ['[]', '[Anna]'],
    ],
  );
  const carl = page('Carl');
  assert.deepEqual([ben.heard(), carl.heard()], [['[Anna,Carl]'], ['[Ben,Anna]']]);
  ben.call(ben.id('Anna'), '7');
  ben.call(ben.id('Anna'));
  anna.heard();
  carl.call(carl.id('Ben'), '8');
  assert.deepEqual(ben.heard(), ['Carl 8']);
  there.close();
  assert.deepEqual(carl.heard(), ['[Anna]']);
  assert.equal(mailboxes.near, 2);
});

test('protects from: the seventeenth page at another instance', () => {
  const { page, instance } = world();
  const there = instance();
  for (let at = 0; at < 10; at++) page(`Page ${at}`);
  const late = Array.from({ length: 8 }, (_, at) => page(`There ${at}`, { of: there }).heard()[0]!);
  assert.match(late[5]!, /^\[Page 0,.*There 4\]$/);
  assert.deepEqual(late.slice(6), ['NEAR_FULL', 'NEAR_FULL']);
});

test('protects from: what none of ours has said between instances', () => {
  const hub = new MemoryHub(() => 0);
  const mailboxes = new Mailboxes({ clock: () => 0, store: hub.enter() });
  const stranger = hub.enter();
  const heard: string[] = [];
  const seat = mailboxes.open({ address: HOME, near: HOME, send: (text) => heard.push(text), close() {} });
  seat.receive(JSON.stringify({ t: 'near', v: 2, name: 'Anna', token: token(1) }));
  heard.length = 0;
  const device = { id: 'ab'.repeat(8), name: 'Ben' };
  const near = { t: 'near', group: HOME, devices: [device], asks: false };
  for (const message of [
    { ...near, devices: Array(17).fill(device) },
    { ...near, devices: [{ ...device, name: 'B\u202een' }] },
    { ...near, devices: [{ ...device, ip: HOME }] },
    { ...near, group: 'x'.repeat(65) },
    { ...near, group: '198.51.100.9' },
    { t: 'called', group: HOME, to: device.id, from: device, nameplate: '7' },
  ])
    stranger.broadcast(message);
  assert.deepEqual(heard, []);
  stranger.broadcast(near);
  assert.match(heard.pop()!, /Ben/);
});

test('near is who has one public address, or one /64; a private address is a network only where the page was opened in one', () => {
  const of = (address: string, headers: object = {}, trust = false, way: 'auto' | 'lan' | 'off' = 'auto') =>
    nearGroup({ headers: headers as never }, address, trust, way);
  const opened = (host: string) => ({ origin: `https://${host}`, host });
  const local = opened('192.168.1.5:4848');
  const named = opened('meet.example');
  assert.equal(of('192.0.2.1', named), '192.0.2.1');
  assert.equal(of('2001:db8:1:2::7', named), of('2001:db8:1:2:ffff::9', named));
  assert.notEqual(of('2001:db8:1:2::7', named), of('2001:db8:1:3::7', named));
  assert.equal(of('::ffff:192.0.2.1', named), '192.0.2.1');
  assert.equal(of('100.64.3.4', named), '100.64.3.4', 'a carrier, each by itself');
  // All at a server of the network that they are in.
  for (const address of ['192.168.1.9', '10.3.4.5', 'fd00::7', '127.0.0.1', 'fe80::1'])
    assert.equal(of(address, local), 'lan', address);
  for (const host of ['localhost:4848', 'beeline.localhost', 'server.local', 'server.home.arpa', '[fd00::1]'])
    assert.equal(of('10.3.4.5', opened(host)), 'lan', host);
  assert.equal(of('10.3.4.5', { origin: 'https://server.local', host: 'Server.local:443' }), 'lan');
  // Behind a proxy or a NAT of containers everybody has that address.
  assert.equal(of('172.17.0.1', named), undefined);
  assert.equal(of('127.0.0.1'), undefined, 'no page says where it is from');
  assert.equal(of('127.0.0.1', { origin: 'null' }), undefined);
  // Names that lead anywhere, and pages of another site.
  for (const host of ['x', 'server', 'local', 'localhost.example', '192.0.2.7', '10.0.0.1.example', ''])
    assert.equal(of('10.3.4.5', opened(host)), undefined, host);
  for (const host of [
    undefined,
    '',
    'meet.example',
    'other.local',
    '192.168.1.6',
    'server.local@meet.example',
  ])
    assert.equal(of('10.3.4.5', { origin: 'https://server.local', host }), undefined, host);
  assert.equal(of('10.3.4.5', named, false, 'lan'), 'lan', 'but the owner knows better');
  // Headers of proxies that are not trusted: the address is a proxy's.
  for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via', 'cf-connecting-ip'])
    assert.equal(of('192.0.2.1', { ...named, [header]: '203.0.113.9' }), undefined, header);
  assert.equal(of('203.0.113.9', { ...named, 'x-forwarded-for': '203.0.113.9' }, true), '203.0.113.9');
  assert.equal(of('203.0.113.9', { ...named, 'x-forwarded-for': '192.0.2.1, 203.0.113.9' }, true), undefined);
  for (const address of ['unknown', 'this process', '0.0.0.0', '224.0.0.1', ''])
    assert.equal(of(address, local, false, 'lan'), undefined, address);
  for (const address of ['192.0.2.1', '10.3.4.5']) assert.equal(of(address, local, false, 'off'), undefined);
});
