/** Drops what passes one interface of a router or the backbone: a path that dies without a word. */
import { nft } from './ip.ts';
import type { End } from './join.ts';

/** What is dropped, both ways; all that is given must match, and nothing given is everything. */
export interface Cut {
  udp?: boolean;
  tcp?: boolean;
  /** The other side's address, or addresses, as this host sees them. */
  to?: string | readonly string[];
  /** The other side's port. */
  port?: number;
}

/**
 * Adds a rule to those of the interface `end`, which leads to the host. Hooks of the netdev family see what is bridged
 * on a LAN too, and drop silently: the host's own calls to send succeed.
 */
export function cut(end: End, rule: Cut): void {
  const table = tableOf(end);
  const lines: string[] = [];
  for (const [chain, side] of [
    ['from', 'd'],
    ['to', 's'],
  ] as const) {
    for (const address of rule.to === undefined ? [undefined] : [rule.to].flat()) {
      for (const protocol of protocols(rule)) {
        const words = [`add rule ${table} ${chain}`];
        if (address === undefined) words.push('meta protocol { ip, ip6 }');
        else words.push(`${address.includes(':') ? 'ip6' : 'ip'} ${side}addr ${address}`);
        if (protocol !== undefined) words.push(`meta l4proto ${protocol}`);
        if (rule.port !== undefined) words.push(`th ${side}port ${rule.port}`);
        lines.push([...words, 'drop'].join(' '));
      }
    }
  }
  nft(end.namespace, [...chains(end), ...lines].join('\n'));
}

/** Takes away all that was cut at this interface. */
export function heal(end: End): void {
  nft(end.namespace, `add table ${tableOf(end)}\ndelete table ${tableOf(end)}`);
}

function protocols({ udp, tcp, port }: Cut): (string | undefined)[] {
  const named = [udp && 'udp', tcp && 'tcp'].filter((word) => typeof word === 'string');
  if (named.length > 0) return named;
  return port === undefined ? [undefined] : ['udp', 'tcp'];
}

// Adding what is there already changes nothing. Each interface of a router has a table of its own.
const tableOf = ({ device }: End): string => `netdev cut_${device}`;
const chains = (end: End): string[] => [
  `add table ${tableOf(end)}`,
  `add chain ${tableOf(end)} from { type filter hook ingress device "${end.device}" priority 0; policy accept; }`,
  `add chain ${tableOf(end)} to { type filter hook egress device "${end.device}" priority 0; policy accept; }`,
];
