/** Files of one's own: who else could read or change them. Windows says so in lists that no mode shows. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BeelineError } from '../../src/base/errors.ts';
import { readPrivate, whileLocked } from '../../src/identity/config-folder.ts';
import { on } from '../platform.ts';

const RULES = { max: 100, forbidden: 0o077, ownOnly: true };
const skip = process.platform === 'win32' && 'no modes';

test('what others could read or write is not taken, but on Windows no mode says so', { skip }, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'beeline-own-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'key');
  await writeFile(path, 'secret');
  await chmod(path, 0o644);
  const open = join(dir, 'open');
  await mkdir(open);
  await chmod(open, 0o777);
  const reason = (named: string) => (error: BeelineError) => error.reason === named;
  for (const platform of ['linux', 'darwin'] as const)
    await on(platform, async () => {
      await assert.rejects(readPrivate(path, RULES), reason('PRIVATE_FILE_OPEN'));
      await assert.rejects(
        whileLocked(open, async () => 'done'),
        reason('PRIVATE_FOLDER_OPEN'),
      );
    });
  await on('win32', async () => {
    assert.equal(await readPrivate(path, RULES), 'secret');
    assert.equal(await whileLocked(open, async () => 'done'), 'done');
  });
});
