/** What `beeline doctor` advises, case by case: what must be said, and what must not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { scopeOf } from '../../src/base/addresses.ts';
import { advise } from '../../src/node/doctor/advise.ts';
import {
  CHECKS,
  type Diagnosis,
  type Facts,
  type Failure,
  type LocalAddress,
} from '../../src/node/doctor/diagnosis.ts';

const NO: Failure = { ok: false, code: 'NO_PATH', reason: 'No answer.' };
const OUTSIDE = '198.51.100.7';

const addresses = (...all: string[]): Diagnosis['addresses'] => ({
  ok: true,
  addresses: all.map((address): LocalAddress => ({ interface: 'eth0', address, scope: scopeOf(address) })),
});
const server = (facts: Partial<Facts['server']> = {}): Diagnosis['server'] => ({
  ...{ ok: true, ms: 20, hosts: ['203.0.113.10'], relay: true, stun: [4848, 4849], turn: false },
  ...facts,
});
const tcp = (mapping: Facts['tcp4']['mapping'], host = OUTSIDE): Diagnosis['tcp4'] => ({
  ...{ ok: true, ms: 20, mapping, host },
});
const udp = (
  mapping: Facts['udp4']['mapping'],
  host = OUTSIDE,
  filtering: Facts['udp4']['filtering'] = 'dependent',
): Diagnosis['udp4'] => ({ ok: true, ms: 20, mapping, host, filtering });
const router = (host: string): Diagnosis['router'] => ({ ok: true, ms: 9, protocol: 'PCP', host });
const RELAY: Diagnosis['relay'] = { ok: true, ms: 40, rate: 1e6 };
const TURN: Diagnosis['turn'] = { ok: true, ms: 40, relayed: '203.0.113.10:50000' };

/** A home like most: a cone NAT, no IPv6, a server whose relay works. */
const HOME: Diagnosis = {
  addresses: addresses('192.168.1.7'),
  lan: { ok: true, interfaces: ['eth0'] },
  udx: { ok: true },
  router: NO,
  server: server(),
  udp4: udp('endpoint-independent'),
  tcp4: tcp('endpoint-independent'),
  relay: RELAY,
};
const LOCAL: Diagnosis = { addresses: HOME.addresses, lan: HOME.lan, udx: HOME.udx, router: NO };

interface Case {
  what: string;
  has: Diagnosis;
  says: RegExp[];
  not?: RegExp[];
  /** Lines in all. */
  lines?: number;
}

const CASES: Case[] = [
  {
    what: 'a usual home',
    has: HOME,
    says: [/keeps one port for all .*"cone".*most other/, /No router answers UPnP, NAT-PMP or PCP.*--port/],
    not: [/blocked|cannot|IPv6/],
    lines: 2,
  },
  {
    what: 'a router that maps ports',
    has: { ...HOME, router: router(OUTSIDE) },
    says: [/maps ports when asked \(PCP\).*whatever its own NAT/],
    not: [/No router/],
    lines: 2,
  },
  {
    what: 'a router whose address outside is of a carrier-grade NAT',
    has: { ...HOME, router: router('100.64.3.4') },
    says: [/carrier-grade: .*100\.64\.3\.4, the world sees 198\.51\.100\.7.*of no use/, /no IPv6 here/],
    not: [/maps ports when asked/],
  },
  {
    what: 'a router whose address outside is private',
    has: { ...HOME, router: router('192.168.0.2') },
    says: [/of no use/],
  },
  {
    what: 'a router whose address outside is not the one that the world sees',
    has: { ...HOME, router: router('198.51.100.99') },
    says: [/of no use/],
    not: [/maps ports when asked/],
  },
  {
    what: 'a private address outside, and no server that would see another',
    has: { ...LOCAL, router: router('10.0.0.2') },
    says: [/carrier-grade: the router's address outside is 10\.0\.0\.2\).*of no use/],
    not: [/the world sees/],
  },
  {
    what: 'a phone: its only address is of a carrier-grade NAT',
    has: { ...HOME, addresses: addresses('100.72.1.2') },
    says: [/this machine has an address of that kind.*of no use/],
    not: [/No router answers/],
  },
  {
    what: 'a VPN of the same range beside a usual address',
    has: { ...HOME, addresses: addresses('192.168.1.7', '100.72.1.2') },
    says: [/No router answers/],
    not: [/of no use/],
  },
  {
    what: 'a symmetric NAT',
    has: { ...HOME, udp4: udp('dependent'), tcp4: tcp('dependent') },
    says: [/"symmetric".*trying many ports.*another "symmetric" one only a relay or TURN/, /no IPv6 here/],
    not: [/For TCP it gives/],
  },
  {
    what: 'a NAT that is symmetric for TCP only',
    has: { ...HOME, tcp4: tcp('dependent') },
    says: [/"cone".*For TCP it gives each destination another port, so direct lanes run over UDP/],
  },
  {
    what: 'TCP that does not reach the STUN ports',
    has: { ...HOME, tcp4: NO },
    says: [/"cone".*TCP does not get to the STUN ports.*run over UDP/],
  },
  {
    what: 'UDP blocked',
    has: { ...HOME, udp4: NO },
    says: [/^UDP does not get.*over TCP.*TCP hole punching/],
    not: [/"cone"/],
  },
  {
    what: 'UDP blocked and TCP symmetric',
    has: { ...HOME, udp4: NO, tcp4: tcp('dependent') },
    says: [/^UDP does not get.*only to a side that can be dialled.*else a relay carries/],
  },
  {
    what: 'UDP blocked and no NAT for TCP',
    has: { ...HOME, udp4: NO, tcp4: tcp('none', '203.0.113.4') },
    says: [/^UDP does not get.*the other side can connect directly/],
  },
  {
    what: 'UDP blocked and one TCP port',
    has: { ...HOME, udp4: NO, tcp4: tcp('unknown') },
    says: [/^UDP does not get.*lets little out.*expect a relay/],
  },
  {
    what: 'only the server itself can be reached',
    has: { ...HOME, udp4: NO, tcp4: NO },
    says: [/nor does TCP.*ports 4848 and 4849.*go through the relay/],
  },
  {
    what: 'only the server itself can be reached, and it relays nothing',
    has: { ...HOME, server: server({ relay: false }), relay: undefined, udp4: NO, tcp4: NO },
    says: [/nor does TCP.*Only machines in the same local network/, /relays nothing.*--turn-url/],
  },
  {
    what: 'UDP over IPv6 where IPv4 has none',
    has: {
      ...HOME,
      ...{ addresses: addresses('192.168.1.7', '2001:db8::7'), udp4: NO, udp6: udp('none', '2001:db8::7') },
    },
    says: [/firewall lets in only answers.*both sides send at the same time/, /IPv6 works here.*best way/],
    not: [/UDP does not get/],
  },
  {
    what: 'an address of its own that strangers reach',
    has: {
      ...HOME,
      ...{ addresses: addresses('203.0.113.4'), udp4: udp('none', '203.0.113.4', 'open') },
      ...{ tcp4: tcp('none', '203.0.113.4') },
    },
    says: [/No NAT changes.*reaches it directly/],
    not: [/No router/],
    lines: 1,
  },
  {
    what: 'one STUN port that answers',
    has: { ...HOME, udp4: udp('unknown') },
    says: [/Only one of the STUN ports.*cannot be told/],
  },
  {
    what: 'IPv6 that leads nowhere',
    has: { ...HOME, addresses: addresses('192.168.1.7', '2001:db8::7'), udp6: NO, tcp6: NO },
    says: [/do not get to the server over IPv6/],
    not: [/IPv6 works here/],
  },
  {
    what: 'IPv6 here and none at the server',
    has: { ...HOME, addresses: addresses('192.168.1.7', '2001:db8::7') },
    says: [/has an IPv6 address.*best way.*could not be tried/],
  },
  {
    what: 'a unique local IPv6 address, which leads nowhere',
    has: { ...HOME, addresses: addresses('192.168.1.7', 'fd00::7') },
    says: [],
    not: [/IPv6/],
  },
  {
    what: 'a server in the same network',
    has: {
      ...HOME,
      ...{ server: server({ hosts: ['192.168.1.2'] }), udp4: udp('none', '192.168.1.7', 'open') },
      ...{ tcp4: tcp('none', '192.168.1.7'), router: router(OUTSIDE) },
    },
    says: [/in the same network as this machine.*A server outside tells/, /maps ports when asked/],
    not: [/No NAT changes|of no use/],
  },
  {
    what: 'a server without STUN',
    has: { ...HOME, server: server({ stun: [] }), udp4: undefined, tcp4: undefined },
    says: [/answers no STUN/],
    not: [/"cone"|blocked|No router/],
  },
  {
    what: 'a server that relays nothing',
    has: { ...HOME, server: server({ relay: false }), relay: undefined },
    says: [/relays nothing.*a transfer fails/],
  },
  {
    what: 'a relay that does not work',
    has: { ...HOME, relay: NO },
    says: [/Nothing that relays works from here.*a transfer fails/],
  },
  {
    what: 'a relay that does not work, beside a TURN server that does',
    has: { ...HOME, server: server({ turn: true }), relay: NO, turn: TURN },
    says: [/relay of the server cannot be used, but its TURN server can/],
    not: [/a transfer fails/],
  },
  {
    what: 'a TURN server that does not work, beside a relay that does',
    has: { ...HOME, server: server({ turn: true }), turn: NO },
    says: [/TURN server cannot be used from here; the relay/],
    not: [/a transfer fails/],
  },
  {
    what: 'no server',
    has: LOCAL,
    says: [/^No server was asked.*--at HOST:PORT.*`beeline server`.*BEELINE_SERVER/],
    not: [/No router answers/],
    lines: 1,
  },
  {
    what: 'no server, and a DHT that answers',
    has: { ...LOCAL, dht: { ok: true, ms: 300 } },
    says: [/^The DHT answers.*nothing but the code.*No server was asked.*`beeline server`/],
    not: [/two machines meet only/],
    lines: 1,
  },
  {
    what: 'no server, and a DHT that does not answer',
    has: { ...LOCAL, dht: NO },
    says: [/^The DHT does not answer: UDP may not get out.*--at HOST:PORT/],
    lines: 1,
  },
  {
    what: 'a server that is not there',
    has: { ...LOCAL, server: { ok: false, code: 'SERVER', reason: 'Cannot reach it.' } },
    says: [/^The server cannot be reached.*HTTPS_PROXY=http:\/\/HOST:PORT.*--at/],
    not: [/No server was asked/],
    lines: 1,
  },
  {
    what: 'a server that is not reached through the proxy',
    has: { ...LOCAL, proxy: { ok: true, proxy: 'proxy.example:3128' }, server: NO },
    says: [/through the proxy proxy\.example:3128.*NO_PROXY/],
    not: [/HTTPS_PROXY=/],
    lines: 1,
  },
  {
    what: 'a proxy that is none',
    has: { ...LOCAL, proxy: { ok: false, code: 'USAGE', reason: 'Not a URL.' }, server: NO },
    says: [/proxy that HTTPS_PROXY or HTTP_PROXY names cannot be used/],
    lines: 1,
  },
  {
    what: 'a proxy that works',
    has: { ...HOME, proxy: { ok: true, proxy: 'proxy.example:3128' } },
    says: [/proxy\.example:3128 carries the meeting and the relay, and no direct lane/],
  },
  {
    what: 'no network',
    has: { ...LOCAL, addresses: NO, lan: NO },
    says: [/^This machine has no address/],
    not: [/5353/],
  },
  {
    what: 'no multicast',
    has: { ...HOME, lan: NO },
    says: [/multicast or UDP port 5353 is refused.*--at HOST:PORT/],
  },
  {
    what: 'no UDP lanes on this system',
    has: { ...HOME, udx: NO },
    says: [/Lanes over UDP are not available here.*glibc/],
  },
  {
    what: '--no-port-map',
    has: { ...HOME, router: undefined },
    says: [/"cone"/],
    not: [/router/],
    lines: 1,
  },
];

describe('doctor: advice', () => {
  for (const { what, has, says, not = [], lines } of CASES)
    it(what, () => {
      const said = advise(has);
      for (const pattern of says)
        assert.ok(
          said.some((line) => pattern.test(line)),
          `${pattern} in\n${said.join('\n')}`,
        );
      for (const pattern of not) for (const line of said) assert.doesNotMatch(line, pattern);
      if (lines !== undefined) assert.equal(said.length, lines, said.join('\n'));
      assert.equal(new Set(said).size, said.length);
      for (const line of said) assert.match(line, /^[A-Z].*[^ ]\.$/);
    });

  it('is given for every mixture of what can be found, without contradiction', () => {
    const mappings = ['none', 'endpoint-independent', 'dependent', 'unknown'] as const;
    let count = 0;
    for (const u of [...mappings.map((each) => udp(each)), NO, undefined])
      for (const t of [...mappings.map((each) => tcp(each)), NO, undefined])
        for (const r of [router(OUTSIDE), router('10.0.0.1'), NO, undefined])
          for (const s of [server(), server({ relay: false }), NO, undefined]) {
            const said = advise({ ...HOME, udp4: u, tcp4: t, router: r, server: s });
            assert.ok(said.length <= CHECKS.length);
            const has = (pattern: RegExp) => said.some((line) => pattern.test(line));
            assert.ok(!(has(/of no use/) && has(/maps ports when asked/)), said.join('\n'));
            assert.ok(!(has(/"cone"\)/) && has(/UDP does not get/)), said.join('\n'));
            assert.equal(has(/No server was asked/), s === undefined);
            count++;
          }
    assert.equal(count, 6 * 6 * 4 * 4);
  });
});

describe('doctor: scopes of addresses', () => {
  for (const [address, scope] of [
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['10.0.0.1', 'private'],
    ['172.15.255.255', 'global'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'global'],
    ['192.168.255.255', 'private'],
    ['::ffff:192.168.1.1', 'private'],
    ['100.63.255.255', 'global'],
    ['100.64.0.0', 'shared'],
    ['100.127.255.255', 'shared'],
    ['100.128.0.0', 'global'],
    ['192.0.0.2', 'shared'],
    ['169.254.9.9', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['febf::1', 'link-local'],
    ['fc00::1', 'private'],
    ['fdff::1', 'private'],
    ['2001:db8::1', 'global'],
    ['8.8.8.8', 'global'],
  ] as const)
    it(`${address} is ${scope}`, () => assert.equal(scopeOf(address), scope));
});
