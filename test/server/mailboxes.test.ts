import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Limits } from '../../src/server/limits.ts';
import { Mailboxes } from '../../src/server/mailboxes.ts';
import {
  type ClientMessage,
  decodeServerMessage,
  encodeRendezvous,
  type ServerMessage,
} from '../../src/wire/rendezvous.ts';

function world(limits: Partial<Limits> = {}) {
  let now = 1000;
  const mailboxes = new Mailboxes({ limits, clock: () => now });
  function client(address = '192.0.2.1') {
    const heard: ServerMessage[] = [];
    const state = { closed: false, queued: 0 };
    const seat = mailboxes.open({
      address,
      get queued() {
        return state.queued;
      },
      send: (text) => heard.push(decodeServerMessage(text)),
      close: () => {
        state.closed = true;
      },
    });
    return {
      seat,
      state,
      say: (message: ClientMessage) => seat.receive(encodeRendezvous(message)),
      /** What came since the last look. */
      heard: () => heard.splice(0),
    };
  }
  function host(nameplate?: string, token?: string, address?: string, guests?: number) {
    const it = client(address);
    it.say({ t: 'host', v: 2, nameplate, token, guests });
    const heard = it.heard();
    const hosted = heard.find((message) => message.t === 'hosted');
    return { ...it, nameplate: hosted?.nameplate ?? '', token: hosted?.token ?? '', first: heard };
  }
  function join(nameplate: string, token?: string, address?: string) {
    const it = client(address);
    it.say({ t: 'join', v: 2, nameplate, token });
    const heard = it.heard();
    return { ...it, token: heard.find((message) => message.t === 'joined')?.token ?? '', first: heard };
  }
  return { mailboxes, client, host, join, pass: (ms: number) => (now += ms) };
}

const codes = (messages: ServerMessage[]) => messages.filter((m) => m.t === 'refused').map((m) => m.code);
const peers = (messages: ServerMessage[]) => messages.filter((m) => m.t === 'peer').map((m) => m.present);
/** Whom a host is told of, in short: +1 is there, -1 is not. */
const guests = (messages: ServerMessage[]) =>
  messages.flatMap((m) => {
    if (m.t === 'hosted') return m.present.map((guest) => `+${guest}`);
    return m.t === 'peer' ? [`${m.present ? '+' : '-'}${m.guest}`] : [];
  });
const bodies = (messages: ServerMessage[]) => messages.filter((m) => m.t === 'message').map((m) => m.body);

test('two meet, talk both ways, and a third is refused without disturbing them', () => {
  const { host, join } = world();
  const a = host();
  assert.match(a.nameplate, /^[1-9][0-9]{0,2}$/);
  assert.deepEqual(guests(a.first), []);
  const b = join(a.nameplate);
  assert.deepEqual(peers(b.first), [true]);
  assert.deepEqual(peers(a.heard()), [true]);
  const third = join(a.nameplate, '0'.repeat(32));
  assert.deepEqual(codes(third.first), ['CROWDED']);
  assert.ok(third.state.closed);
  const rival = host(a.nameplate, '0'.repeat(32));
  assert.deepEqual(codes(rival.first), ['CROWDED']);
  a.say({ t: 'send', guest: 1, body: 'ping' });
  b.say({ t: 'send', body: 'pong' });
  assert.deepEqual(bodies(b.heard()), ['ping']);
  const heard = a.heard();
  assert.deepEqual(bodies(heard), ['pong']);
  assert.deepEqual(peers(heard), [], 'the refused ones were not seen');
});

test('a lost guest frees its place at once, and drop puts one out', () => {
  const { host, join } = world();
  const a = host('7');
  const b = join('7');
  b.seat.closed();
  const c = join('7');
  assert.deepEqual(guests(a.heard()), ['+1', '-1', '+2']);
  a.say({ t: 'drop', guest: 2 });
  assert.deepEqual(codes(c.heard()), ['REFUSED']);
  assert.ok(c.state.closed);
  assert.deepEqual(peers(a.heard()), [false]);
  assert.deepEqual(codes(join('7', c.token).first), []);
});

test('a host takes its nameplate back within the grace, with its token', () => {
  const { mailboxes, host, join, pass } = world({ hostGrace: 60_000 });
  const a = host('7');
  const b = join('7');
  a.seat.closed();
  assert.deepEqual(peers(b.heard()), [false]);
  pass(59_999);
  mailboxes.sweep();
  const again = host('7', a.token);
  assert.deepEqual(guests(again.first), ['+1']);
  assert.deepEqual(peers(b.heard()), [true]);
  again.seat.closed();
  pass(60_000);
  mailboxes.sweep();
  assert.deepEqual(codes(b.heard()), ['SERVER']);
  assert.deepEqual(mailboxes.counts, { mailboxes: 0, connections: 0 });
  assert.deepEqual(codes(host('7', a.token).first), [], 'and later it is simply free');
});

test('a lost host is succeeded by one without a token, a live one never', () => {
  const { host, join } = world();
  const a = host('7');
  const b = join('7');
  assert.deepEqual(codes(host('7').first), ['CROWDED']);
  a.seat.closed();
  b.heard();
  const heir = host('7');
  assert.deepEqual(guests(heir.first), ['+1']);
  assert.deepEqual(peers(b.heard()), [true]);
  assert.notEqual(heir.token, a.token);
  assert.deepEqual(codes(host('7').first), ['CROWDED'], 'the heir lives');
  // It is lost in turn, and takes its place back with its own token.
  heir.seat.closed();
  const back = host('7', heir.token);
  assert.equal(back.token, heir.token);
});

test('a lost host that comes back puts its heir out, until its grace is over', () => {
  const { mailboxes, host, join, pass } = world({ hostGrace: 60_000 });
  const a = host('7');
  const b = join('7');
  a.seat.closed();
  const stranger = host('7');
  stranger.seat.closed();
  const another = host('7');
  assert.equal(mailboxes.places.of(stranger.token), undefined, 'one heir at a time');
  b.heard();
  const back = host('7', a.token);
  assert.equal(back.token, a.token);
  assert.ok(another.state.closed);
  assert.deepEqual(peers(b.heard()), [false, true]);
  assert.deepEqual(codes(host('7', another.token).first), ['CROWDED']);
  back.seat.closed();
  const heir = host('7');
  pass(60_000);
  mailboxes.sweep();
  assert.deepEqual(codes(host('7', a.token).first), ['CROWDED']);
  heir.say({ t: 'send', guest: 1, body: 'still here' });
  assert.deepEqual(bodies(b.heard()), ['still here']);
  heir.say({ t: 'leave' });
  assert.equal(mailboxes.places.size, 0, 'no token is left behind');
});

test('taking a lost place counts as trying nameplates does', () => {
  const { host } = world({ joinsPerHour: 2 });
  host('7').seat.closed();
  for (const expected of [[], [], ['SERVER']]) {
    const heir = host('7', undefined, '192.0.2.9');
    assert.deepEqual(codes(heir.first), expected);
    heir.seat.closed();
  }
});

test('a connection that the server still believes in is replaced by its own client', () => {
  const { host, join } = world();
  const a = host('7');
  const b = join('7');
  a.heard();
  const a2 = host('7', a.token);
  assert.ok(a.state.closed);
  assert.deepEqual(peers(b.heard()), [false, true], 'so that both repeat what may have been lost');
  const b2 = join('7', b.token);
  assert.ok(b.state.closed);
  assert.deepEqual(codes(b2.first), []);
  assert.deepEqual(peers(a2.heard()), [false, true]);
  b.seat.closed();
  b.say({ t: 'send', body: 'ghost' });
  assert.deepEqual(a2.heard(), [], 'the replaced one has no say any more');
});

test('a host that leaves ends the meeting; a guest that leaves does not', () => {
  const { mailboxes, host, join } = world();
  const a = host('7');
  const b = join('7');
  b.say({ t: 'leave' });
  assert.ok(b.state.closed);
  const c = join('7');
  a.say({ t: 'leave' });
  assert.deepEqual(codes(c.heard()), ['NO_PEER']);
  assert.deepEqual(mailboxes.counts, { mailboxes: 0, connections: 0 });
  assert.deepEqual(codes(join('7').first), ['NO_PEER']);
});

test('every limit refuses with a sentence', () => {
  const sentence = (messages: ServerMessage[], pattern: RegExp) => {
    const refusal = messages.find((message) => message.t === 'refused');
    assert.equal(refusal?.code, 'SERVER');
    assert.match(refusal!.message, pattern);
  };
  const perAddress = world({ mailboxesPerAddress: 1 });
  perAddress.host();
  sentence(perAddress.host().first, /Too many meetings from your address \(1/);
  assert.deepEqual(codes(perAddress.host(undefined, undefined, '192.0.2.2').first), []);

  const all = world({ mailboxes: 1 });
  all.host();
  sentence(all.host(undefined, undefined, '192.0.2.2').first, /server is full \(1 meetings/);

  const created = world({ mailboxesPerHour: 2 });
  for (let i = 0; i < 2; i++) created.host().say({ t: 'leave' });
  sentence(created.host('7').first, /Too many new meetings.*\(2 an hour.*in 60 min/);
  assert.deepEqual(codes(created.host('7', undefined, '192.0.2.2').first), []);
  created.pass(3_600_000);
  assert.deepEqual(codes(created.host().first), []);

  const joins = world({ joinsPerHour: 2 });
  joins.join('1', undefined, '2001:db8::1');
  joins.join('2', undefined, '2001:db8::2');
  sentence(joins.join('3', undefined, '2001:db8::3').first, /Too many joins.*in 60 min/);
  joins.pass(3_600_000);
  assert.deepEqual(codes(joins.join('3', undefined, '2001:db8::3').first), ['NO_PEER']);

  const size = world({ messageBytes: 4 });
  const big = size.host('7');
  const guest = size.join('7');
  big.say({ t: 'send', guest: 1, body: '\u00e9\u00e9' });
  assert.deepEqual(bodies(guest.heard()), ['\u00e9\u00e9']);
  big.heard();
  big.say({ t: 'send', guest: 1, body: '\u00e9\u00e9x' });
  sentence(big.heard(), /at most 4 bytes; this one has 5/);

  const traffic = world({ mailboxBytes: 1000 });
  const talker = traffic.host('7');
  for (let i = 0; i < 20; i++) talker.say({ t: 'drop', guest: 1 });
  sentence(talker.heard(), /used up its 1000 bytes/);

  const age = world({ mailboxAge: 1000 });
  const old = age.host('7');
  age.pass(1000);
  age.mailboxes.sweep();
  sentence(old.heard(), /age limit/);

  const idle = world({ helloDeadline: 1000 });
  const silent = idle.client();
  idle.pass(1000);
  idle.mailboxes.sweep();
  sentence(silent.heard(), /asked for nothing/);

  const connections = world({ connections: 3, connectionsPerAddress: 2 });
  const hosting = (address?: string) => {
    const it = connections.client(address);
    it.seat.receive('{"t":"host","v":2}');
    return it;
  };
  const first = hosting();
  hosting();
  assert.throws(() => connections.client(), /Too many connections from your address \(2/);
  hosting('192.0.2.2');
  assert.throws(() => connections.client('192.0.2.3'), /server is full \(3/);
  first.seat.closed();
  first.seat.closed();
  hosting();
});

test('silent connections of one address keep nobody out: the oldest of them goes', () => {
  const { client, host } = world({ connections: 100, connectionsPerAddress: 8 });
  const { nameplate } = host();
  const silent = Array.from({ length: 140 }, () => client('192.0.2.66'));
  const [refused] = silent[0]!.heard();
  assert.match(refused?.t === 'refused' ? refused.message : '', /asked for nothing, and others came/);
  assert.ok(silent.filter(({ state }) => !state.closed).length <= 4);
  // From another address, and from that very one.
  for (const address of ['192.0.2.7', '192.0.2.66']) {
    const guest = client(address);
    guest.seat.receive(JSON.stringify({ t: 'join', v: 2, nameplate }));
    assert.equal(guest.heard()[0]!.t, 'joined', address);
    guest.seat.receive('{"t":"leave"}');
  }
});

test('nonsense, a second hello and talk before one are refused', () => {
  const { client, host } = world();
  for (const text of ['x', '{"t":"send","body":"x"}', '{"t":"leave"}', '{"t":"peer","present":true}']) {
    const it = client();
    it.seat.receive(text);
    assert.deepEqual(codes(it.heard()), ['PROTOCOL'], text);
    assert.ok(it.state.closed);
  }
  const old = client();
  old.seat.receive('{"t":"host","v":0}');
  assert.deepEqual(codes(old.heard()), ['VERSION']);
  const twice = host('7');
  twice.say({ t: 'join', v: 2, nameplate: '7' });
  assert.deepEqual(codes(twice.heard()), ['PROTOCOL']);
});

test('allocated nameplates are distinct, and short while few are taken', () => {
  const { host } = world({ mailboxesPerAddress: 1000, connectionsPerAddress: 1000 });
  const seen = new Set(Array.from({ length: 300 }, () => host().nameplate));
  assert.equal(seen.size, 300);
  assert.ok([...seen].every((nameplate) => /^[1-9][0-9]{0,3}$/.test(nameplate)));
});

test('one host and many guests: each has a number, and is heard, answered and put out by it', () => {
  const { host, join } = world();
  const a = host('7', undefined, undefined, 3);
  const three = [join('7'), join('7'), join('7')];
  assert.deepEqual(guests(a.heard()), ['+1', '+2', '+3']);
  assert.deepEqual(codes(join('7').first), ['CROWDED']);
  for (const it of three) it.heard();
  three[1]!.say({ t: 'send', body: 'from two' });
  a.say({ t: 'send', guest: 3, body: 'for three' });
  a.say({ t: 'send', guest: 9, body: 'for nobody' });
  assert.deepEqual(a.heard(), [{ t: 'message', guest: 2, body: 'from two' }]);
  assert.deepEqual(
    three.map((it) => bodies(it.heard())),
    [[], [], ['for three']],
  );
  a.say({ t: 'drop', guest: 2 });
  assert.deepEqual(codes(three[1]!.heard()), ['REFUSED']);
  assert.ok(!three[0]!.state.closed && !three[2]!.state.closed);
  join('7');
  assert.deepEqual(guests(a.heard()), ['-2', '+4']);
});

test('a guest that comes back with its token has its number, a newcomer never one that was used', () => {
  const { mailboxes, host, join, pass } = world({ hostGrace: 60_000 });
  const a = host('7', undefined, undefined, 3);
  const [b, c] = [join('7'), join('7')];
  b.seat.closed();
  c.seat.closed();
  a.heard();
  join('7');
  const back = join('7', b.token);
  assert.deepEqual(guests(a.heard()), ['+3', '+1']);
  // While the server still believes in its connection, too.
  const again = join('7', back.token);
  assert.ok(back.state.closed);
  assert.deepEqual(guests(a.heard()), ['-1', '+1']);
  assert.equal(mailboxes.places.of(back.token), undefined, 'a token is good for one connection');
  pass(60_000);
  mailboxes.sweep();
  join('7', c.token);
  assert.deepEqual(guests(a.heard()), ['+4'], 'too late');
  again.say({ t: 'leave' });
  join('7', again.token);
  assert.deepEqual(guests(a.heard()), ['-1', '+5'], 'who leaves does not come back');
  // A token of another meeting is worth nothing here.
  const other = host('8', undefined, undefined, 3);
  const stranger = join('8');
  stranger.seat.closed();
  other.heard();
  a.say({ t: 'drop', guest: 5 });
  a.heard();
  join('7', stranger.token);
  assert.deepEqual(guests(a.heard()), ['+6']);
});

test('a host that comes back hears of every guest there is, and a new one numbers on from what it knows', () => {
  const { host, join, client } = world();
  const a = host('7', undefined, undefined, 5);
  const all = [join('7'), join('7'), join('7')];
  a.seat.closed();
  all[0]!.seat.closed();
  for (const it of all) it.heard();
  const again = host('7', a.token, undefined, 5);
  assert.deepEqual(guests(again.first), ['+2', '+3']);
  assert.deepEqual(
    all.map((it) => peers(it.heard())),
    [[], [true], [true]],
  );
  join('7', all[0]!.token);
  assert.deepEqual(guests(again.heard()), ['+1']);
  again.say({ t: 'leave' });
  const anew = client();
  anew.say({ t: 'host', v: 2, nameplate: '7', guests: 5, used: 3 });
  join('7', all[1]!.token);
  assert.deepEqual(guests(anew.heard()), ['+4']);
});

test('a stranger in a lost host’s place cannot say that all numbers are used, nor can the host that comes back', () => {
  const { host, join, client } = world();
  const a = host('7', undefined, undefined, 5);
  const first = join('7');
  assert.deepEqual(guests(a.heard()), ['+1']);
  a.seat.closed();
  const stranger = client();
  stranger.say({ t: 'host', v: 2, nameplate: '7', guests: 5, used: 2 ** 31 - 1 });
  assert.deepEqual(guests(stranger.heard()), ['+1']);
  join('7');
  assert.deepEqual(guests(stranger.heard()), ['+2'], 'newcomers have numbers all the same');
  const back = client();
  back.say({ t: 'host', v: 2, nameplate: '7', token: a.token, guests: 5, used: 2 ** 31 - 1 });
  assert.deepEqual(guests(back.heard()), ['+1', '+2']);
  join('7');
  assert.deepEqual(guests(back.heard()), ['+3']);
  assert.equal(first.state.closed, false);
});

test('one guest that floods uses up its own share, and takes nothing from the others or the host', () => {
  const { host, join, mailboxes } = world({ mailboxBytes: 10_000, joinsPerHour: 10_000 });
  const a = host('7', undefined, undefined, 4);
  const quiet = join('7');
  a.heard();
  for (let round = 0; round < 100; round++) {
    const flood = join('7');
    while (!flood.state.closed) {
      flood.say({ t: 'send', body: 'x'.repeat(100) });
      // A host that answers each of them answers at the cost of the one who asks.
      const numbers = a.heard().flatMap((m) => (m.t === 'message' ? [m.guest!] : []));
      for (const guest of numbers) a.say({ t: 'send', guest, body: 'y'.repeat(200) });
    }
    const [refused] = flood.heard().filter((m) => m.t === 'refused');
    assert.deepEqual(refused?.t === 'refused' && [refused.code, refused.reason], ['SERVER', 'GUEST_SPENT']);
    // One that comes only to make the host speak to nobody pays for it with its coming.
    const brief = join('7');
    brief.seat.closed();
    const came = guests(a.heard())
      .filter((it) => it.startsWith('+'))
      .map(Number);
    for (const guest of came) a.say({ t: 'send', guest, body: 'z'.repeat(1000) });
  }
  quiet.heard();
  a.say({ t: 'send', guest: 1, body: 'all well?' });
  quiet.say({ t: 'send', body: 'all well' });
  assert.deepEqual([bodies(quiet.heard()), bodies(a.heard())], [['all well?'], ['all well']]);
  assert.equal(mailboxes.counts.connections, 2);
  // Coming back with the same token brings no new share.
  const flood = join('7');
  for (let i = 0; i < 50; i++) flood.say({ t: 'send', body: 'x'.repeat(100) });
  flood.seat.closed();
  const back = join('7', flood.token);
  for (let i = 0; i < 50; i++) back.say({ t: 'send', body: 'x'.repeat(100) });
  assert.deepEqual(codes(back.heard()), ['SERVER']);
});

test('strangers who say more than a slow host reads are put out, before the host is cut off', () => {
  const { host, join } = world({ backlogBytes: 1000 });
  const a = host('7', undefined, undefined, 3);
  const proven = join('7');
  a.say({ t: 'keep', guest: 1 });
  const flood = join('7');
  a.heard();
  a.state.queued = 500;
  flood.say({ t: 'send', body: 'one' });
  assert.deepEqual(bodies(a.heard()), ['one']);
  a.state.queued = 501;
  flood.say({ t: 'send', body: 'two' });
  proven.say({ t: 'send', body: 'mine' });
  const heard = a.heard();
  assert.deepEqual([guests(heard), bodies(heard)], [['-2'], ['mine']]);
  const [refused] = flood.heard().filter((m) => m.t === 'refused');
  assert.deepEqual(refused?.t === 'refused' && [refused.code, refused.reason], ['SERVER', 'HOST_CONGESTED']);
  // Who comes back when the host has read on is heard.
  a.state.queued = 0;
  join('7').say({ t: 'send', body: 'three' });
  assert.deepEqual(bodies(a.heard()), ['three']);
});

test('a crowd of one address makes way for others, and for those who have proven themselves', () => {
  const { host, join } = world();
  const crowd = '192.0.2.66';
  const a = host('7', undefined, undefined, 4);
  const good = join('7', undefined, '192.0.2.2');
  a.say({ t: 'keep', guest: 1 });
  const silent = Array.from({ length: 3 }, () => join('7', undefined, crowd));
  assert.deepEqual(codes(join('7', undefined, crowd).first), ['CROWDED']);
  a.heard();
  const honest = join('7', undefined, '192.0.2.3');
  assert.deepEqual(guests(a.heard()), ['-2', '+5']);
  const [way] = silent[0]!.heard().filter((m) => m.t === 'refused');
  assert.equal(way?.t === 'refused' && way.reason, 'GUEST_MADE_WAY');
  a.say({ t: 'keep', guest: 5 });
  // A crowd of many addresses fills it: nobody is better than another, but who has proven itself is.
  good.seat.closed();
  join('7', undefined, '192.0.2.67');
  join('7', undefined, '192.0.2.68');
  assert.deepEqual(guests(a.heard()), ['-1', '+6', '-3', '+7']);
  assert.deepEqual(codes(join('7', undefined, '192.0.2.4').first), ['CROWDED']);
  const back = join('7', good.token, '192.0.2.200');
  assert.deepEqual(guests(a.heard()), ['-4', '+1']);
  for (const it of [honest, back]) {
    a.say({ t: 'send', guest: it === honest ? 5 : 1, body: 'x' });
    assert.deepEqual(bodies(it.heard()), ['x']);
  }
  // Where all have proven themselves, nobody makes way.
  for (const guest of [6, 7]) a.say({ t: 'keep', guest });
  assert.deepEqual(codes(join('7', undefined, '192.0.2.5').first), ['CROWDED']);
});

test('how many guests there may be, the host says and the server bounds; numbers run out before one is used twice', () => {
  const { host, client, join } = world({ guests: 2 });
  const a = host('7', undefined, undefined, 1000);
  assert.equal(a.first.find((m) => m.t === 'hosted')?.guests, 2);
  join('7');
  join('7');
  assert.deepEqual(codes(join('7').first), ['CROWDED']);
  const vast = client();
  vast.say({ t: 'host', v: 2, nameplate: '8', used: 2 ** 31 - 1 });
  assert.deepEqual(codes(join('8').first), ['CROWDED']);
});

test('only a host deals with guests, and it names them', () => {
  const { host, join } = world();
  const rude = (say: (it: ReturnType<typeof join>) => void) => {
    host('7').seat.closed();
    const it = join('7');
    say(it);
    assert.deepEqual(codes(it.heard()), ['PROTOCOL']);
    assert.ok(it.state.closed);
  };
  rude((it) => it.say({ t: 'drop', guest: 1 }));
  rude((it) => it.say({ t: 'keep', guest: 1 }));
  rude((it) => it.say({ t: 'send', guest: 1, body: 'x' }));
  const a = host('7');
  a.say({ t: 'send', body: 'to whom?' });
  assert.deepEqual(codes(a.heard()), ['PROTOCOL']);
});

test('whatever clients do, a meeting has one host and as many guests as it takes, and nothing is left in the end', () => {
  const act = fc.record({
    who: fc.nat(6),
    what: fc.constantFrom('host', 'join', 'back', 'send', 'drop', 'keep', 'leave', 'close', 'junk', 'wait'),
    guest: fc.integer({ min: 1, max: 6 }),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (acts, most) => {
      const { mailboxes, client, pass } = world();
      const clients = Array.from({ length: 7 }, (_, i) => ({ ...client(`192.0.2.${i % 3}`), token: '' }));
      const anew = (who: number) => {
        const { token } = clients[who]!;
        clients[who] = { ...client(`192.0.2.${who % 3}`), token };
        return clients[who]!;
      };
      for (const { who, what, guest } of acts) {
        const it = clients[who]!.state.closed ? anew(who) : clients[who]!;
        for (const each of clients)
          for (const message of each.heard()) if (message.t === 'joined') each.token = message.token;
        if (what === 'host') it.say({ t: 'host', v: 2, nameplate: '7', guests: most });
        else if (what === 'join') it.say({ t: 'join', v: 2, nameplate: '7' });
        else if (what === 'back' && it.token) it.say({ t: 'join', v: 2, nameplate: '7', token: it.token });
        else if (what === 'send') {
          it.say({ t: 'send', guest, body: 'x' });
          it.say({ t: 'send', body: 'x' });
          const reached = clients.filter((each) => bodies(each.heard()).length > 0);
          assert.ok(reached.length <= 1 && !reached.includes(it));
        } else if (what === 'drop' || what === 'keep') it.say({ t: what, guest });
        else if (what === 'leave') it.say({ t: 'leave' });
        else if (what === 'junk') it.seat.receive('junk');
        else if (what === 'wait') pass(30_000);
        else if (what === 'close') {
          it.seat.closed();
          anew(who);
        }
        mailboxes.sweep();
        // The host's place, those of its guests, and of a host that was lost and succeeded.
        assert.ok(mailboxes.places.size <= most + 2, `${mailboxes.places.size} places`);
      }
      for (const it of clients) it.seat.closed();
      pass(60_000);
      mailboxes.sweep();
      assert.equal(mailboxes.places.size, 0, 'tokens end with what they prove');
      assert.deepEqual(mailboxes.counts, { mailboxes: 0, connections: 0 });
    }),
    { numRuns: 200 },
  );
});

test('where only this process hosts, others only join', () => {
  const mailboxes = new Mailboxes({ hosts: 'this process' });
  const sit = (local: boolean) => {
    const heard: ServerMessage[] = [];
    const send = (text: string) => heard.push(decodeServerMessage(text));
    const seat = mailboxes.open({ address: '192.0.2.1', local, send, close: () => {} });
    const say = (message: ClientMessage) => {
      seat.receive(encodeRendezvous(message));
      return heard;
    };
    return { heard, say };
  };
  assert.deepEqual(codes(sit(false).say({ t: 'host', v: 2, nameplate: 'a', token: undefined })), ['REFUSED']);
  const own = sit(true).say({ t: 'host', v: 2, nameplate: 'a', token: undefined });
  const [hosted] = own;
  assert.equal(hosted?.t, 'hosted');
  // Not even to take a place back.
  const token = hosted?.t === 'hosted' ? hosted.token : '';
  assert.deepEqual(codes(sit(false).say({ t: 'host', v: 2, nameplate: 'a', token })), ['REFUSED']);
  assert.equal(sit(false).say({ t: 'join', v: 2, nameplate: 'a', token: undefined })[0]?.t, 'joined');
  assert.equal(mailboxes.counts.mailboxes, 1);
});
