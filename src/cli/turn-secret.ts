/** `--turn-secret-file`: the secret shared with a TURN server, one line of text. */
import { createReadStream } from 'node:fs';
import { asBeelineError, BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';

/** Bytes; a larger file is not a secret. */
const MOST = 4096;

/** @throws BeelineError USAGE, NO_SUCH_PATH, UNREADABLE */
export async function readTurnSecret(path: string): Promise<string> {
  const parts: Buffer[] = [];
  try {
    // A stream: a pipe (`--turn-secret-file <(pass turn)`) comes in pieces.
    for await (const part of createReadStream(path, { end: MOST })) parts.push(part);
  } catch (thrown) {
    const missing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    if (missing)
      throw new BeelineError(
        'NO_SUCH_PATH',
        `--turn-secret-file ${escapeName(path)}: there is no such file.`,
        { cause: thrown },
      );
    throw asBeelineError(thrown, 'UNREADABLE', 'The --turn-secret-file cannot be read');
  }
  const secret = Buffer.concat(parts).toString('utf8').trim();
  if (secret === '' || secret.includes('\n') || Buffer.byteLength(secret) > MOST)
    throw new BeelineError(
      'USAGE',
      'The --turn-secret-file must hold one line: the secret, and nothing else.',
    );
  return secret;
}
