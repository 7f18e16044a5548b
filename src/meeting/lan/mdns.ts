/** Meeting on a local network without any server: multicast DNS (RFC 6762) and DNS-SD (RFC 6763). */
export { type AnnounceOptions, type Announcing, announce } from './announce.ts';
export { type FindOptions, type FoundAddress, find, type LookOptions, taken } from './find.ts';
