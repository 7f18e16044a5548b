/** Keys for MESSAGE-INTEGRITY (RFC 8489, 9). Non-goal: SASLprep; Beeline's own passwords are ASCII. */
import { createHash } from 'node:crypto';

/** The key is the password itself (RFC 8489, 9.1.1). */
export function shortTermKey(password: string): Uint8Array {
  return new TextEncoder().encode(password);
}

/** MD5, which every TURN server still speaks (RFC 8489, 9.2.2). */
export function longTermKey(username: string, realm: string, password: string): Uint8Array {
  return new Uint8Array(createHash('md5').update(`${username}:${realm}:${password}`).digest());
}
