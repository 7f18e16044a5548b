/** How keys are agreed in every TLS that Beeline takes part in. */

/** For OpenSSL that knows ML-KEM (3.5 and later), and for older ones, which refuse a list with a name that they don't know. */
const GROUPS = 'X25519:P-256:P-384';
const GROUPS_WITH_ML_KEM = `X25519MLKEM768:${GROUPS}`;

/**
 * Makes a context whose keys come from elliptic curves only. OpenSSL's own list has finite-field groups up to ffdhe8192: one
 * small hello that asks for it would cost who answers a tenth of a second of computing.
 */
export function withGroups<T>(make: (groups: string) => T): T {
  try {
    return make(GROUPS_WITH_ML_KEM);
  } catch {
    return make(GROUPS);
  }
}
