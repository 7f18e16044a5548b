/** scp over the throw-away sshd, with whichever cipher and direction is fastest here. */
import { rmSync } from 'node:fs';
import { cpuOf, run } from './processes.mjs';
import { HOST, which } from './ssh.mjs';

const CIPHERS = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com'];

export const scpMissing = (sshd) => sshd.missing ?? (which('scp') ? undefined : 'scp not installed');

/** Times every cipher, and both directions of the best, on one smaller file; resolves with the fastest choice. */
export async function chooseScp(sshd, sample, to) {
  const timed = [];
  const time = async (choice) => {
    const { seconds } = await scp(sshd, choice, sample, to);
    rmSync(to);
    timed.push({ ...choice, seconds });
  };
  await time({ cipher: CIPHERS[0], direction: 'push' });
  timed.length = 0; // the first one only warmed the file cache up
  for (const cipher of CIPHERS) await time({ cipher, direction: 'push' });
  await time({ cipher: fastest(timed).cipher, direction: 'pull' });
  return { ...fastest(timed), timed };
}

const fastest = (timed) => timed.reduce((best, one) => (one.seconds < best.seconds ? one : best));

/** One copy. `from` is the side that sends, `to` the one that receives, each with its CPU seconds. */
export async function scp(sshd, { cipher, direction }, path, to) {
  const ends = direction === 'push' ? [path, `${HOST}:${to}`] : [`${HOST}:${path}`, to];
  const clientBefore = cpuOf('self', { own: false });
  const serverBefore = await sshd.cpu();
  const { seconds } = await run('scp', ['-q', '-F', sshd.config, '-c', cipher, ...ends]);
  const server = { cpu: minus(await sshd.cpu(), serverBefore) };
  const client = { cpu: minus(cpuOf('self', { own: false }), clientBefore) };
  return direction === 'push' ? { seconds, from: client, to: server } : { seconds, from: server, to: client };
}

export const minus = (a, b) => (a === undefined || b === undefined ? undefined : a - b);
