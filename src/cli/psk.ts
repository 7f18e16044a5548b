/** `--psk-file`: the secret is the file's bytes without one line end at their end, as editors and `echo` add it. */
import { open } from 'node:fs/promises';
import { asBeelineError, BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';

/** Bytes. A secret of 16 is what the library asks for; a larger file than this is not a key. */
const LEAST = 16;
const MOST = 64 * 1024;

/** @throws BeelineError USAGE, NO_SUCH_PATH, UNREADABLE */
export async function readPsk(path: string): Promise<Uint8Array> {
  const buffer = Buffer.alloc(MOST + 1);
  let length = 0;
  try {
    const file = await open(path, 'r');
    try {
      // A pipe (`--psk-file <(pass beeline)`) comes in pieces.
      for (;;) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
        length += bytesRead;
        if (bytesRead === 0 || length === buffer.length) break;
      }
    } finally {
      await file.close();
    }
  } catch (thrown) {
    const missing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    if (missing)
      throw new BeelineError('NO_SUCH_PATH', `--psk-file ${escapeName(path)}: there is no such file.`, {
        cause: thrown,
      });
    throw asBeelineError(thrown, 'UNREADABLE', 'The --psk-file cannot be read');
  }
  if (length > MOST)
    throw new BeelineError('USAGE', `The --psk-file is larger than ${MOST} bytes: is it the right file?`);
  if (length > 0 && buffer[length - 1] === 10) length--;
  if (length > 0 && buffer[length - 1] === 13) length--;
  if (length < LEAST)
    throw new BeelineError(
      'USAGE',
      `The --psk-file holds ${length} bytes; a shared secret needs at least ${LEAST}. Make one with: head -c 32 /dev/urandom | base64`,
    );
  return buffer.subarray(0, length);
}
