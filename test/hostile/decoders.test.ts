/**
 * Everything that reads what a stranger wrote ends in a value or a BeelineError that is not INTERNAL, whatever comes.
 * RUNS=100000 is the long run; frames, messages and pages are in test/wire/messages.test.ts too.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import type { Packet } from 'dns-packet';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { escapeName } from '../../src/base/printable.ts';
import { KeyedChannel } from '../../src/identity/channel.ts';
import { formatCode, parseCode } from '../../src/identity/code.ts';
import { formatDeviceKey, parseDeviceKey } from '../../src/identity/device-key.ts';
import type { Interface } from '../../src/meeting/lan/interfaces.ts';
import { isPlausible } from '../../src/meeting/lan/links.ts';
import { announcedNameplates, announcements, records, SERVICE } from '../../src/meeting/lan/records.ts';
import { parseHostPort } from '../../src/node/addresses.ts';
import { decodePage, encodePages } from '../../src/offer/manifest.ts';
import { checkEntries, nameProblem } from '../../src/offer/names.ts';
import { rendezvousUrl } from '../../src/websocket/url.ts';
import { decodeServerMessage, isNameplate, NO_SERVICES, RENDEZVOUS_PATH } from '../../src/wire/rendezvous.ts';
import { decodeHello, decodeSignal, encodeHello, encodeSignal, type Signal } from '../../src/wire/signal.ts';
import { decodeSeatMessage, decodeWatcherMessage } from '../../src/wire/watch.ts';
import { helloOf } from '../hello.ts';
import { file, folder, link } from '../node/files/helpers.ts';

const numRuns = Number(process.env.RUNS ?? 1000);

/** The value; undefined when it was refused as it should be. */
function decoded<T>(decode: () => T, ...codes: string[]): T | undefined {
  try {
    return decode();
  } catch (error) {
    assert.ok(error instanceof BeelineError, String((error as Error)?.stack ?? error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    return undefined;
  }
}

const noise = fc.oneof(fc.string({ unit: 'binary' }), fc.json());
/** A valid text with a few characters replaced, put in or taken out. */
const near = (valid: readonly string[]) =>
  fc
    .tuple(
      fc.constantFrom(...valid),
      fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 4 }),
    )
    .map(([text, edits]) => {
      for (const [where, cut, put] of edits) {
        const at = where % (text.length + 1);
        text = text.slice(0, at) + put + text.slice(at + cut);
      }
      return text;
    });
/** Valid JSON of a valid shape with fields of other values. */
const odd = (kinds: readonly object[]) =>
  fc
    .tuple(
      fc.constantFrom(...kinds),
      fc.nat(),
      fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 2 ** 53, 1e300, '0', '00'.repeat(65), 'a'.repeat(70_000))),
    )
    .map(([fields, which, value]) => {
      const keys = Object.keys(fields);
      return JSON.stringify({ ...fields, [keys[which % keys.length]!]: value });
    });

const [h65, h32] = [new Uint8Array(65).fill(4), new Uint8Array(32).fill(7)];
const signals: Signal[] = [
  { k: 'share', v: 1, share: h65 },
  { k: 'answer', v: 1, share: h65, confirmation: h32, sealed: 'abc' },
  { k: 'accept', confirmation: h32, sealed: 'x' },
  { k: 'sealed', sealed: 'y' },
  { k: 'refuse', code: 'WRONG_CODE' },
];
const at = ['10.0.0.1:1', '[fd00::7]:65535'];
const rtc = {
  id: '0123456789abcdef',
  kind: 'offer',
  ufrag: 'abcd',
  password: 'x'.repeat(22),
  fingerprint: 'cd'.repeat(32),
  candidates: [
    'candidate:1 1 UDP 2114977791 192.0.2.2 44221 typ host',
    'candidate:0 1 udp 2122187007 e1a5a1c0-9c3b-4b6c-8f8e-2f6a1f6c0d3e.local 51234 typ host generation 0',
    'candidate:2 1 udp 1685921535 2001:db8::7 44221 typ srflx raddr 0.0.0.0 rport 0',
  ],
};
const udx = { at, password: 'ef'.repeat(16), symmetric: true };
const quic = { at, key: 'ef'.repeat(32) };
const transports = { tcp: { at, threads: [1] }, punched: at, udx, quic, turn: at, webrtc: [rtc] };
const hello = helloOf({ transports, hosts: ['192.0.2.1'], tls: false, lanes: 4 });

test('signals: whatever comes, a signal or PROTOCOL or VERSION', () => {
  const texts = signals.map(encodeSignal);
  const inputs = fc.oneof(noise, near(texts), odd(texts.map((text) => JSON.parse(text))));
  fc.assert(
    fc.property(inputs, (text) => {
      const signal = decoded(() => decodeSignal(text, 1), 'PROTOCOL', 'VERSION');
      if (signal) assert.deepEqual(decodeSignal(encodeSignal(signal), 1), signal);
      if (signal && 'share' in signal) assert.equal(signal.share.length, 65);
    }),
    { numRuns },
  );
});

test('hellos: whatever comes, addresses within bounds or PROTOCOL', () => {
  const inputs = fc.oneof(noise, near([encodeHello(hello)]), odd([hello]));
  fc.assert(
    fc.property(inputs, (text) => {
      const found = decoded(() => decodeHello(text), 'PROTOCOL');
      if (!found) return;
      assert.ok(found.hosts.length <= 40 && found.agent.length <= 64 && found.lanes <= 64);
      for (const host of found.hosts) assert.ok(/^[0-9a-fA-F:.]+$/.test(host), host);
      const kinds = Object.keys(found.transports);
      assert.ok(kinds.length <= 16 && kinds.every((kind) => /^[a-z0-9-]{1,16}$/.test(kind)), kinds.join());
    }),
    { numRuns },
  );
});

test('pages: whatever comes, sane entries or a refusal, and never an unsafe name', () => {
  const valid = encodePages([folder('d'), file('d/a', 3), link('d/l', 'a'), file('b', 2 ** 40)])[0]!;
  const flips = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(fc.oneof(flips, fc.uint8Array({ maxLength: 300 })), (input) => {
      const bytes = input instanceof Uint8Array ? input : valid.slice();
      if (!(input instanceof Uint8Array)) for (const [at, value] of input) bytes[at] = value;
      const entries = decoded(() => decodePage(bytes), 'PROTOCOL', 'BAD_MANIFEST');
      if (!entries) return;
      for (const { size, mode, mtime, kind } of entries) {
        assert.ok(Number.isSafeInteger(size) && size >= 0 && mode <= 0o777 && Number.isFinite(mtime));
        assert.ok(kind === 'file' || size === 0);
      }
      decoded(() => checkEntries(entries), 'UNSAFE_NAME');
    }),
    { numRuns },
  );
});

test('names: what is let through stays inside, what is shown steers nothing', () => {
  const part = fc.oneof(
    fc.constantFrom('..', '.', '', 'a', '\0', '\x1b[2J', '\u202e', 'C:', '\\', '~', 'con', 'A~1'),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const path = parts.join('/');
      for (const platform of ['posix', 'windows'] as const) {
        if (nameProblem(path, platform) !== undefined) continue;
        assert.ok(
          path.split('/').every((one) => one !== '' && one !== '.' && one !== '..') && !/\p{Cc}/u.test(path),
        );
      }
      assert.doesNotMatch(escapeName(path), /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
    }),
    { numRuns },
  );
});

test('rendezvous messages: whatever comes, a message or PROTOCOL or VERSION', () => {
  const token = 'ab'.repeat(16);
  const kinds = [
    { t: 'host', v: 2, nameplate: '7', token },
    { t: 'join', v: 2, nameplate: '7', token },
    { t: 'send', guest: 1, body: 'x' },
    { t: 'drop', guest: 1 },
    { t: 'leave' },
    { t: 'hosted', v: 2, guests: 1, present: [], nameplate: '7', token, services: NO_SERVICES },
    { t: 'joined', v: 2, token, services: NO_SERVICES },
    { t: 'peer', present: true },
    { t: 'message', body: 'x' },
    { t: 'refused', code: 'NO_PEER', message: 'x' },
    { t: 'watch', v: 2, nameplates: ['dabcdefghijklmno'] },
    { t: 'watching', v: 2, present: ['dabcdefghijklmno'] },
    { t: 'hosting', nameplate: 'dabcdefghijklmno', present: true },
  ];
  const inputs = fc.oneof(noise, near(kinds.map((fields) => JSON.stringify(fields))), odd(kinds));
  fc.assert(
    fc.property(inputs, (text) => {
      for (const decode of [decodeSeatMessage, decodeServerMessage, decodeWatcherMessage]) {
        const message = decoded(() => decode(text), 'PROTOCOL', 'VERSION');
        if (message && 'nameplate' in message && message.nameplate !== undefined)
          assert.ok(isNameplate(message.nameplate));
        if (message?.t === 'refused') assert.doesNotMatch(message.message, /[\p{Cc}\p{Cf}]/u);
      }
    }),
    { numRuns },
  );
});

test('sealed messages: whatever comes, only the true one opens', () => {
  const key = new Uint8Array(32).fill(9);
  const sealed = new KeyedChannel(key.subarray(0, 16), 'sender', 'c').seal('true');
  const channel = new KeyedChannel(key.subarray(0, 16), 'receiver', 'c');
  fc.assert(
    fc.property(fc.oneof(noise, near([sealed]), fc.base64String()), (text) => {
      if (text === sealed) return;
      assert.equal(
        decoded(() => channel.open(text), 'AUTHENTICATION'),
        undefined,
      );
    }),
    { numRuns },
  );
  assert.equal(channel.open(sealed), 'true');
});

test('codes: whatever is typed, a code that is read back as itself, or USAGE', () => {
  const inputs = fc.oneof(noise, near(['7-velvet-canyon', ' 12 \u2013 Stra\u00dfe \u2212 \u0130 ']));
  fc.assert(
    fc.property(inputs, (text) => {
      const code = decoded(() => parseCode(text), 'USAGE');
      if (!code) return;
      assert.ok(isNameplate(code.nameplate) && Buffer.byteLength(code.password) <= 256);
      assert.deepEqual(parseCode(formatCode(code)), code);
    }),
    { numRuns },
  );
});

test('device keys: whatever is typed, a key of 32 bytes or USAGE', () => {
  const inputs = fc.oneof(noise, near([formatDeviceKey(new Uint8Array(32).fill(3))]));
  fc.assert(
    fc.property(inputs, (text) => {
      const key = decoded(() => parseDeviceKey(text), 'USAGE');
      if (key) assert.equal(formatDeviceKey(key), text.trim().toLowerCase());
    }),
    { numRuns },
  );
});

test('URLs and addresses: whatever is typed, one of ours or USAGE', () => {
  const inputs = fc.oneof(
    noise,
    near([
      'http://a.example:4848/x',
      'wss://[fd00::7]/',
      '192.168.1.7:4848',
      '[fe80::1%eth0]:1',
      'lab:65535',
    ]),
    fc.webUrl(),
  );
  fc.assert(
    fc.property(inputs, (text) => {
      const url = decoded(() => rendezvousUrl(text), 'USAGE');
      if (url) assert.match(url, /^wss?:\/\/[^/]/);
      if (url) assert.ok(new URL(url).pathname.endsWith(RENDEZVOUS_PATH));
      const at = decoded(() => parseHostPort(text), 'USAGE');
      if (at) assert.ok(at.port <= 65535 && at.host !== '' && !/\s/.test(at.host));
    }),
    { numRuns },
  );
});

// The codec that multicast-dns uses.
const { resolve } = createRequire(createRequire(import.meta.url).resolve('multicast-dns'));
const codec: typeof import('dns-packet') = createRequire(import.meta.url)(resolve('dns-packet'));

test('mDNS: whatever passes the screen is read or refused, and names nobody that may not be dialled', () => {
  const service = { nameplate: '7', label: 'b-00112233', port: 4242 };
  const iface: Interface = {
    name: 'net0',
    family: 4,
    address: '192.0.2.1',
    zone: '',
    loopback: false,
    isOnLink: () => true,
  };
  const valid = codec.encode({ type: 'response', ...records(service, ['192.0.2.7'], 'announce') } as Packet);
  assert.ok(isPlausible(valid) && valid.includes(SERVICE.split('.')[0]!));
  const flips = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 12 });
  let [read, found] = [0, 0];
  fc.assert(
    fc.property(fc.oneof(flips, fc.uint8Array({ maxLength: 200 })), (input) => {
      const bytes = Buffer.from(input instanceof Uint8Array ? input : valid);
      if (!(input instanceof Uint8Array)) for (const [at, value] of input) bytes[at] = value;
      if (!isPlausible(bytes)) return;
      let packet: Packet;
      try {
        packet = codec.decode(bytes);
      } catch {
        // multicast-dns drops what its codec throws at.
        return;
      }
      read++;
      for (const { nameplate, port, addresses } of announcements(packet, iface, '192.0.2.7')) {
        found++;
        assert.ok(isNameplate(nameplate) && port > 0 && port <= 65535 && addresses.length <= 17);
        for (const address of addresses)
          assert.doesNotMatch(address, /^(?:0\.|127\.|22[4-9]\.|23\d\.|::1?$)/);
      }
      for (const nameplate of announcedNameplates(packet)) assert.ok(isNameplate(nameplate));
    }),
    { numRuns },
  );
  assert.ok(read > 0 && found > 0);
});
