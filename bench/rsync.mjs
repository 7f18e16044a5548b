/** `rsync -a` of a tree over the throw-away sshd. */
import { cpuOf, run } from './processes.mjs';
import { minus } from './scp.mjs';
import { HOST, which } from './ssh.mjs';

export const rsyncMissing = (sshd) => sshd.missing ?? (which('rsync') ? undefined : 'rsync not installed');

/** One copy of the tree's content into the new folder `to`; `from` and `to` of the result hold CPU seconds. */
export async function rsync(sshd, cipher, path, to) {
  const shell = `ssh -F ${sshd.config}${cipher ? ` -c ${cipher}` : ''}`;
  const clientBefore = cpuOf('self', { own: false });
  const serverBefore = await sshd.cpu();
  const { seconds } = await run('rsync', ['-a', '-e', shell, `${path}/`, `${HOST}:${to}/`]);
  const to_ = { cpu: minus(await sshd.cpu(), serverBefore) };
  return { seconds, from: { cpu: minus(cpuOf('self', { own: false }), clientBefore) }, to: to_ };
}
