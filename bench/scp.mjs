/** scp over the throw-away sshd, with whichever cipher and direction is fastest here. */
import { rmSync } from 'node:fs';
import { cpuOf, run } from './processes.mjs';
import { HOST, which } from './ssh.mjs';

const CIPHERS = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com'];

export const scpMissing = (sshd) => sshd.missing ?? (which('scp') ? undefined : 'scp not installed');

/** Runs of each choice on the sample; the best counts. */
const TRIES = 2;

/** Times every cipher, and both directions of the best, on one smaller file; resolves with the fastest choice. */
export async function chooseScp(sshd, sample, to) {
  const time = async (choice) => {
    const { seconds } = await scp(sshd, choice, sample, to);
    rmSync(to);
    return { ...choice, seconds };
  };
  const bestOf = async (choices) => {
    const runs = [];
    for (let i = 0; i < TRIES; i++) for (const choice of choices) runs.push(await time(choice));
    return choices.map(({ cipher }) => fastest(runs.filter((run) => run.cipher === cipher)));
  };
  // The first one only warms the file cache up.
  await time({ cipher: CIPHERS[0], direction: 'push' });
  const pushed = await bestOf(CIPHERS.map((cipher) => ({ cipher, direction: 'push' })));
  const pulled = await bestOf([{ cipher: fastest(pushed).cipher, direction: 'pull' }]);
  const timed = [...pushed, ...pulled];
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
