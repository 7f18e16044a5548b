/** Secrets that are handed over in files. */
import { createReadStream } from 'node:fs';
import { asBeelineError, BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { formatBytes } from './format.ts';

const LEAST_PSK_BYTES = 16;
/** A larger file is no secret. */
const MOST_PSK_BYTES = 64 * 1024;
const MOST_TURN_BYTES = 4096;

/** Reads at most one byte more than `most`, which shows that a file is too large. */
export async function readBounded(flag: string, path: string, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  try {
    // A stream: a pipe (`--psk-file <(pass beeline)`) comes in pieces.
    for await (const part of createReadStream(path, { end: most })) parts.push(part);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
      throw asBeelineError(cause, 'UNREADABLE', `The ${flag} cannot be read`);
    throw new BeelineError('NO_SUCH_PATH', `${flag} ${escapeName(path)}: there is no such file.`, { cause });
  }
  return Buffer.concat(parts);
}

/**
 * `--psk-file`: the file's bytes without one line end at their end, as editors and `echo` add it.
 * @throws BeelineError USAGE, NO_SUCH_PATH, UNREADABLE
 */
export async function readPsk(path: string): Promise<Uint8Array> {
  const bytes = await readBounded('--psk-file', path, MOST_PSK_BYTES);
  let { length } = bytes;
  if (length > MOST_PSK_BYTES)
    throw new BeelineError(
      'USAGE',
      `The --psk-file is larger than ${formatBytes(MOST_PSK_BYTES)}: is it the right file?`,
    );
  if (bytes[length - 1] === 10) length--;
  if (bytes[length - 1] === 13) length--;
  if (length < LEAST_PSK_BYTES)
    throw new BeelineError(
      'USAGE',
      `The --psk-file holds ${length} bytes; a shared secret needs at least ${LEAST_PSK_BYTES}. Make one with: head -c 32 /dev/urandom | base64`,
    );
  return bytes.subarray(0, length);
}

/**
 * `--turn-secret-file`: the secret shared with a TURN server, one line of text.
 * @throws BeelineError USAGE, NO_SUCH_PATH, UNREADABLE
 */
export function readTurnSecret(path: string): Promise<string> {
  return readLine('--turn-secret-file', path, 'the secret');
}

/**
 * `--redis-url-file`: a URL with its password, one line of text.
 * @throws BeelineError USAGE, NO_SUCH_PATH, UNREADABLE
 */
export function readRedisUrl(path: string): Promise<string> {
  return readLine('--redis-url-file', path, 'the URL');
}

async function readLine(flag: string, path: string, what: string): Promise<string> {
  const bytes = await readBounded(flag, path, MOST_TURN_BYTES);
  const line = bytes.toString('utf8').trim();
  if (line === '' || line.includes('\n') || bytes.length > MOST_TURN_BYTES)
    throw new BeelineError('USAGE', `The ${flag} must hold one line: ${what}, and nothing else.`);
  return line;
}

/**
 * `--password-file`: the first line of it.
 * @throws BeelineError USAGE, NO_SUCH_PATH, UNREADABLE
 */
export async function readPassword(path: string): Promise<string> {
  const bytes = await readBounded('--password-file', path, MOST_TURN_BYTES);
  const [password = ''] = bytes.toString('utf8').split(/\r?\n/, 1);
  if (password === '')
    throw new BeelineError('USAGE', 'The --password-file must have the password in its first line.');
  return password;
}
