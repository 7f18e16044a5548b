/** Turns findings into advice for a person. Pure. */

import { scopeOf } from '../../base/addresses.ts';
import { type Diagnosis, failed, found } from './diagnosis.ts';

type Rule = (diagnosis: Diagnosis) => string | false | undefined;

const WITHOUT_SERVER =
  'two machines meet only in the same local network, or where the receiver can reach the sender: `beeline send PATH --at HOST:PORT`.';

const alone: Rule = (d) =>
  failed(d, 'addresses') &&
  'This machine has no address but its own loopback: connect it to a network first.';

const serverless: Rule = (d) => {
  if (d.server) return undefined;
  const unknown = 'No server was asked, so the kind of NAT is not known.';
  const run =
    'run `beeline server` on a machine that both sides reach, and name it on both with --server or BEELINE_SERVER.';
  if (found(d, 'dht'))
    return `The DHT answers: two machines anywhere meet over it with nothing but the code. ${unknown} Where two do not get through to each other, ${run}`;
  const silent = failed(d, 'dht') ? 'The DHT does not answer: UDP may not get out of this network. ' : '';
  return `${silent}${unknown} Without a server${silent === '' ? ' and the DHT' : ''}, ${WITHOUT_SERVER} For others, ${run}`;
};

const unreachable: Rule = (d) => {
  if (!failed(d, 'server')) return undefined;
  const proxy = found(d, 'proxy')?.proxy;
  if (proxy !== undefined)
    return `The server cannot be reached through the proxy ${proxy}. If the server is inside of your network, exempt it with NO_PROXY; if not, ask whoever runs the proxy. Until then, ${WITHOUT_SERVER}`;
  if (failed(d, 'proxy'))
    return 'The server cannot be reached, because the proxy that HTTPS_PROXY or HTTP_PROXY names cannot be used: correct the variable, or unset it.';
  return `The server cannot be reached: check its address, and that it runs. If this network lets only its proxy out, name that: HTTPS_PROXY=http://HOST:PORT. Until then, ${WITHOUT_SERVER}`;
};

const proxied: Rule = (d) => {
  const proxy = found(d, 'server') && found(d, 'proxy')?.proxy;
  return (
    proxy !== undefined &&
    `The proxy ${proxy} carries the meeting and the relay, and no direct lane: those need a way of their own.`
  );
};

const stunless: Rule = (d) =>
  found(d, 'server')?.stun.length === 0 &&
  'This server answers no STUN: the kind of NAT cannot be told, and none can be punched through. Its owner can turn STUN on.';

const ipv6: Rule = (d) => {
  const addresses = found(d, 'addresses')?.addresses ?? [];
  const own = addresses.some(({ address, scope }) => scope === 'global' && address.includes(':'));
  const works = found(d, 'udp6') ?? found(d, 'tcp6');
  const tried = failed(d, 'udp6') || failed(d, 'tcp6');
  if (own && works)
    return 'IPv6 works here. Where the other side has it too, that is the best way: no NAT stands in it, only firewalls.';
  if (own && tried)
    return 'This machine has an IPv6 address, but its packets do not get to the server over IPv6: that connection is broken or filtered.';
  if (own)
    return 'This machine has an IPv6 address. Where the other side has one too, that is the best way; with this server, which has none under that name, it could not be tried.';
  const ways = [wayOut(d, 'udp'), wayOut(d, 'tcp')];
  const hard = ways.includes('symmetric') || behindAnother(d);
  return (
    hard &&
    'There is no IPv6 here. If the provider offers it, turn it on: between two sides that have it, no NAT stands.'
  );
};

/** There are two NATs, and the mapped port is only the inner one's. */
function behindAnother(d: Diagnosis): boolean {
  const router = found(d, 'router');
  const seen = outside(d);
  if (router) return scopeOf(router.host) !== 'global' || (seen !== undefined && seen !== router.host);
  const four = (found(d, 'addresses')?.addresses ?? []).filter(({ address }) => !address.includes(':'));
  const scopes = new Set(four.map(({ scope }) => scope));
  // Beside other addresses it most likely belongs to a VPN, since some use the same range.
  return scopes.has('shared') && !scopes.has('private') && !scopes.has('global');
}

const router: Rule = (d) => {
  const mapped = found(d, 'router');
  const known = `${mapped ? `the router's address outside is ${mapped.host}` : 'this machine has an address of that kind'}${outside(d) === undefined ? '' : `, the world sees ${outside(d)}`}`;
  if (behindAnother(d))
    return `Another NAT stands behind the first, most likely the provider's (carrier-grade: ${known}), so a mapped port is of no use. The provider may give a public IPv4 address, or IPv6.`;
  if (mapped)
    return `The router maps ports when asked (${mapped.protocol}): the other side can connect directly, whatever its own NAT.`;
  const nat = [wayOut(d, 'udp'), wayOut(d, 'tcp')].some((way) => way === 'cone' || way === 'symmetric');
  return (
    nat &&
    failed(d, 'router') &&
    'No router answers UPnP, NAT-PMP or PCP. If it is yours, turn one of them on, or forward a TCP port to this machine and name it with --port: then any other side can connect directly.'
  );
};

const relay: Rule = (d) => {
  const server = found(d, 'server');
  if (!server || found(d, 'relay')) return undefined;
  if (found(d, 'turn'))
    return 'The relay of the server cannot be used, but its TURN server can: that carries where nothing direct works.';
  if (server.relay || server.turn)
    return 'Nothing that relays works from here (see above): where no direct way is found, a transfer fails. The owner of the server can tell why.';
  return 'The server relays nothing: where no direct way is found, a transfer fails. Its owner can turn the relay on, or name a TURN server with --turn-url.';
};

const turn: Rule = (d) =>
  failed(d, 'turn') &&
  found(d, 'relay') &&
  'The TURN server cannot be used from here; the relay of the server takes its place.';

const lan: Rule = (d) =>
  failed(d, 'lan') &&
  !failed(d, 'addresses') &&
  'In the local network, senders cannot be found by themselves: multicast or UDP port 5353 is refused here, by a firewall perhaps. Use --at HOST:PORT there.';

const udx: Rule = (d) =>
  failed(d, 'udx') &&
  'Lanes over UDP are not available here, only TCP and relays: long or lossy ways are slower, and some NATs stay closed. The native part of udx-native exists for Linux with glibc, macOS and Windows, on x64 and arm64; a new installation of Beeline brings it.';

/** How packets get out: without NAT, by one that keeps its mapping, by one that does not, by some, or not at all. */
type Way = 'open' | 'cone' | 'symmetric' | 'unknown' | 'blocked';

const WAYS = {
  none: 'open',
  'endpoint-independent': 'cone',
  dependent: 'symmetric',
  unknown: 'unknown',
} as const;

/** IPv4's, where it is: NATs belong to it. Undefined if it was not asked. */
function wayOut(d: Diagnosis, transport: 'udp' | 'tcp'): Way | undefined {
  const facts = found(d, `${transport}4`) ?? found(d, `${transport}6`);
  if (facts) return WAYS[facts.mapping];
  return failed(d, `${transport}4`) || failed(d, `${transport}6`) ? 'blocked' : undefined;
}

/** The IPv4 address that the world sees; undefined if not known, or if the server is too near to see it. */
function outside(d: Diagnosis): string | undefined {
  const host = (found(d, 'udp4') ?? found(d, 'tcp4'))?.host;
  return host !== undefined && scopeOf(host) === 'global' ? host : undefined;
}

const nat: Rule = (d) => {
  const udp = wayOut(d, 'udp');
  const tcp = wayOut(d, 'tcp');
  const server = found(d, 'server');
  if (!server || !udp || !tcp) return undefined;
  if (udp === 'blocked') return closed(d, tcp);
  const near = server.hosts.length > 0 && server.hosts.every((host) => scopeOf(host) !== 'global');
  if (udp === 'open' && near)
    return 'The server is in the same network as this machine, so nothing is known of the NAT between it and the internet. A server outside tells.';
  const filtering = (found(d, 'udp4') ?? found(d, 'udp6'))?.filtering;
  if (udp === 'open' && filtering === 'dependent') return FIREWALL;
  return `${BY_UDP[udp]}${udp === 'symmetric' ? '' : BY_TCP[tcp]}`;
};

/** UDP does not get out. */
function closed(d: Diagnosis, tcp: Way): string {
  const lead = 'UDP does not get from here to the server and back';
  if (tcp !== 'blocked') return `${lead}. ${WITHOUT_UDP[tcp]}`;
  const ports = found(d, 'server')?.stun.join(' and ') ?? '';
  const carried =
    found(d, 'relay') || found(d, 'turn')
      ? 'Transfers to other networks go through the relay, unless the other side can be dialled directly.'
      : 'Only machines in the same local network, or such as can be dialled directly, can be reached.';
  return `${lead}, nor does TCP to its STUN ports: this network lets little out, or a firewall before the server does not let ports ${ports} in. ${carried}`;
}

const FIREWALL =
  'No NAT is in the way, but a firewall lets in only answers: a direct way is found where both sides send at the same time, which Beeline does. A port that the firewall lets in (--port N) makes it certain.';

const BY_UDP: { readonly [W in Exclude<Way, 'blocked'>]: string } = {
  open: "No NAT changes this machine's UDP port: the other side reaches it directly, unless a firewall refuses (--port N keeps TCP to one port that can be let in).",
  cone: 'The NAT keeps one port for all destinations ("cone"): a direct way is found to most other networks; to those with a "symmetric" NAT it takes some seconds, while a relay carries.',
  symmetric:
    'The NAT gives each destination another port ("symmetric"): to a network with a "cone" NAT a direct way is found by trying many ports, which takes some seconds while a relay carries; to another "symmetric" one only a relay or TURN leads.',
  unknown:
    'Only one of the STUN ports of the server answers, so the kind of NAT cannot be told: the other is blocked here, or by a firewall before the server.',
};

const BY_TCP: { readonly [W in Way]: string } = {
  open: '',
  cone: '',
  unknown: '',
  symmetric: ' For TCP it gives each destination another port, so direct lanes run over UDP.',
  blocked: ' TCP does not get to the STUN ports of the server, so direct lanes run over UDP.',
};

const WITHOUT_UDP: { readonly [W in Exclude<Way, 'blocked'>]: string } = {
  open: 'Lanes run over TCP, which is slower on long or lossy ways; the other side can connect directly, unless a firewall refuses.',
  cone: 'Lanes run over TCP, which is slower on long or lossy ways: directly where the NAT at the other side keeps its ports too (TCP hole punching), else through a relay.',
  symmetric:
    'For TCP the NAT gives each destination another port, so direct lanes are made only to a side that can be dialled (an open or mapped port, IPv6); else a relay carries.',
  unknown:
    'TCP gets to one of its STUN ports and not to the other: this network lets little out (or a firewall before the server little in), so expect a relay to carry.',
};

const RULES: readonly Rule[] = [
  ...[alone, serverless, unreachable, proxied, stunless],
  ...[nat, router, ipv6, relay, turn, lan, udx],
];

/** Sentences, the most important first. They may quote addresses that a router or server gave. */
export function advise(diagnosis: Diagnosis): string[] {
  return RULES.flatMap((rule) => rule(diagnosis) || []);
}
