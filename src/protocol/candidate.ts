/** Where and how a side can be reached: what crosses, sealed, between the peers. Pure. */
import { plainHost } from './addresses.ts';

/** An IP address (never a name) and a port, 1 to 65535. */
export interface Address {
  host: string;
  port: number;
}

/**
 * - `tcp`: it listens there (a local address, or one that its router maps to it): dial.
 * - `punch`: what the world sees of a local TCP port that it dials out from: both sides dial at once. The n-th of one
 *   side belongs to the n-th of the other.
 * - `turn`: a TURN server's TCP port that leads to it (RFC 6062): dial.
 * - `udp`: a local, reflexive or mapped address of its UDP port: checked by STUN before use.
 */
export const CANDIDATE_TYPES = ['tcp', 'punch', 'turn', 'udp'] as const;
export type CandidateType = (typeof CANDIDATE_TYPES)[number];

export interface Candidate extends Address {
  type: CandidateType;
}

/** `host:port`, with brackets around IPv6; an IPv4 address mapped into IPv6 is shown as IPv4. */
export function formatAddress({ host, port }: Address): string {
  const plain = plainHost(host);
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}
