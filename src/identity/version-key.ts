/** The key under which this machine names versions of its files to receivers (node/files/version.ts): made once, kept. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { defaultConfigDir, madeOnce, readPrivate, writePrivate } from './config-folder.ts';

/** Bytes. */
const LENGTH = 32;
const TEXT = new RegExp(`^[0-9a-f]{${2 * LENGTH}}\\n?$`);

/**
 * Without a place to keep it (no home, a read-only one) it is a new one each time, and receivers that resume compare
 * by hash instead. Never throws.
 */
export async function versionKey(configDir = defaultConfigDir()): Promise<Uint8Array> {
  const path = join(configDir, 'version-key');
  try {
    return await madeOnce(
      configDir,
      () => read(path),
      async () => {
        const key = randomBytes(LENGTH);
        await writePrivate(path, `${key.toString('hex')}\n`);
        return key;
      },
    );
  } catch {
    return randomBytes(LENGTH);
  }
}

async function read(path: string): Promise<Uint8Array | undefined> {
  const text = await readPrivate(path, { max: 1024, forbidden: 0o077 });
  return text !== undefined && TEXT.test(text) ? Buffer.from(text.trim(), 'hex') : undefined;
}
