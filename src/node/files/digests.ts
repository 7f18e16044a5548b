/** Plain SHA-256 of what was received, for `--sha256`: each file read again from where it stands. */
import { BeelineError, codeOf } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import { hashFile } from './io.ts';

/**
 * By entry index, in hex.
 * @param path where an entry stands; undefined: it is left out
 * @throws BeelineError WRITE_FAILED, naming the file
 */
export async function digestsOf(
  entries: readonly Entry[],
  path: (entry: number) => string | undefined,
): Promise<Map<number, string>> {
  const digests = new Map<number, string>();
  for (const [index, entry] of entries.entries()) {
    const final = entry.kind === 'file' ? path(index) : undefined;
    if (final === undefined) continue;
    try {
      digests.set(index, await hashFile(final));
    } catch (cause) {
      const text = `'${escapeName(entry.path)}' cannot be read again for its SHA-256 (${codeOf(cause)}).`;
      throw new BeelineError('WRITE_FAILED', text, { cause, paths: [entry.path] });
    }
  }
  return digests;
}
