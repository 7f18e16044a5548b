/** A tree through `tar | ssh tar`, over the throw-away sshd: what people use who know both ends. */
import { basename, dirname } from 'node:path';
import { cpuOf, run } from './processes.mjs';
import { minus } from './scp.mjs';
import { HOST, which } from './ssh.mjs';

export const tarMissing = (sshd) => sshd.missing ?? (which('tar') ? undefined : 'tar not installed');

/** One copy of the tree into the folder `to`; `from` and `to` of the result hold CPU seconds. */
export async function tar(sshd, cipher, path, to) {
  const ssh = `ssh -F '${sshd.config}' ${cipher ? `-c ${cipher}` : ''} ${HOST}`;
  const pipe = `tar -C '${dirname(path)}' -cf - '${basename(path)}' | ${ssh} "tar -C '${to}' -xpf -"`;
  const clientBefore = cpuOf('self', { own: false });
  const serverBefore = await sshd.cpu();
  const { seconds } = await run('sh', ['-c', pipe]);
  const to_ = { cpu: minus(await sshd.cpu(), serverBefore) };
  return { seconds, from: { cpu: minus(cpuOf('self', { own: false }), clientBefore) }, to: to_ };
}
