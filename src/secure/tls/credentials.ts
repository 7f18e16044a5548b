/** TLS as lanes use it: version 1.3 only, both sides with a certificate, both pinned by fingerprint. */
import { constants, X509Certificate } from 'node:crypto';
import type { SecureContext, TLSSocket } from 'node:tls';
import { createSecureContext } from 'node:tls';
import { fault } from '../../base/errors.ts';
import { withGroups } from '../../base/tls.ts';

/** AES-128-GCM first: a quarter faster than AES-256 where AES is in hardware; ChaCha20 for peers without it. */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384';

/** @param cert PEM @param key PEM, PKCS #8 */
export function laneContext(cert: string, key: string): SecureContext {
  return withGroups((ecdhCurve) =>
    createSecureContext({
      cert,
      key,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ciphers: CIPHERS,
      ecdhCurve,
      // Lanes never resume. OpenSSL sends two tickets all the same (how many is out of Node's reach), but nothing is in them.
      secureOptions: constants.SSL_OP_NO_TICKET,
    }),
  );
}

/** Hex SHA-256 of the certificate that the peer has proved to hold; undefined if it showed none. */
export function peerFingerprint(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!(certificate instanceof X509Certificate)) return undefined;
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

/** Throws AUTHENTICATION unless the peer's certificate is the pinned one. */
export function checkPin(socket: TLSSocket, pin: string): void {
  if (peerFingerprint(socket) !== pin) {
    throw fault('LANE_STRANGER', { what: 'its certificate is not the one agreed on' });
  }
}
