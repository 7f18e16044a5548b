/** The single-file executable, in a root folder that has libc and nothing else: no Node, no shell, no /proc. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';

const skip =
  process.platform !== 'linux' || process.getuid?.() !== 0
    ? 'a root folder of its own needs Linux and root'
    : false;
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

describe('single-file executable', { skip, timeout: 300_000 }, () => {
  let root: string;
  const running = new Set<ChildProcess>();

  before(() => {
    root = mkdtempSync(join(tmpdir(), 'beeline-root-'));
    const file = join(root, 'beeline');
    execFileSync(process.execPath, ['scripts/executable.mjs', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    const [sum, name] = readFileSync(`${file}.sha256`, 'utf8').trim().split('  ');
    assert.deepEqual([sum, name], [createHash('sha256').update(readFileSync(file)).digest('hex'), 'beeline']);
    // What it is linked to, and what its native parts are.
    for (const [, library] of execFileSync('ldd', [file], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)) {
      mkdirSync(join(root, dirname(library!)), { recursive: true });
      cpSync(realpathSync(library!), join(root, library!));
    }
    for (const folder of ['home', 'tmp', 'in', 'out']) mkdirSync(join(root, folder));
    assert.deepEqual(
      readdirSync(root)
        .filter((name) => !name.startsWith('lib'))
        .sort(),
      ['beeline', 'beeline.sha256', 'home', 'in', 'out', 'tmp'],
    );
  });
  after(() => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(root, { recursive: true, force: true });
  });

  // Where chroot itself is found.
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/home', BEELINE_DHT: 'off' };
  const run = (...args: string[]) =>
    execFileSync('chroot', [root, '/beeline', ...args], { env, encoding: 'utf8', timeout: 60_000 });

  /** Its events, from the first that is asked for, and its exit code. */
  function start(...args: string[]) {
    const child = spawn('chroot', [root, '/beeline', ...args, '--json', '--no-lan'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.add(child);
    const events: { event: string; code?: string; port?: number; kind?: string; root?: string }[] = [];
    let rest = '';
    let look = () => {};
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) events.push(JSON.parse(line));
      look();
    });
    const ended = new Promise<number | null>((resolve) =>
      child.on('close', (code) => {
        running.delete(child);
        resolve(code);
        look();
      }),
    );
    const event = (name: string) =>
      new Promise<(typeof events)[number]>((resolve, reject) => {
        look = () => {
          const found = events.find((each) => each.event === name);
          if (found) resolve(found);
          else if (!running.has(child))
            reject(new Error(`it ended without '${name}': ${JSON.stringify(events)}`));
        };
        look();
      });
    return { events, ended, event };
  }

  it('tells its version, and unpacks its parts once, where nobody else may write', () => {
    assert.equal(run('--version').trim(), version);
    const [app, ...others] = readdirSync(join(root, 'home/.cache/beeline')).filter((name) =>
      name.startsWith('app-'),
    );
    assert.deepEqual(others, []);
    const parts = join(root, 'home/.cache/beeline', app!);
    // The same files: it does not unpack again.
    writeFileSync(join(parts, 'mark'), '');
    assert.equal(run('--version').trim(), version);
    assert.ok(readdirSync(parts).includes('mark'));
  });

  it('has its native parts: the doctor finds UDP lanes available', () => {
    assert.match(run('doctor', '--no-port-map'), /UDP lanes +available/);
  });

  it('sends a folder, and receives it', async () => {
    const bytes = randomBytes(3_000_000);
    writeFileSync(join(root, 'in/a file'), bytes);
    const sender = start('send', '/in', '--at', '127.0.0.1:0');
    const [{ code }, { port }] = [await sender.event('code'), await sender.event('listening')];
    const receiver = start('receive', code!, '--at', `127.0.0.1:${port}`, '--to', '/out', '--yes');
    assert.deepEqual(
      [await sender.ended, await receiver.ended],
      [0, 0],
      JSON.stringify(receiver.events.at(-1)),
    );
    assert.ok(readFileSync(join(root, 'out/in/a file')).equals(bytes));
    const ends = [sender, receiver].map(({ events }) => events.find(({ event }) => event === 'done')?.root);
    assert.ok(ends[0] && ends[0] === ends[1]);
  });

  it('serves the page that it carries', async () => {
    const child = spawn(
      'chroot',
      [root, '/beeline', 'server', '--port', '0', '--host', '127.0.0.1', '--no-stun', '--json'],
      {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    running.add(child);
    const url = await new Promise<string>((resolve) => {
      let text = '';
      child.stdout!.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
        if (found) resolve(found[0]);
      });
    });
    const answer = await fetch(url, { headers: { connection: 'close' } });
    assert.equal(answer.status, 200);
    assert.match(await answer.text(), /<title>Beeline/);
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGTERM');
    await ended;
    running.delete(child);
  });

  it('runs nothing from a folder to which others may write', () => {
    execFileSync('chmod', ['777', join(root, 'home/.cache/beeline')]);
    try {
      assert.throws(() => run('--version'), /Others may write to \/home\/\.cache\/beeline/);
    } finally {
      execFileSync('chmod', ['700', join(root, 'home/.cache/beeline')]);
    }
  });
});
