/**
 * This session's TLS certificate: made for it, self-signed, known to the peer by its SHA-256 alone. It says nothing
 * of who or what made it. Only its fingerprint is trusted, not the names and dates in it.
 */
import { createHash } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  cert: string;
  /** PEM, PKCS #8. Secret. */
  key: string;
  /** SHA-256 of the DER, 64 hex digits. */
  fingerprint: string;
}

const DAY = 24 * 60 * 60 * 1000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A P-256 key and its certificate. The first call loads the X.509 modules (about 0.2 s): start it early. */
export async function makeCertificate(): Promise<Certificate> {
  const keysMade = crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  await import('reflect-metadata'); // the X.509 module fails to load without it
  const x509 = await import('@peculiar/x509');
  const keys = await keysMade;
  // A day back, for peers whose clock is behind.
  const notBefore = Date.now() - DAY;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=beeline',
      keys,
      notBefore: new Date(notBefore),
      notAfter: new Date(notBefore + 30 * DAY),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
      ],
    },
    crypto,
  );
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    cert: certificate.toString('pem'),
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    fingerprint: fingerprintOf(new Uint8Array(certificate.rawData)),
  };
}

/** SHA-256 of a certificate's DER (`getPeerX509Certificate().raw`), 64 hex digits. */
export function fingerprintOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

/** The first 16 hex digits in fours, to be read out and compared by people; programs compare the whole. */
export function shortFingerprint(hex: string): string {
  return (hex.slice(0, 16).match(/.{1,4}/g) ?? []).join(' ');
}
