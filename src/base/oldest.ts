/** What is remembered of others has a bound. */

/** Forgets what was first put in, until no more than `most` is left. */
export function forgetOldest<K>(remembered: Map<K, unknown> | Set<K>, most: number): void {
  for (const oldest of remembered.keys()) {
    if (remembered.size <= most) return;
    remembered.delete(oldest);
  }
}
