/** scp as Debian has it, pushing from the left host to a throw-away sshd on the right one. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { delay, failure, start, within } from './processes.mjs';
import { which } from './ssh.mjs';
import { Samples } from './wan-samples.mjs';

const PORT = 47_222;
const HOST = 'wan-peer';

/** Why there can be no scp, or undefined. */
export function scpMissing() {
  const absent = ['scp', 'ssh', 'sshd', 'ssh-keygen'].filter((program) => !which(program));
  return absent.length > 0 ? `${absent.join(', ')} not installed` : undefined;
}

/** Copies `file` for so many seconds, and is at it still when this resolves. Throws when it ends before. */
export async function scp({ work, wan, file, seconds }) {
  const dir = join(work, 'ssh');
  mkdirSync(dir, { mode: 0o700 });
  const config = writeConfigs(dir, wan.right.address);
  // sshd run by root wants this folder, and only a started ssh service makes it.
  if (!existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
  const deadline = seconds * 1000 + 60_000;
  const run = (host, args) => start(host.prefix[0], [...host.prefix.slice(1), ...args], { deadline });
  const log = join(dir, 'sshd.log');
  run(wan.right, [which('sshd'), '-D', '-f', join(dir, 'sshd_config'), '-E', log]);
  await login(() => run(wan.left, ['ssh', '-F', config, HOST, 'true']), log);
  const target = join(work, 'scp.copy');
  const samples = new Samples();
  const client = run(wan.left, ['scp', '-q', '-F', config, file, `${HOST}:${target}`]);
  const stop = samples.watch(() => statSync(target, { throwIfNoEntry: false })?.size ?? 0);
  const ended = await within(seconds * 1000, client.exited);
  stop();
  if (ended) throw new Error(failure('scp, which should still be at it,', ended));
  return { samples };
}

/** Waits until sshd lets us in. */
async function login(probe, log) {
  for (let attempt = 0; attempt < 20; attempt++) {
    const ended = await probe().exited;
    if (ended.status === 0) return;
    await delay(250);
  }
  const said = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' | ') : '';
  throw new Error(`no login to a throw-away sshd here: ${said}`);
}

/** Keys and configurations of this run alone; nothing of the user's own setup is read. */
function writeConfigs(dir, address) {
  for (const name of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)], { timeout: 10_000 });
  const publicKey = (name) => readFileSync(join(dir, `${name}.pub`), 'utf8');
  writeFileSync(join(dir, 'authorized_keys'), publicKey('user'));
  writeFileSync(join(dir, 'known_hosts'), `[${address}]:${PORT} ${publicKey('host')}`);
  const server = [
    `Port ${PORT}`,
    `ListenAddress ${address}`,
    `HostKey ${join(dir, 'host')}`,
    `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'Subsystem sftp internal-sftp',
  ];
  writeFileSync(join(dir, 'sshd_config'), `${server.join('\n')}\n`);
  const client = [
    `Host ${HOST}`,
    `  HostName ${address}`,
    `  Port ${PORT}`,
    `  User ${userInfo().username}`,
    `  IdentityFile ${join(dir, 'user')}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${join(dir, 'known_hosts')}`,
    '  BatchMode yes',
    '  ConnectTimeout 10',
  ];
  const path = join(dir, 'ssh_config');
  writeFileSync(path, `${client.join('\n')}\n`);
  return path;
}
