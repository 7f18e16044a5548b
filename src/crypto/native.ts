/**
 * The primitives on node:crypto. They need nothing loaded and no code compiled: with noble a side's start took some 0.1 s of a core more.
 *
 * Node has no arithmetic of points. Its ECDH multiplies a point by a scalar, in OpenSSL's code that takes the same time for every scalar,
 * and gives the product's x alone. Its y follows from the x of the next multiple (Brier and Joye, "Weierstrass Elliptic Curves and
 * Side-Channel Attacks", PKC 2002, section 4). Sums of points are computed here.
 */
import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import { type Curve, ORDER, POINT_BYTES, type Primitives, SCALAR_BYTES } from './primitives.ts';

const CIPHER = 'aes-256-gcm';
const TAG_BYTES = 16;

/** y² = x³ + Ax + B over the field of P. */
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const A = P - 3n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

interface Point {
  x: bigint;
  y: bigint;
}

const mod = (value: bigint): bigint => {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
};

/** By Fermat: the same steps for every value. */
function inverse(value: bigint): bigint {
  let result = 1n;
  for (let bit = 255n; bit >= 0n; bit--) {
    result = (result * result) % P;
    if (((P - 2n) >> bit) & 1n) result = (result * value) % P;
  }
  return result;
}

const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
const bytesOf = (value: bigint): Buffer =>
  Buffer.from(value.toString(16).padStart(2 * SCALAR_BYTES, '0'), 'hex');

function read(bytes: Uint8Array): Point {
  if (bytes.length !== POINT_BYTES || bytes[0] !== 4) throw new RangeError('A point has another form.');
  return onCurve({ x: numberOf(bytes.subarray(1, 33)), y: numberOf(bytes.subarray(33)) });
}

const write = ({ x, y }: Point): Uint8Array =>
  new Uint8Array(Buffer.concat([Buffer.of(4), bytesOf(x), bytesOf(y)]));

function onCurve(point: Point): Point {
  const { x, y } = point;
  const fits = x < P && y < P && mod(y * y - (x * x * x + A * x + B)) === 0n;
  if (!fits) throw new RangeError('A point is not on the curve.');
  return point;
}

const negated = ({ x, y }: Point): Point => ({ x, y: mod(-y) });

/** The x of a multiple. */
function xOf(scalar: bigint, point: Uint8Array): bigint {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(bytesOf(scalar));
  return numberOf(ecdh.computeSecret(point));
}

const p256: Curve = {
  multiply(scalar, point) {
    const { x, y } = read(point);
    const k = numberOf(scalar);
    if (scalar.length !== SCALAR_BYTES || k === 0n || k >= ORDER)
      throw new RangeError('A scalar is out of range.');
    // One more would be the identity, which has no x.
    if (k === ORDER - 1n) return write(negated({ x, y }));
    const [x1, x2] = [xOf(k, point), xOf(k + 1n, point)];
    const over = mod(2n * B + (A + x * x1) * (x + x1) - x2 * (x - x1) ** 2n);
    return write(onCurve({ x: x1, y: mod(over * inverse(mod(2n * y))) }));
  },
  add(a, b) {
    const [p, q] = [read(a), read(b)];
    if (p.x === q.x && p.y !== q.y) return undefined;
    const slope =
      p.x === q.x
        ? mod((3n * p.x * p.x + A) * inverse(mod(2n * p.y)))
        : mod((q.y - p.y) * inverse(mod(q.x - p.x)));
    const x = mod(slope * slope - p.x - q.x);
    return write({ x, y: mod(slope * (p.x - x) - p.y) });
  },
  negate: (point) => write(negated(read(point))),
};

export const primitives: Primitives = {
  slowAtFirst: false,
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
  sha256: (data) => new Uint8Array(createHash('sha256').update(data).digest()),
  hmac: (key, data) => new Uint8Array(createHmac('sha256', key).update(data).digest()),
  hkdf: (key, info, length) => new Uint8Array(hkdfSync('sha256', key, '', info, length)),
  seal(key, nonce, plain) {
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    return new Uint8Array(Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]));
  },
  open(key, nonce, sealed) {
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(end));
    return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]));
  },
  p256,
};
