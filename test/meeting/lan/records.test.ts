import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { Packet, Question } from 'dns-packet';
import fc from 'fast-check';
import { TokenBucket } from '../../../src/base/bucket.ts';
import { addressesFor, type Interface } from '../../../src/meeting/lan/interfaces.ts';
import { isPlausible } from '../../../src/meeting/lan/links.ts';
import {
  announcedNameplates,
  announcements,
  asksFor,
  type LanService,
  records,
  SERVICE,
  wantsUnicast,
} from '../../../src/meeting/lan/records.ts';

// The codec that multicast-dns uses.
const { resolve } = createRequire(createRequire(import.meta.url).resolve('multicast-dns'));
const codec: typeof import('dns-packet') = createRequire(import.meta.url)(resolve('dns-packet'));

const service: LanService = { nameplate: '7', label: 'b-00112233', port: 4242 };
const link = (loopback = false): Interface => ({
  name: 'net0',
  family: 6,
  address: 'fe80::1',
  zone: 'net0',
  loopback,
  isOnLink: () => true,
});
const wire = (packet: Packet) => codec.decode(codec.encode({ ...packet }));
const announce = (addresses: string[], purpose: Parameters<typeof records>[2] = 'announce') =>
  wire({ type: 'response', ...records(service, addresses, purpose) });

test('what is announced is read back, with a zone for link-local addresses and the source first', () => {
  const packet = announce(['192.0.2.1', 'fe80::5', '2001:db8::1']);
  assert.deepEqual(announcements(packet, link(), 'fe80::5%net0'), [
    {
      nameplate: '7',
      instance: 'b-00112233:4242',
      port: 4242,
      addresses: ['fe80::5%net0', '192.0.2.1', '2001:db8::1'],
      gone: false,
    },
  ]);
  assert.deepEqual(announcedNameplates(packet), ['7']);
  const goodbye = announce(['192.0.2.1'], 'goodbye');
  assert.equal(announcements(goodbye, link(), '192.0.2.1')[0]!.gone, true);
  assert.deepEqual(announcedNameplates(goodbye), []);
  assert.ok(
    announce(['192.0.2.1'], 'legacy').answers!.every((answer) => (answer as { ttl: number }).ttl <= 10),
  );
});

test('addresses that nobody should dial are left out', () => {
  const hostile = [
    '0.0.0.0',
    '127.0.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'ff02::1',
    '::ffff:127.0.0.1',
  ];
  assert.deepEqual(announcements(announce(hostile), link(), '')[0]!.addresses, []);
  assert.deepEqual(announcements(announce(hostile), link(true), '')[0]!.addresses, ['127.0.0.1', '::1']);
});

test('names, ports and targets of strangers are checked', () => {
  const srv = (name: string, port: number, target: string): Packet => ({
    type: 'response',
    answers: [{ type: 'SRV', name, ttl: 9, data: { port, target } }],
  });
  const read = (packet: Packet) => announcements(wire(packet), link(), '').length;
  assert.equal(read(srv(`7.${SERVICE.toUpperCase()}`, 1, 'h.local')), 1);
  for (const [name, port, target] of [
    [`7.${SERVICE}`, 0, 'h.local'],
    [`7.${SERVICE}`, 1, 'h.example'],
    [`7.${SERVICE}`, 1, 'a.b.local'],
    [`7.x.${SERVICE}`, 1, 'h.local'],
    [`\u001b[2J.${SERVICE}`, 1, 'h.local'],
    [SERVICE, 1, 'h.local'],
    ['7._http._tcp.local', 1, 'h.local'],
  ] as const)
    assert.equal(read(srv(name, port, target)), 0, name);
});

test('questions for the service, the instance and the host are answered, others not', () => {
  const asks = (name: string, type: string) => asksFor({ name, type } as Question, service);
  assert.ok(asks(SERVICE, 'PTR') && asks('7._Beeline._TCP.local', 'SRV') && asks('b-00112233.local', 'A'));
  assert.ok(
    !asks(`8.${SERVICE}`, 'SRV') && !asks('_services._dns-sd._udp.local', 'PTR') && !asks(SERVICE, 'A'),
  );
  const query = codec.encode({ type: 'query', questions: [{ name: SERVICE, type: 'PTR' }] });
  assert.ok(!wantsUnicast(codec.decode(query).questions![0]!));
  query.writeUInt16BE(0x8001, query.length - 2);
  assert.ok(wantsUnicast(codec.decode(query).questions![0]!));
});

test('a full announcement fits one frame and passes the screen', () => {
  const infos = Array.from({ length: 100 }, (_, i) => ({
    address: `2001:db8::${(i + 1).toString(16)}`,
    family: 'IPv6',
    internal: false,
    cidr: null,
  }));
  const addresses = addressesFor(link(), undefined, { net0: infos } as never);
  assert.equal(addresses.length, 16);
  const longest = { nameplate: 'a'.repeat(32), label: 'b-001122334455', port: 65_535 };
  const { answers, additionals } = records(longest, addresses, 'announce');
  const bytes = codec.encode({ type: 'response', answers, additionals });
  assert.ok(bytes.length < 1400, String(bytes.length));
  assert.ok(isPlausible(bytes));
});

test('the screen lets only small packets about this service through', () => {
  const query = codec.encode({ type: 'query', questions: [{ name: SERVICE, type: 'PTR' }] });
  assert.ok(isPlausible(query));
  assert.ok(!isPlausible(Buffer.concat([query, Buffer.alloc(1500)])));
  assert.ok(
    !isPlausible(codec.encode({ type: 'query', questions: [{ name: '_http._tcp.local', type: 'PTR' }] })),
  );
  const counts = Buffer.from(query);
  counts.writeUInt16BE(65_535, 6);
  assert.ok(!isPlausible(counts));
  const opcode = Buffer.from(query);
  opcode[2] = 0x28;
  assert.ok(!isPlausible(opcode));
  assert.ok(!isPlausible(Buffer.alloc(0)));
});

test('any packet that passes the screen is read or refused, never worse', () => {
  const valid = codec.encode({ type: 'response', ...records(service, ['192.0.2.1', 'fe80::5'], 'announce') });
  const flips = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 12 });
  fc.assert(
    fc.property(fc.oneof(flips, fc.uint8Array({ maxLength: 200 })), (input) => {
      let bytes: Buffer;
      if (input instanceof Uint8Array) bytes = Buffer.concat([valid.subarray(0, 40), input]);
      else {
        bytes = Buffer.from(valid);
        for (const [at, value] of input) bytes[at] = value;
      }
      if (!isPlausible(bytes)) return;
      let packet: Packet;
      try {
        packet = codec.decode(bytes);
      } catch {
        return; // multicast-dns drops what its codec refuses.
      }
      for (const found of announcements(packet, link(), 'x')) {
        assert.match(found.nameplate, /^[a-z0-9]{1,32}$/);
        assert.ok(found.port > 0 && found.addresses.length <= 32);
      }
      for (const nameplate of announcedNameplates(packet)) assert.match(nameplate, /^[a-z0-9]{1,32}$/);
      for (const question of packet.questions ?? []) asksFor(question, service);
    }),
    { numRuns: Number(process.env.RUNS ?? 2000) },
  );
});

test('a bucket gives its burst, then its rate', () => {
  let now = 0;
  const bucket = new TokenBucket(10, 10, { now: () => now });
  const takes = () => Array.from({ length: 20 }, () => bucket.take()).filter(Boolean).length;
  assert.equal(takes(), 10);
  now = 500;
  assert.equal(takes(), 5);
  now = 1_000_000;
  assert.equal(takes(), 10);
});
