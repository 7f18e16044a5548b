/** What is thrown away before it is parsed: anybody on the link can send anything to port 5353, at any rate. */
import { TokenBucket } from '../../base/bucket.ts';
import { SERVICE } from './records.ts';

/** Announcements fit one Ethernet frame; larger packets are other services'. */
const MOST_BYTES = 1500;
/** Bounds what the decoder allocates and how often it can be sent along a chain of name pointers. */
const MOST_RECORDS = 64;
const HEADER = 12;
const PACKETS_PER_SECOND = 200;

/** True for a DNS message (RFC 1035, 4.1.1) of tolerable size that mentions our service. */
export function isPlausible(packet: Buffer): boolean {
  if (packet.length < HEADER || packet.length > MOST_BYTES) return false;
  // RFC 6762, 18.3 and 18.11: other opcodes and non-zero response codes are ignored.
  if ((packet.readUInt16BE(2) & 0x780f) !== 0) return false;
  let records = 0;
  for (let at = 4; at < HEADER; at += 2) records += packet.readUInt16BE(at);
  if (records === 0 || records > MOST_RECORDS) return false;
  return packet.toString('latin1', HEADER).toLowerCase().includes(LABEL);
}

/** The first label of the service with its length byte, as it stands in a packet. */
const LABEL = `${String.fromCharCode(SERVICE.indexOf('.'))}${SERVICE.split('.')[0]}`;

/** `isPlausible` at a bounded rate. */
export function screen(): (packet: Buffer) => boolean {
  const bucket = new TokenBucket(PACKETS_PER_SECOND);
  return (packet) => isPlausible(packet) && bucket.take();
}
