/** IP addresses as bytes and as text. */
import { isIPv4, isIPv6 } from 'node:net';

/** 4 or 16 bytes; an IPv4 address mapped into IPv6 as its 4, a zone dropped. Undefined for anything else. */
export function ipBytes(host: string): Uint8Array | undefined {
  if (isIPv4(host)) return Uint8Array.from(host.split('.'), Number);
  if (!isIPv6(host)) return undefined;
  const [head, tail] = host.split('%')[0]!.split('::');
  const left = groups(head!);
  const right = groups(tail ?? '');
  const bytes = new Uint8Array(16);
  bytes.set(left);
  bytes.set(right, 16 - right.length);
  return isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** The text that the operating system shows too (RFC 5952): lower case, the longest run of zero groups as `::`. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (isMapped(bytes)) return bytes.subarray(12).join('.');
  const words = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  let [start, most] = [0, 1];
  for (let i = 0, run = 0; i < 8; i++) {
    run = words[i] === 0 ? run + 1 : 0;
    if (run > most) [start, most] = [i - run + 1, run];
  }
  const text = (part: number[]) => part.map((word) => word.toString(16)).join(':');
  return most === 1 ? text(words) : `${text(words.slice(0, start))}::${text(words.slice(start + most))}`;
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    // A dotted quad at the end stands for two groups (RFC 4291, 2.2.3).
    if (group.includes('.')) return group.split('.').map(Number);
    const word = Number.parseInt(group, 16);
    return [word >> 8, word & 0xff];
  });
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.every((byte, i) => i >= 12 || byte === (i < 10 ? 0 : 0xff));
}
