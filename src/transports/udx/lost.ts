/** Packets of UDX that no stream of ours takes: the other side has not heard of its end, which was told in one packet. */

/** A UDX header: magic, version, type, offset of the data, the receiver's stream id (32 bits, little-endian), and 12 bytes more. */
const HEADER = 20;
const MAGIC = 0xff;
const VERSION = 1;
const ID = 4;

/** The stream id that a packet is for; undefined if it is none of UDX. */
export function unknownStream(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER || bytes[0] !== MAGIC || bytes[1] !== VERSION) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, HEADER).getUint32(ID, true);
}
