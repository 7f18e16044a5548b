/** SDP of our own taken apart, and the other side's put together. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as v from 'valibot';
import { MAX_RTC_CANDIDATES } from '../../src/base/limits.ts';
import { compose, describe as taken } from '../../src/transports/webrtc/sdp.ts';
import { isRtcCandidate, RTC_DESCRIPTION, type RtcDescription } from '../../src/wire/rtc.ts';

const print = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0'));
const ID = '0123456789abcdef';
const numRuns = Number(process.env.RUNS ?? 100);

/** The lines that Chromium, Firefox and libdatachannel say, in their order. */
const CHROMIUM = [
  'v=0',
  'o=- 4611731400430051336 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'a=extmap-allow-mixed',
  'a=msid-semantic: WMS',
  'm=application 39335 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 203.0.113.9',
  'a=candidate:1 1 udp 2113937151 2684c627-8fbd-445f-9b1c-b9307b92bfeb.local 36379 typ host generation 0 network-cost 999',
  'a=candidate:2 1 udp 1677729535 203.0.113.9 36379 typ srflx raddr 192.168.1.2 rport 36379 generation 0 network-id 1 network-cost 50',
  'a=candidate:3 1 udp 33562367 198.51.100.3 50001 typ relay raddr 203.0.113.9 rport 36379 generation 0 network-id 1',
  'a=candidate:4 1 tcp 1518283007 2684c627-8fbd-445f-9b1c-b9307b92bfeb.local 9 typ host tcptype active generation 0',
  'a=ice-ufrag:IbxG',
  'a=ice-pwd:qJOT26O4+OvBPckjQFEQ4lfI',
  'a=ice-options:trickle',
  `a=fingerprint:sha-256 ${print.join(':').toUpperCase()}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=sctp-port:5000',
  'a=max-message-size:262144',
];
const FIREFOX = [
  'v=0',
  'o=mozilla...THIS_IS_SDPARTA-99.0 5512345 0 IN IP4 0.0.0.0',
  's=-',
  't=0 0',
  `a=fingerprint:sha-256 ${print.join(':').toUpperCase()}`,
  'a=group:BUNDLE 0',
  'a=ice-options:trickle',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0',
  'a=candidate:0 1 UDP 2122187007 c1a5e8fb-2cd1-4d0e-8dbb-5a0a24dc5af1.local 51362 typ host',
  'a=candidate:1 1 UDP 1685987327 203.0.113.9 51362 typ srflx raddr 0.0.0.0 rport 0',
  'a=sendrecv',
  'a=ice-pwd:4b1be0a6a21bd6ae3fcd2a5a1a52ba44',
  'a=ice-ufrag:a1b2c3d4',
  'a=mid:0',
  'a=setup:actpass',
  'a=sctp-port:5000',
  'a=max-message-size:1073741823',
];
const LIBDATACHANNEL = [
  'v=0',
  'o=rtc 1333390901 0 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'a=ice-options:ice2,trickle',
  `a=fingerprint:sha-256 ${print.join(':').toUpperCase()}`,
  'm=application 51004 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 192.0.2.2',
  'a=mid:0',
  'a=setup:actpass',
  'a=ice-ufrag:pcug',
  'a=ice-pwd:1PlB4G+r4sM2kxoZPpyhWJ',
  'a=candidate:2 1 UDP 2116026111 fd00::2 51004 typ host',
  'a=candidate:4 1 UDP 1047807 fd00::3 51004 typ relay raddr :: rport 0',
  'a=end-of-candidates',
];
const text = (lines: string[]) => `${lines.join('\r\n')}\r\n`;
const base = [`a=fingerprint:sha-256 ${print.join(':')}`, 'a=ice-ufrag:abcd', `a=ice-pwd:${'x'.repeat(22)}`];

function decodeRtc(value: unknown): RtcDescription | undefined {
  const { success, output } = v.safeParse(RTC_DESCRIPTION, value);
  return success ? output : undefined;
}

describe('our own SDP', () => {
  it('gives what is the same in every implementation', () => {
    assert.deepEqual(taken(text(CHROMIUM), ID, 'offer'), {
      id: ID,
      kind: 'offer',
      ufrag: 'IbxG',
      password: 'qJOT26O4+OvBPckjQFEQ4lfI',
      fingerprint: print.join(''),
      candidates: [
        'candidate:1 1 udp 2113937151 2684c627-8fbd-445f-9b1c-b9307b92bfeb.local 36379 typ host',
        'candidate:2 1 udp 1677729535 203.0.113.9 36379 typ srflx raddr 0.0.0.0 rport 0',
        'candidate:3 1 udp 33562367 198.51.100.3 50001 typ relay raddr 0.0.0.0 rport 0',
      ],
    });
    assert.deepEqual(taken(text(FIREFOX), ID, 'answer').candidates, [
      'candidate:0 1 udp 2122187007 c1a5e8fb-2cd1-4d0e-8dbb-5a0a24dc5af1.local 51362 typ host',
      'candidate:1 1 udp 1685987327 203.0.113.9 51362 typ srflx raddr 0.0.0.0 rport 0',
    ]);
    assert.deepEqual(taken(text(LIBDATACHANNEL), ID, 'answer').candidates, [
      'candidate:2 1 udp 2116026111 fd00::2 51004 typ host',
      'candidate:4 1 udp 1047807 fd00::3 51004 typ relay raddr :: rport 0',
    ]);
  });

  it('of any implementation is a description that a peer takes', () => {
    for (const lines of [CHROMIUM, FIREFOX, LIBDATACHANNEL]) {
      const description = taken(text(lines), ID, 'offer');
      assert.deepEqual(decodeRtc(JSON.parse(JSON.stringify(description))), description);
    }
  });

  it('without a fingerprint that can be pinned is an error of ours', () => {
    for (const missing of base) {
      const lines = base.filter((line) => line !== missing);
      assert.throws(() => taken(text(lines), ID, 'offer'), { code: 'INTERNAL' });
    }
    const sha1 = ['a=fingerprint:sha-1 00:11', ...base.slice(1)];
    assert.throws(() => taken(text(sha1), ID, 'offer'), { code: 'INTERNAL' });
  });

  it('keeps to itself candidates that a peer would refuse the whole of it for', () => {
    const lines = ['name.example', '1.2.3.4', 'fe80::1%eth0', 'host.local'].map(
      (host) => `a=candidate:1 1 udp 1 ${host} 5 typ host`,
    );
    const { candidates } = taken(
      text([...base, ...lines, 'a=candidate:1 1 udp 1 1.2.3.4 0 typ host']),
      ID,
      'offer',
    );
    assert.deepEqual(candidates, ['candidate:1 1 udp 1 1.2.3.4 5 typ host']);
  });

  it('with more candidates than may cross is cut, and each type keeps its best', () => {
    const candidate = fc.record({
      type: fc.constantFrom('host', 'srflx', 'relay'),
      priority: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      host: fc.ipV4(),
      port: fc.integer({ min: 1, max: 65535 }),
    });
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 40 }), (all) => {
        const lines = all.map(
          ({ type, priority, host, port }) => `a=candidate:1 1 udp ${priority} ${host} ${port} typ ${type}`,
        );
        const { candidates } = taken(text([...base, ...lines]), ID, 'offer');
        const different = new Set(all.map(({ type, host, port }) => `${type} ${host} ${port}`)).size;
        assert.equal(candidates.length, Math.min(MAX_RTC_CANDIDATES, different));
        assert.ok(candidates.every(isRtcCandidate));
        const types = (some: string[]) => new Set(some.map((each) => / typ (\S+)/.exec(each)![1]));
        assert.deepEqual([...types(candidates)].sort(), [...types(lines)].sort());
        const priorities = candidates.map((each) => Number(each.split(' ')[3]));
        assert.deepEqual(
          priorities,
          [...priorities].sort((a, b) => b - a),
        );
      }),
      { numRuns },
    );
  });
});

describe("the other side's SDP", () => {
  const hex = (length: number) =>
    fc
      .array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length })
      .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(''));
  const ice = (min: number) => fc.stringMatching(new RegExp(`^[A-Za-z0-9+/]{${min},64}$`));

  it('has its fields in the places where a parser looks for them, and nothing else of it', () => {
    fc.assert(
      fc.property(hex(32), ice(4), ice(22), (fingerprint, ufrag, password) => {
        const peer: RtcDescription = { id: ID, kind: 'offer', ufrag, password, fingerprint, candidates: [] };
        assert.deepEqual(decodeRtc(peer), peer);
        const sdp = compose(peer, 'actpass');
        assert.deepEqual(taken(sdp, ID, 'offer'), peer);
        const lines = sdp.split('\r\n');
        assert.equal(lines.pop(), '');
        assert.equal(lines.length, 16);
        assert.ok(lines.every((line) => /^[a-z]=[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(line)));
      }),
      { numRuns },
    );
  });

  it('says who begins', () => {
    const peer = taken(text(CHROMIUM), ID, 'offer');
    assert.match(compose(peer, 'actpass'), /^a=setup:actpass\r$/m);
    assert.match(compose(peer, 'active'), /^a=setup:active\r$/m);
    assert.match(compose(peer, 'active'), /^a=fingerprint:sha-256 00:01:02:.*:1E:1F\r$/m);
  });
});
