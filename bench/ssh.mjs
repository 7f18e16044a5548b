/** A throw-away sshd on loopback with keys of its own, for scp and rsync. It reads nothing of the user's own setup. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { cpuOf, delay, freePort, start } from './processes.mjs';

/** The name that ssh_config gives to the server. */
export const HOST = 'bench-peer';

/** Where a program is, looking in the system folders too; undefined when it is not installed. */
export function which(program) {
  const folders = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin:/sbin`.split(':').filter(Boolean);
  return folders.map((folder) => join(folder, program)).find(executable);
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Resolves with { config, cpu, stop }, or with { missing: sentence } where it cannot be had. */
export async function startSshd(work) {
  const absent = ['ssh', 'sshd', 'ssh-keygen'].filter((program) => !which(program));
  if (absent.length > 0) return { missing: `${absent.join(', ')} not installed` };
  const dir = join(work, 'ssh');
  mkdirSync(dir, { mode: 0o700 });
  for (const name of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)], { timeout: 10_000 });
  const port = await freePort();
  const config = writeConfigs(dir, port);
  // sshd run by root wants this folder, and only a started ssh service makes it.
  if (process.getuid?.() === 0 && !existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
  const log = join(dir, 'sshd.log');
  const forever = 2 ** 31 - 1;
  const sshd = start(which('sshd'), ['-D', '-f', join(dir, 'sshd_config'), '-E', log], { deadline: forever });
  for (let attempt = 0; attempt < 50; attempt++) {
    const probe = await start('ssh', ['-F', config, HOST, 'true'], { deadline: 10_000 }).exited;
    if (probe.status === 0)
      return { config, cpu: () => reapedCpu(sshd.pid), stop: () => sshd.kill('SIGTERM') };
    await delay(100);
  }
  sshd.kill('SIGKILL');
  const said = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' | ') : '';
  return { missing: `no login to a throw-away sshd here: ${said}` };
}

function writeConfigs(dir, port) {
  const publicKey = (name) => readFileSync(join(dir, `${name}.pub`), 'utf8');
  writeFileSync(join(dir, 'authorized_keys'), publicKey('user'));
  writeFileSync(join(dir, 'known_hosts'), `[127.0.0.1]:${port} ${publicKey('host')}`);
  const server = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(dir, 'host')}`,
    `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'MaxStartups 50',
    'Subsystem sftp internal-sftp',
  ];
  writeFileSync(join(dir, 'sshd_config'), `${server.join('\n')}\n`);
  const client = [
    `Host ${HOST}`,
    '  HostName 127.0.0.1',
    `  Port ${port}`,
    `  User ${userInfo().username}`,
    `  IdentityFile ${join(dir, 'user')}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${join(dir, 'known_hosts')}`,
    '  BatchMode yes',
    '  Compression no',
    '  ConnectTimeout 5',
  ];
  const path = join(dir, 'ssh_config');
  writeFileSync(path, `${client.join('\n')}\n`);
  return path;
}

/** The server's CPU seconds once every finished session has been reaped, for at most two seconds of waiting. */
async function reapedCpu(pid) {
  for (let attempt = 0; attempt < 40; attempt++) {
    if (children(pid) === '') break;
    await delay(50);
  }
  return cpuOf(pid);
}

function children(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  } catch {
    return '';
  }
}
