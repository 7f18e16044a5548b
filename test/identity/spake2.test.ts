import assert from 'node:assert/strict';
import { test } from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { fromHex, toHex, utf8Encode } from '../../src/base/bytes.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { deriveScalar, Spake2 } from '../../src/identity/spake2.ts';

/** RFC 9382 appendix B, SPAKE2-P256-SHA256-HKDF-SHA256-HMAC-SHA256. */
const VECTORS = [
  {
    A: 'server',
    B: 'client',
    w: '2ee57912099d31560b3a44b1184b9b4866e904c49d12ac5042c97dca461b1a5f',
    x: '43dd0fd7215bdcb482879fca3220c6a968e66d70b1356cac18bb26c84a78d729',
    pA: '04a56fa807caaa53a4d28dbb9853b9815c61a411118a6fe516a8798434751470f9010153ac33d0d5f2047ffdb1a3e42c9b4e6be662766e1eeb4116988ede5f912c',
    y: 'dcb60106f276b02606d8ef0a328c02e4b629f84f89786af5befb0bc75b6e66be',
    pB: '0406557e482bd03097ad0cbaa5df82115460d951e3451962f1eaf4367a420676d09857ccbc522686c83d1852abfa8ed6e4a1155cf8f1543ceca528afb591a1e0b7',
    Ke: '0e0672dc86f8e45565d338b0540abe69',
    cA: '58ad4aa88e0b60d5061eb6b5dd93e80d9c4f00d127c65b3b35b1b5281fee38f0',
    cB: 'd3e2e547f1ae04f2dbdbf0fc4b79f8ecff2dff314b5d32fe9fcef2fb26dc459b',
  },
  {
    A: '',
    B: 'client',
    w: '0548d8729f730589e579b0475a582c1608138ddf7054b73b5381c7e883e2efae',
    x: '403abbe3b1b4b9ba17e3032849759d723939a27a27b9d921c500edde18ed654b',
    pA: '04a897b769e681c62ac1c2357319a3d363f610839c4477720d24cbe32f5fd85f44fb92ba966578c1b712be6962498834078262caa5b441ecfa9d4a9485720e918a',
    y: '903023b6598908936ea7c929bd761af6039577a9c3f9581064187c3049d87065',
    pB: '04e0f816fd1c35e22065d5556215c097e799390d16661c386e0ecc84593974a61b881a8c82327687d0501862970c64565560cb5671f696048050ca66ca5f8cc7fc',
    Ke: '642f05c473c2cd79909f9a841e2f30a7',
    cA: '47d29e6666af1b7dd450d571233085d7a9866e4d49d2645e2df975489521232b',
    cB: '3313c5cefc361d27fb16847a91c2a73b766ffa90a4839122a9b70a2f6bd1d6df',
  },
  {
    A: 'server',
    B: '',
    w: '626e0cdc7b14c9db3e52a0b1b3a768c98e37852d5db30febe0497b14eae8c254',
    x: '07adb3db6bc623d3399726bfdbfd3d15a58ea776ab8a308b00392621291f9633',
    pA: '04f88fb71c99bfffaea370966b7eb99cd4be0ff1a7d335caac4211c4afd855e2e15a873b298503ad8ba1d9cbb9a392d2ba309b48bfd7879aefd0f2cea6009763b0',
    y: 'b6a4fc8dbb629d4ba51d6f91ed1532cf87adec98f25dd153a75accafafedec16',
    pB: '040c269d6be017dccb15182ac6bfcd9e2a14de019dd587eaf4bdfd353f031101e7cca177f8eb362a6e83e7d5e729c0732e1b528879c086f39ba0f31a9661bd34db',
    Ke: '005184ff460da2ce59062c87733c299c',
    cA: 'bc9f9bbe99f26d0b2260e6456e05a86196a3307ec6663a18bf6ac825736533b2',
    cB: 'c2370e1bf813b086dff0d834e74425a06e6390f48f5411900276dcccc5a297ec',
  },
  {
    A: '',
    B: '',
    w: '7bf46c454b4c1b25799527d896508afd5fc62ef4ec59db1efb49113063d70cca',
    x: '8cef65df64bb2d0f83540c53632de911b5b24b3eab6cc74a97609fd659e95473',
    pA: '04a65b367a3f613cf9f0654b1b28a1e3a8a40387956c8ba6063e8658563890f46ca1ef6a676598889fc28de2950ab8120b79a5ef1ea4c9f44bc98f585634b46d66',
    y: 'd7a66f64074a84652d8d623a92e20c9675c61cb5b4f6a0063e4648a2fdc02d53',
    pB: '04589f13218822710d98d8b2123a079041052d9941b9cf88c6617ddb2fcc0494662eea8ba6b64692dc318250030c6af045cb738bc81ba35b043c3dcb46adf6f58d',
    Ke: 'fc6374762ba5cf11f4b2caa08b2cd1b9',
    cA: 'dfb4db8d48ae5a675963ea5e6c19d98d4ea028d8e898dad96ea19a80ade95dca',
    cB: 'd0f0609d1613138d354f7e95f19fb556bf52d751947241e8c7118df5ef0ae175',
  },
];

const isCode = (code: string) => (thrown: unknown) => thrown instanceof BeelineError && thrown.code === code;
const w = deriveScalar(utf8Encode('velvet-canyon'), 'test');

for (const vector of VECTORS)
  test(`RFC 9382 appendix B: A='${vector.A}' B='${vector.B}'`, () => {
    const common = { w: fromHex(vector.w), idA: vector.A, idB: vector.B };
    const a = new Spake2({ ...common, role: 'A', scalar: fromHex(vector.x) });
    const b = new Spake2({ ...common, role: 'B', scalar: fromHex(vector.y) });
    assert.equal(toHex(a.share), vector.pA);
    assert.equal(toHex(b.share), vector.pB);
    const atA = a.finish(b.share);
    const atB = b.finish(a.share);
    for (const { key } of [atA, atB]) assert.equal(toHex(key), vector.Ke);
    assert.equal(toHex(atA.confirmation), vector.cA);
    assert.equal(toHex(atB.confirmation), vector.cB);
    assert.ok(atA.verify(atB.confirmation) && atB.verify(atA.confirmation));
  });

type Change = Partial<{ w: Uint8Array; idA: string; idB: string; aad: Uint8Array }>;

function run(changeB: Change = {}) {
  const common = { w, idA: 'sender', idB: 'receiver', aad: utf8Encode('v1') };
  const a = new Spake2({ ...common, role: 'A' });
  const b = new Spake2({ ...common, ...changeB, role: 'B' });
  return { a: a.finish(b.share), b: b.finish(a.share) };
}

test('the same password and context agree, with a fresh key each time', () => {
  const first = run();
  const second = run();
  for (const { a, b } of [first, second]) {
    assert.deepEqual(a.key, b.key);
    assert.ok(a.verify(b.confirmation) && b.verify(a.confirmation));
  }
  assert.notDeepEqual(first.a.key, second.a.key);
});

test('a wrong password, identity or AAD fails the confirmation on both sides', () => {
  for (const change of [
    { w: deriveScalar(utf8Encode('velvet-canyons'), 'test') },
    { idA: 'receiver' },
    { idB: 'sende' },
    { aad: utf8Encode('v2') },
  ]) {
    const { a, b } = run(change);
    assert.equal(a.verify(b.confirmation), false, JSON.stringify(change));
    assert.equal(b.verify(a.confirmation), false, JSON.stringify(change));
  }
});

test('a confirmation that is reflected, cut, empty or one bit off is not right', () => {
  const { a, b } = run();
  assert.equal(a.verify(a.confirmation), false);
  assert.equal(a.verify(b.confirmation.subarray(0, 31)), false);
  assert.equal(a.verify(new Uint8Array()), false);
  const bent = b.confirmation.slice();
  bent[31]! ^= 1;
  assert.equal(a.verify(bent), false);
});

test('shares that are not usable points are refused with PROTOCOL', () => {
  const fresh = (role: 'A' | 'B' = 'A') => new Spake2({ role, w, idA: '', idB: '' });
  const good = fresh('B').share;
  const offCurve = good.slice();
  offCurve[64]! ^= 1;
  const hybrid = good.slice();
  hybrid[0] = 6;
  const tooLarge = new Uint8Array(65).fill(0xff);
  tooLarge[0] = 4;
  const zeros = new Uint8Array(65);
  zeros[0] = 4;
  for (const share of [
    new Uint8Array(),
    new Uint8Array(1), // the identity, as SEC 1 writes it
    new Uint8Array(65),
    zeros,
    offCurve,
    hybrid,
    tooLarge,
    good.subarray(0, 64),
    new Uint8Array([...good, 0]),
    p256.Point.fromBytes(good).toBytes(true),
  ])
    assert.throws(() => fresh().finish(share), isCode('PROTOCOL'), toHex(share));
});

test('shares that unblind to the identity are refused with PROTOCOL', () => {
  const blinds = {
    A: '03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49',
    B: '02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f',
  };
  for (const role of ['A', 'B'] as const) {
    const share = p256.Point.fromHex(blinds[role])
      .multiply(BigInt(`0x${toHex(w)}`))
      .toBytes(false);
    assert.throws(() => new Spake2({ role, w, idA: '', idB: '' }).finish(share), isCode('PROTOCOL'), role);
  }
});

test('one share answers one guess, even if the first one failed', () => {
  const side = new Spake2({ role: 'A', w, idA: '', idB: '' });
  const peer = new Spake2({ role: 'B', w, idA: '', idB: '' });
  assert.throws(() => side.finish(new Uint8Array(65)), isCode('PROTOCOL'));
  assert.throws(() => side.finish(peer.share), isCode('INTERNAL'));
});

test('a scalar w that is zero, too large or of a wrong length is refused', () => {
  const order = fromHex(p256.Point.Fn.ORDER.toString(16));
  for (const bad of [new Uint8Array(32), order, new Uint8Array(31).fill(1), new Uint8Array(33).fill(1)])
    assert.throws(() => new Spake2({ role: 'A', w: bad, idA: '', idB: '' }), isCode('INTERNAL'), toHex(bad));
});

test('garbage of the right length never gets past finish as anything but PROTOCOL', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (bytes) => {
      const side = new Spake2({ role: 'B', w, idA: '', idB: '', scalar: w });
      assert.throws(() => side.finish(new Uint8Array([4, ...bytes])), isCode('PROTOCOL'));
    }),
    { numRuns: 20 },
  );
});

test('deriveScalar is in range, and tells passwords and contexts apart', () => {
  const order = p256.Point.Fn.ORDER;
  fc.assert(
    fc.property(fc.uint8Array(), fc.string(), (password, context) => {
      const bytes = deriveScalar(password, context);
      assert.equal(bytes.length, 32);
      const value = BigInt(`0x${toHex(bytes)}`);
      assert.ok(value > 0n && value < order);
      assert.deepEqual(deriveScalar(password, context), bytes);
    }),
  );
  const values = [
    ['a', 'x'],
    ['b', 'x'],
    ['a', 'y'],
    ['', ''],
  ].map(([password, context]) => toHex(deriveScalar(utf8Encode(password!), context!)));
  assert.equal(new Set(values).size, values.length);
});
