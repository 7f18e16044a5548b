/** The nftables rules of home routers, carriers' gateways and hotels, by what they do to the hosts behind them. */

/** What a router between a LAN and the internet does; RFC 4787's terms in the comments. */
export type NatKind =
  /** Endpoint-independent mapping, address and port-dependent filtering: Linux's masquerade, most home routers. */
  | 'cone'
  /** Endpoint-independent mapping and filtering: a port that a host has sent from takes packets from anyone. */
  | 'full-cone'
  /** Address and port-dependent mapping: another port for each destination. */
  | 'symmetric'
  /** A cone that drops all UDP, either way. */
  | 'udp-blocked'
  /** Only TCP to port 443 gets out. */
  | 'only-443'
  /** No address translation, a firewall only; for IPv6. */
  | 'firewall';

/** Seconds that a full cone's port stays open after its host last sent from it. */
const FULL_CONE_LIFETIME = 120;

/**
 * The rules of a router with its interfaces `wan` and `lan`. What nobody asked for is dropped, not rejected, as home
 * routers do: a RST to an early SYN would end a simultaneous open.
 */
export function natRules(kind: NatKind): string {
  return `
table inet router {
  ${kind === 'full-cone' ? FULL_CONE : ''}
  chain forward {
    type filter hook forward priority filter; policy drop;
    ${OUTGOING[kind]}
    ct state established,related accept
    ct status dnat accept
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname { lo, lan } accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${kind === 'firewall' ? '' : `oifname wan meta nfproto ipv4 masquerade ${kind === 'symmetric' ? 'fully-random' : ''}`}
  }
}`;
}

const OUTGOING: Record<NatKind, string> = {
  cone: 'iifname lan accept',
  'full-cone': `iifname lan meta nfproto ipv4 meta l4proto { tcp, udp } update @opened { meta l4proto . th sport : ip saddr }
    iifname lan accept`,
  symmetric: 'iifname lan accept',
  'udp-blocked': `meta l4proto udp drop
    iifname lan accept`,
  'only-443': 'iifname lan tcp dport 443 accept',
  firewall: 'iifname lan accept',
};

// Masquerade keeps the port, so the port on the host is the port on the router.
const FULL_CONE = `
  map opened {
    type inet_proto . inet_service : ipv4_addr
    size 65535; flags dynamic,timeout; timeout ${FULL_CONE_LIFETIME}s;
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname wan meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @opened
  }`;
