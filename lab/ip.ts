/** What every part of the lab needs of iproute2: namespaces by name, and `ip` and `nft` run inside them. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** Milliseconds that one command may take. */
const DEADLINE = 10_000;

/** A name that tells who made the namespace, so that `sweep` can tell which ones were left behind. */
export const uniqueName = (part: string): string =>
  `beeline-${part}-${process.pid}-${randomBytes(3).toString('hex')}`;

const OURS = /^beeline-[a-z0-9-]+-(\d+)-[0-9a-f]{6}$/;

/** Words that run a command in a namespace. */
export const prefixOf = (namespace: string): string[] => ['ip', 'netns', 'exec', namespace];

export function ip(...args: string[]): string {
  return run('ip', args);
}

/** Runs `ip` commands, one a line, in a namespace, in one process. The first that fails ends it, and throws. */
export function ipBatch(namespace: string, lines: readonly string[]): void {
  if (lines.length > 0) run('ip', ['-n', namespace, '-batch', '-'], lines.join('\n'));
}

/** Loads nft rules in a namespace: all of them or none. */
export function nft(namespace: string, rules: string): void {
  run('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], rules);
}

/** Makes a namespace with its loopback up and the sysctls given; addresses are usable at once, without RAs or DAD. */
export function makeNamespace(namespace: string, sysctls: Record<string, number> = {}): void {
  ip('netns', 'add', namespace);
  const all: Record<string, number> = {
    'net/ipv4/conf/all/rp_filter': 0,
    'net/ipv4/conf/default/rp_filter': 0,
    'net/ipv6/conf/all/accept_dad': 0,
    'net/ipv6/conf/default/accept_dad': 0,
    'net/ipv6/conf/default/accept_ra': 0,
    ...sysctls,
  };
  const script = Object.entries(all).map(([key, value]) => `echo ${value} >/proc/sys/${key}`);
  run('ip', ['netns', 'exec', namespace, 'sh', '-e'], script.join('\n'));
  ipBatch(namespace, ['link set lo up']);
}

/** Removes a namespace, its interfaces and the processes that still run in it. Safe when it is not there. */
export function removeNamespace(namespace: string): void {
  try {
    for (const pid of ip('netns', 'pids', namespace).split('\n')) {
      if (pid !== '' && Number(pid) !== process.pid) process.kill(Number(pid), 'SIGKILL');
    }
  } catch {
    // No such namespace, or a process that ended meanwhile.
  }
  try {
    ip('netns', 'del', namespace);
  } catch {
    // It was never made, or is gone already.
  }
}

/** Deletes an interface, and its other end, at once. Safe when it is not there. */
export function deleteLink({ namespace, device }: { namespace: string; device: string }): void {
  try {
    ip('-n', namespace, 'link', 'del', device);
  } catch {
    // It went with its other end's namespace, or with its program.
  }
}

/** Removes the namespaces of processes that were killed before they could do so. */
export function sweep(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const name = line.split(' ', 1)[0] ?? '';
    const pid = OURS.exec(name)?.[1];
    if (pid !== undefined && !alive(Number(pid))) removeNamespace(name);
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function run(command: string, args: string[], input = ''): string {
  try {
    return execFileSync(command, args, { input, timeout: DEADLINE, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? '').trim();
    throw new Error(`${command} ${args.join(' ')}: ${said || error}${input && `\ninput was:\n${input}`}`);
  }
}
