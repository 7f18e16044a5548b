/** What a server that browsers and commands of anybody speak to offers in TLS. Lanes have their own: src/lanes/tls. */
import { createSecureContext, type SecureContext } from 'node:tls';
import { withGroups } from '../base/tls.ts';

/**
 * TLS 1.3, and of 1.2 what is as good: keys of ECDHE, and ciphers that authenticate what they encrypt, with a whole tag.
 * So none of CBC, of CCM, of ARIA or Camellia, of plain RSA or finite-field DH.
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** @param cert PEM @param key PEM */
export function publicContext(cert: string, key: string): SecureContext {
  return withGroups((ecdhCurve) =>
    createSecureContext({ cert, key, minVersion: 'TLSv1.2', ciphers: CIPHERS, ecdhCurve }),
  );
}
