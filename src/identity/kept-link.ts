/** The secret part of a link that stays the same when what it leads to is started again: kept in the configuration folder. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultConfigDir, madeOnce, readPrivate, writePrivate } from './config-folder.ts';

/** 128 bits, as 22 characters of base64url. */
const BYTES = 16;
const TEXT = /^[\w-]{22}\n?$/;

export const newLink = (): string => randomBytes(BYTES).toString('base64url');

/**
 * @param what it leads to: another text, another link
 * @param renew the one of before leads nowhere any more
 * @throws BeelineError USAGE if its file is open to others; UNREADABLE, WRITE_FAILED, TIMEOUT
 */
export async function keptLink(what: string, configDir = defaultConfigDir(), renew = false): Promise<string> {
  const folder = join(configDir, 'links');
  const path = join(folder, createHash('sha256').update(what).digest('hex').slice(0, 32));
  const make = async () => {
    const link = newLink();
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writePrivate(path, `${link}\n`);
    return link;
  };
  return madeOnce(configDir, () => (renew ? Promise.resolve(undefined) : read(path)), make);
}

async function read(path: string): Promise<string | undefined> {
  const text = await readPrivate(path, { max: 1024, forbidden: 0o077 });
  return text !== undefined && TEXT.test(text) ? text.trim() : undefined;
}
