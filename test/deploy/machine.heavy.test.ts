/** The unit of systemd, the configuration of coturn, and what the Dockerfile makes, each with the real program. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../ports.ts';
import { run, without } from './tools.ts';

const UNIT = 'deploy/beeline-server.service';
/** Of 100, as systemd counts: below 20 it says "OK". */
const EXPOSURE = 20;
/** Where /app of the image stands here: a folder that Debian has, and nobody uses. */
const PLACE = '/mnt';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'beeline-deploy-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe('deploy: systemd', { skip: without('systemd-analyze', '--version') }, () => {
  it('the unit is right, and exposes little', () => {
    const verified = run('systemd-analyze', ['verify', UNIT]);
    assert.deepEqual([verified.status, verified.text], [0, '']);
    const judged = run('systemd-analyze', ['security', '--offline=true', `--threshold=${EXPOSURE}`, UNIT]);
    assert.equal(judged.status, 0, judged.text);
    assert.match(judged.text, /Overall exposure level for beeline-server\.service: [01]\.\d OK/);
  });
});

describe('deploy: coturn', { skip: without('turnserver', '--version') }, () => {
  it('starts with the example, and answers', { timeout: 60_000 }, async (t) => {
    const path = folder(t);
    const port = await freePort();
    const conf = readFileSync('deploy/turnserver.conf', 'utf8').replace(
      'listening-port=3478',
      `listening-port=${port}`,
    );
    writeFileSync(join(path, 'turnserver.conf'), `${conf}\nlistening-ip=127.0.0.1\nrelay-ip=127.0.0.1\n`);
    const flags = [
      '-c',
      join(path, 'turnserver.conf'),
      '--pidfile',
      join(path, 'pid'),
      '--userdb',
      join(path, 'db'),
    ];
    const child = spawn('turnserver', [...flags, '--log-file', 'stdout'], { cwd: path });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += part));
    t.after(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    const binding = Buffer.concat([Buffer.from('000100002112a442', 'hex'), Buffer.alloc(12, 7)]);
    const ask = () =>
      new Promise<Buffer | undefined>((done) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(binding));
        socket.once('data', (bytes) => done(bytes));
        socket.once('error', () => done(undefined));
        socket.once('close', () => done(undefined));
        socket.setTimeout(2000, () => socket.destroy());
      });
    let answer = await ask();
    for (let tries = 0; !answer; tries++) {
      assert.ok(tries < 100 && child.exitCode === null, said);
      await sleep(100);
      answer = await ask();
    }
    assert.equal(answer.readUInt16BE(0), 0x0101, 'a binding success response');
    assert.doesNotMatch(said, /bad configuration|unknown|CONFIG ERROR|unrecognized/i);
  });
});

const root = process.getuid?.() === 0;
const noRoot =
  !process.env.CI && (!root || without('unshare', '--version')) ? 'needs root and unshare' : false;

/** The Dockerfile's lines, without comments. */
const dockerfile = () =>
  readFileSync('deploy/Dockerfile', 'utf8')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

describe('deploy: the Dockerfile, without docker', { skip: noRoot }, () => {
  it('its steps make a tree that runs read-only, as nobody special, and is found healthy', {
    timeout: 400_000,
  }, async (t) => {
    const stages = new Map<string, string>();
    let here = '';
    let workdir = '/';
    const environment: Record<string, string> = {};
    const to = (path: string) => join(here, resolve(workdir, path));
    let [health, entry, user]: [string[], string[], string] = [[], [], ''];
    for (const line of dockerfile()) {
      const [, word = '', rest = ''] = /^(\w+) (.*)$/.exec(line)!;
      const parts = rest.split(' ');
      if (word === 'FROM') {
        here = folder(t);
        stages.set(parts[2] ?? 'last', here);
        workdir = '/';
      } else if (word === 'WORKDIR') {
        workdir = rest;
        mkdirSync(to('.'), { recursive: true });
      } else if (word === 'ENV') environment[rest.split('=')[0]!] = rest.slice(rest.indexOf('=') + 1);
      else if (word === 'USER') user = rest;
      else if (word === 'ENTRYPOINT') entry = JSON.parse(rest);
      else if (word === 'HEALTHCHECK') health = JSON.parse(rest.replace(/^.*CMD /, ''));
      else if (word === 'COPY') {
        const from = parts[0]!.startsWith('--from=') ? stages.get(parts.shift()!.slice(7))! : '.';
        const target = parts.pop()!;
        for (const source of parts)
          cpSync(join(from, source), target.endsWith('/') ? join(to(target), source) : to(target), {
            recursive: true,
            verbatimSymlinks: true,
          });
      } else if (word === 'RUN') {
        // The developers' packages are here already: what is tested of that step is the lock file, by the other one.
        if (rest.startsWith('npm ci --ignore-scripts')) {
          symlinkSync(resolve('node_modules'), to('node_modules'));
        } else {
          const ran = run('sh', ['-c', `${rest.replace('npm ci', 'npm ci --prefer-offline')} 2>&1`], {
            cwd: to('.'),
          });
          assert.equal(ran.status, 0, `${rest}\n${ran.text}`);
        }
      }
    }
    const packages = readFileSync(
      join(stages.get('packages')!, 'app/node_modules/.package-lock.json'),
      'utf8',
    );
    for (const unwanted of ['esbuild', 'vite', 'koffi', 'hyperdht', 'typescript'])
      assert.ok(!packages.includes(`"node_modules/${unwanted}"`), unwanted);

    // Its own root cannot be had without an image of Debian: the whole of this one is read-only instead, and /app is the tree.
    const port = await freePort();
    const app = join(stages.get('last')!, 'app');
    environment.BEELINE_HEALTH_URL = environment.BEELINE_HEALTH_URL!.replace('4848', String(port));
    const [uid, gid] = user.split(':');
    const inside = (command: string[]) => [
      ...[
        '--mount',
        'sh',
        '-c',
        'mount --make-rprivate / && mount --bind "$0" "$1" && mount -o remount,ro,bind / && mount -o remount,ro,bind "$1" && shift && exec "$@"',
      ],
      ...[app, PLACE, 'setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'],
      ...['--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', ...command],
    ];
    // The image's Node is everybody's; this one may stand in a folder of root's.
    cpSync(process.execPath, join(app, 'node'));
    const localised = (command: string[]) =>
      command.map((part) => (part === 'node' ? `${PLACE}/node` : part.replace(/^\/app\//, `${PLACE}/`)));
    const flags = ['--port', String(port), '--host', '127.0.0.1', '--no-stun', '--json'];
    const env = { ...environment, PATH: process.env.PATH };
    const child = spawn('unshare', inside([...localised(entry), ...flags]), {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += part));
    const ended = once(child, 'exit');
    t.after(() => void child.kill('SIGKILL'));
    const check = () => {
      const [program, ...args] = health;
      assert.equal(program, 'node');
      return new Promise<number | null>((done) =>
        spawn(process.execPath, args, { env, stdio: 'ignore' }).once('exit', (code) => done(code)),
      );
    };
    for (let tries = 0; (await check()) !== 0; tries++)
      assert.ok(tries < 60 && child.exitCode === null, said);
    const page = await fetch(`http://127.0.0.1:${port}/`);
    assert.match(await page.text(), /<title>/, 'the page was built');
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    assert.match(status, /^Uid:\s+1000\s/m);
    assert.match(status, /^CapEff:\s+0+$/m);
    const mounts = readFileSync(`/proc/${child.pid}/mountinfo`, 'utf8');
    assert.match(mounts, / \/ \/ ro[, ]/, 'the root is read-only');
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null], said);
    assert.notEqual(await check(), 0, 'nothing answers any more');
  });
});
