/** Who counts as one address when connections are limited. */

/**
 * The key that limits count by: an IPv4 address as it is, IPv6 by /64 (one household or host usually has a whole
 * one, RFC 6177), an IPv4-mapped address as IPv4. Anything else is its own key.
 */
export function addressKey(address: string): string {
  const bare = address.split('%')[0]!;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare);
  if (mapped) return mapped[1]!;
  if (!IPV6.test(bare)) return bare;
  const [head = '', tail] = bare.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  // A dotted quad at the end stands for two groups (RFC 4291, 2.2.3).
  const rightGroups = right.length + (right.at(-1)?.includes('.') ? 1 : 0);
  const zeros = tail === undefined ? 0 : 8 - left.length - rightGroups;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  const prefix = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(':')}::/64`;
}

/** What a socket or a checked header calls an address, and what has a colon, is one of IPv6. */
const IPV6 = /^[0-9a-f.]*:[0-9a-f:.]*$/i;
