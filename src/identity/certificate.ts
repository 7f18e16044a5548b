/**
 * This session's TLS certificate: made for it, self-signed, known to the peer by its SHA-256 alone. It says nothing
 * of who or what made it. Only its fingerprint is trusted, not the names and dates in it.
 *
 * All of one shape (RFC 5280), so its DER is put together here. A library for X.509 took 0.1 s of a core to load, more than all
 * else that a start needs.
 */
import { createHash, generateKeyPair, randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { concatAll, fromHex, utf8Encode } from '../base/bytes.ts';

export interface Certificate {
  /** PEM. */
  cert: string;
  /** PEM, PKCS #8. Secret. */
  key: string;
  /** SHA-256 of the DER, 64 hex digits. */
  fingerprint: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const VALID_DAYS = 30;
/** Of a serial number. The first byte, before them, keeps it positive and free of needless zeros (RFC 5280, 4.1.2.2). */
const SERIAL_BYTES = 15;

/** X.690: the identifier octets that are used here. */
const TAG = { bitString: 0x03, utcTime: 0x17, sequence: 0x30, version: 0xa0, extensions: 0xa3 };

/** Version 3. */
const VERSION = der(TAG.version, fromHex('020102'));
/** ecdsa-with-SHA256 (RFC 5758, 3.2). */
const ALGORITHM = fromHex('300a06082a8648ce3d040302');
/** CN=beeline, as UTF8String. */
const NAME = fromHex('30123110300e06035504030c076265656c696e65');
/** Critical: no authority (2.5.29.19); for signatures (2.5.29.15). Then: for TLS servers and clients (2.5.29.37). */
const EXTENSIONS = der(
  TAG.extensions,
  der(
    TAG.sequence,
    fromHex('300c0603551d130101ff04023000'),
    fromHex('300e0603551d0f0101ff040403020780'),
    fromHex('301d0603551d250416301406082b0601050507030106082b06010505070302'),
  ),
);

/** A P-256 key and its certificate. */
export async function makeCertificate(): Promise<Certificate> {
  const keys = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  // A day back, for peers whose clock is behind.
  const notBefore = Date.now() - DAY_MS;
  const notAfter = notBefore + VALID_DAYS * DAY_MS;
  const toSign = der(
    TAG.sequence,
    VERSION,
    concatAll([Uint8Array.of(0x02, SERIAL_BYTES + 1, 0x01), randomBytes(SERIAL_BYTES)]),
    ...[ALGORITHM, NAME],
    der(TAG.sequence, utcTime(notBefore), utcTime(notAfter)),
    ...[NAME, keys.publicKey.export({ type: 'spki', format: 'der' })],
    EXTENSIONS,
  );
  const signature = sign('sha256', toSign, keys.privateKey);
  const whole = der(TAG.sequence, toSign, ALGORITHM, der(TAG.bitString, Uint8Array.of(0), signature));
  return {
    cert: pem(whole),
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint: fingerprintOf(whole),
  };
}

/** A tag, the length of what it holds, and that. */
function der(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const said =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return concatAll([Uint8Array.from([tag, ...said]), ...parts]);
}

/** Years from 1950 to 2049, which is as long as this form lasts. */
function utcTime(time: number): Uint8Array {
  const digits = new Date(time).toISOString().replace(/\D/g, '');
  return der(TAG.utcTime, utf8Encode(`${digits.slice(2, 14)}Z`));
}

function pem(bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .match(/.{1,64}/g)!;
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** SHA-256 of a certificate's DER (`getPeerX509Certificate().raw`), 64 hex digits. */
export function fingerprintOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

/** The first 16 hex digits in fours, to be read out and compared by people; programs compare the whole. */
export function shortFingerprint(hex: string): string {
  return (hex.slice(0, 16).match(/.{1,4}/g) ?? []).join(' ');
}
