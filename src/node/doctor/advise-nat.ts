/** What the NATs on the way mean for a transfer. Pure. */

import { scopeOf } from '../../base/addresses.ts';
import { type Diagnosis, failed, found } from './diagnosis.ts';

/** How packets get out: without NAT, by one that keeps its mapping, by one that does not, by some, or not at all. */
export type Way = 'open' | 'cone' | 'symmetric' | 'unknown' | 'blocked';

const WAYS = {
  none: 'open',
  'endpoint-independent': 'cone',
  dependent: 'symmetric',
  unknown: 'unknown',
} as const;

/** IPv4's, where it is: NATs belong to it. Undefined if it was not asked. */
export function wayOut(d: Diagnosis, transport: 'udp' | 'tcp'): Way | undefined {
  const facts = found(d, `${transport}4`) ?? found(d, `${transport}6`);
  if (facts) return WAYS[facts.mapping];
  return failed(d, `${transport}4`) || failed(d, `${transport}6`) ? 'blocked' : undefined;
}

/** The IPv4 address that the world sees; undefined if not known, or if the server is too near to see it. */
export function outside(d: Diagnosis): string | undefined {
  const host = (found(d, 'udp4') ?? found(d, 'tcp4'))?.host;
  return host !== undefined && scopeOf(host) === 'global' ? host : undefined;
}

export function adviseOnNat(d: Diagnosis): string | undefined {
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
}

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
