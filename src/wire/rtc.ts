/**
 * What a WebRTC connection needs to know of its other end: the part of SDP (RFC 8839, RFC 8842) that differs between two data
 * channels. It crosses sealed, in a hello; each side composes the rest itself, so that no peer's SDP reaches a parser. Pure.
 */
import * as v from 'valibot';
import { isAddress } from '../base/addresses.ts';
import { hex, list } from '../base/json.ts';
import { MAX_RTC_CANDIDATE, MAX_RTC_CANDIDATES } from '../base/limits.ts';

/** RFC 8839, 5.1. An address, or a name of multicast DNS that browsers show in its place. */
const CANDIDATE =
  /^candidate:[A-Za-z0-9+/]{1,32} 1 udp \d{1,10} ([0-9A-Fa-f.:]{2,45}|[0-9a-f-]{36}\.local) (\d{1,5}) typ (?:host|srflx|prflx|relay)(?: [\x21-\x7e]+)*$/i;

/** True for a candidate that may be given to an ICE agent: no name that would ask a name server of the peer's choosing. */
export function isRtcCandidate(text: string): boolean {
  const [, host, port] = (text.length <= MAX_RTC_CANDIDATE && CANDIDATE.exec(text)) || [];
  if (!host || !(Number(port) > 0 && Number(port) < 65536)) return false;
  return host.endsWith('.local') || isAddress(host);
}

export const RTC_DESCRIPTION = v.object({
  /** Of the connection: 16 random hex digits, chosen by who offers. */
  id: hex(8),
  kind: v.picklist(['offer', 'answer']),
  /** ICE's short-term credential (RFC 8445, 5.3), in the form of RFC 8839, 5.4. */
  ufrag: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{4,64}$/)),
  password: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{22,64}$/)),
  /** SHA-256 of the DTLS certificate: 64 hex digits. */
  fingerprint: hex(32),
  /** `candidate:...` (RFC 8839, 5.1), UDP only; more may come with a later hello. */
  candidates: list(v.pipe(v.string(), v.check(isRtcCandidate)), MAX_RTC_CANDIDATES),
});
export type RtcDescription = v.InferOutput<typeof RTC_DESCRIPTION>;
