/**
 * SDP of a connection with nothing but a data channel (RFC 8829, RFC 8841): taken apart where it is our own, and put
 * together anew for the other side's, so that no text of a peer's reaches a browser's parser. Pure.
 */
import { BeelineError } from '../../base/errors.ts';
import { MAX_RTC_CANDIDATES } from '../../base/limits.ts';
import { isRtcCandidate, type RtcDescription } from '../../wire/rtc.ts';

/** The largest message that either side takes: what all implementations agree on (RFC 8841, 6.1). */
const MAX_MESSAGE_SIZE = 262_144;

const TYPES = ['host', 'srflx', 'relay'] as const;
type Type = (typeof TYPES)[number];

interface Candidate {
  text: string;
  type: Type;
  priority: number;
}

/** @param sdp this side's own @throws BeelineError INTERNAL if it has no SHA-256 fingerprint or no ICE credentials */
export function describe(sdp: string, id: string, kind: RtcDescription['kind']): RtcDescription {
  const value = (form: RegExp) => form.exec(sdp)?.[1];
  const ufrag = value(/^a=ice-ufrag:(\S+)/m);
  const password = value(/^a=ice-pwd:(\S+)/m);
  const fingerprint = value(/^a=fingerprint:sha-256 ([0-9A-F:]{95})/im)
    ?.replaceAll(':', '')
    .toLowerCase();
  if (!ufrag || !password || !fingerprint)
    throw new BeelineError('INTERNAL', 'WebRTC described this side in a way that Beeline does not know.');
  return { id, kind, ufrag, password, fingerprint, candidates: best(candidatesOf(sdp)) };
}

/** The other side's, for `setRemoteDescription`; its candidates are given one by one. */
export function compose(
  { ufrag, password, fingerprint }: RtcDescription,
  setup: 'actpass' | 'active',
): string {
  const print = fingerprint.toUpperCase().match(/../g)!.join(':');
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    'a=mid:0',
    'a=sendrecv',
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${password}`,
    'a=ice-options:trickle',
    `a=fingerprint:sha-256 ${print}`,
    `a=setup:${setup}`,
    'a=sctp-port:5000',
    `a=max-message-size:${MAX_MESSAGE_SIZE}`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function candidatesOf(sdp: string): Candidate[] {
  const found = new Map<string, Candidate>();
  const form = /^a=candidate:(\S+) 1 udp (\d+) (\S+) (\d+) typ (host|srflx|relay)\b/gim;
  for (const [, foundation, priority, host, port, typ] of sdp.matchAll(form)) {
    const type = typ!.toLowerCase() as Type;
    // Extensions of an implementation's own would only make it long. Where it came from is nobody's business, but a parser may insist.
    const base = type === 'host' ? '' : ` raddr ${host!.includes(':') ? '::' : '0.0.0.0'} rport 0`;
    const text = `candidate:${foundation} 1 udp ${priority} ${host} ${port} typ ${type}${base}`;
    if (isRtcCandidate(text))
      found.set(`${type} ${host} ${port}`, { text, type, priority: Number(priority) });
  }
  return [...found.values()];
}

/** As many as may cross, best first, with the same number of each type, since perhaps only one type works. */
function best(all: Candidate[]): string[] {
  all.sort((a, b) => b.priority - a.priority);
  const types = TYPES.map((type) => all.filter((each) => each.type === type));
  const chosen = new Set<Candidate>();
  for (let rank = 0; rank < all.length; rank++)
    for (const ranked of types)
      for (const each of ranked.slice(rank, rank + 1)) if (chosen.size < MAX_RTC_CANDIDATES) chosen.add(each);
  return all.filter((each) => chosen.has(each)).map(({ text }) => text);
}
