/** Codes, keys and texts: not in `ps`, logs, errors or crashes, and nothing on disk that another user could read. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { jsonLine } from '../../src/cli/json.ts';
import type { Command } from '../integration/command.ts';
import { type Workspace, workspace } from '../integration/workspace.ts';
import { file, folder } from '../node/files/helpers.ts';
import { freePort } from '../ports.ts';
import { CHUNK, sendBlocks } from './bad-sender.ts';
import { runCommand } from './command.ts';
import { LIMIT, meet, posix, world } from './world.ts';

/** Not the words of any example that the command shows. */
const WORDS = 'salamander-xylophone';
const SECRET = /salamander|xylophone/;
const OWN_CODE = `7-${WORDS}`;
const linux = { ...LIMIT, skip: process.platform !== 'linux' && 'reads /proc' };

/** A command whose process id is known. */
function start(work: Workspace, name: string, args: readonly string[], env = {}): [Command, () => string] {
  const note = work.path(`${name}.pid`);
  const prefix = ['sh', '-c', 'echo $$ > "$0"; exec "$@"', note];
  const command = work.start(args, { prefix, env });
  return [command, () => readFileSync(note, 'utf8').trim()];
}

test('protects from: secrets in ps', linux, async (t) => {
  const work = workspace(t);
  writeFileSync(work.path('one'), 'one');
  const port = String(await freePort());
  const shown = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  const [sender, senderPid] = start(work, 's', [
    'send',
    work.path('one'),
    '--no-lan',
    '--port',
    port,
    '--code',
    OWN_CODE,
  ]);
  await sender.until('listening');
  assert.doesNotMatch(shown(senderPid()), SECRET);
  assert.match(shown(senderPid()), /beeline/);
  const [texter, texterPid] = start(work, 't', [
    'send',
    '--text',
    'the xylophone',
    '--no-lan',
    '--port',
    '0',
  ]);
  await texter.until('code');
  assert.doesNotMatch(shown(texterPid()), SECRET);
  // Whoever is at that port says nothing: a receiver goes on waiting while it is looked at.
  const mute = createServer().listen(0, '127.0.0.1');
  t.after(() => mute.close());
  await once(mute, 'listening');
  const nobody = `127.0.0.1:${(mute.address() as AddressInfo).port}`;
  for (const args of [[OWN_CODE], ['--code', OWN_CODE], [`--code=${OWN_CODE}`]]) {
    const [receiver, pid] = start(work, 'r', ['receive', ...args, '--no-lan', '--at', nobody, '--yes']);
    await receiver.until('state');
    assert.doesNotMatch(shown(pid()), SECRET, args.join(' '));
    await receiver.kill();
  }
});

test('protects from: secrets in logs', LIMIT, async (t) => {
  const work = workspace(t);
  const psk = randomBytes(32).toString('base64');
  const content = 'content-of-the-file';
  writeFileSync(work.path('psk'), psk, { mode: 0o600 });
  writeFileSync(work.path('one'), content);
  const log = (name: string) => ['--log-level', 'trace', '--log-file', work.path(name)];
  const at = async () => {
    const port = await freePort();
    return {
      port: ['--no-lan', '--port', String(port)],
      at: ['--no-lan', '--at', `127.0.0.1:${port}`, '--yes'],
    };
  };
  const outputs: string[] = [];
  const finish = async (sender: Command, receiver: Command, statuses = [0, 0]) => {
    for (const [command, status] of [
      [receiver, statuses[1]!],
      [sender, statuses[0]!],
    ] as const) {
      const { stderr, events } = await command.ends(status);
      // The code is what `--json` is asked for at the sender, and nowhere else.
      outputs.push(
        stderr,
        ...events.filter(({ event }) => event !== 'code').map((line) => JSON.stringify(line)),
      );
    }
  };
  for (const [i, given, statuses] of [
    [0, OWN_CODE, [0, 0]],
    [1, `${OWN_CODE}s`, [4, 4]],
  ] as const) {
    const where = await at();
    const sender = work.start(['send', work.path('one'), '--code', OWN_CODE, ...where.port, ...log(`s${i}`)]);
    await sender.until('listening');
    const to = ['--to', work.folder(`out${i}`)];
    await finish(sender, work.start(['receive', given, ...where.at, ...to, ...log(`r${i}`)]), [...statuses]);
  }
  const where = await at();
  const key = ['--psk-file', work.path('psk')];
  const sender = work.start(['send', work.path('one'), ...key, ...where.port, ...log('s2')]);
  await sender.until('listening');
  await finish(
    sender,
    work.start(['receive', ...key, ...where.at, '--to', work.folder('out2'), ...log('r2')]),
  );
  for (const name of ['s0', 'r0', 's1', 'r1', 's2', 'r2']) {
    const text = readFileSync(work.path(name), 'utf8');
    assert.ok(text.length > 100, 'there is a log to look at');
    outputs.push(text);
    if (process.platform !== 'win32') assert.equal(statSync(work.path(name)).mode & 0o777, 0o600, name);
  }
  for (const text of outputs) {
    assert.doesNotMatch(text, SECRET);
    for (const secret of [psk, content, 'PRIVATE KEY']) assert.ok(!text.includes(secret), text);
  }
});

test('protects from: secrets in errors, also of a command that is mistyped', LIMIT, async (t) => {
  const { to } = world(t);
  const wrong = [
    ['receive', '7_salamander_xylophone'],
    ['receive', `7-${WORDS}\u202e`],
    ['receive', `A!-${WORDS}`],
    ['receive', `7-${'salamander'.repeat(200)}`],
    ['receive', OWN_CODE, '--to', to, '--at', 'nowhere'],
    ['receive', OWN_CODE, OWN_CODE],
    ['receive', OWN_CODE, '--code', OWN_CODE],
    ['receive', OWN_CODE, '--lanes', 'many'],
    ['receive', OWN_CODE, '--no-lan'],
    ['send', '--text', WORDS, '--code', 'salamander'],
    ['send', '--text', WORDS, '--lanes', '0'],
    ['send', '--text', WORDS, to],
  ];
  for (const argv of wrong)
    for (const more of [[], ['--json'], ['--log-level', 'trace']]) {
      const { status, stdout, stderr } = await runCommand([...argv, ...more]);
      assert.notEqual(status, 0, argv.join(' '));
      assert.doesNotMatch(stdout + stderr, SECRET, argv.join(' '));
    }
});

test('protects from: secrets in crash output', LIMIT, async (t) => {
  const work = workspace(t);
  // As soon as the code has been told: by then everything stands.
  const once = (crash: string) => `
    const { write } = process.stdout;
    process.stdout.write = function (text, ...rest) {
      if (String(text).includes('"code"')) { process.stdout.write = write; setTimeout(() => { ${crash} }, 50); }
      return write.call(this, text, ...rest);
    };`;
  const crashes = [once("throw new TypeError('boom')"), once("Promise.reject(new Error('boom'))")];
  for (const crash of crashes)
    for (const level of ['error', 'trace']) {
      const args = ['send', '--text', WORDS, '--code', OWN_CODE, '--no-lan', '--log-level', level];
      const sender = work.start(args, {
        env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(crash)}` },
      });
      const { stderr, events } = await sender.ends(1);
      assert.equal(events.at(-1)?.code, 'INTERNAL');
      assert.match(stderr, /boom/);
      assert.equal(/^ +at /m.test(stderr), level === 'trace', stderr);
      const told = events.filter(({ event }) => event !== 'code').map((line) => JSON.stringify(line));
      assert.doesNotMatch(stderr + told.join(), SECRET);
    }
  // What a person only looks at cannot be steered by an error either.
  assert.doesNotMatch(jsonLine({ event: 'error', message: '\x1b[2J\u202e' }), /\u202e|\[2J(?<!\\u001b\[2J)/);
});

/** Every file and folder below, with its mode. */
function modes(root: string): [string, number][] {
  const found: [string, number][] = [];
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    const stat = lstatSync(path);
    found.push([path, stat.mode & 0o777]);
    if (stat.isDirectory()) found.push(...modes(path));
  }
  return found;
}

test('protects from: other users of the machine, in unfinished data', posix, async (t) => {
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const place = world(t);
  const entries = [folder('open', 0o755), file('open/small', 1000, 0o644), file('large', 3 * CHUNK)];
  const { receiver } = await meet(
    t,
    {
      entries,
      // What is small, and one chunk of three, and then no more.
      answer: (lane, message) => {
        if (message.type !== 'get') return true;
        for (const range of message.ranges) {
          if (range.index > 1) continue;
          sendBlocks(lane, range, new Uint8Array(range.index === 0 ? 1000 : CHUNK).fill(0x61));
        }
        return false;
      },
    },
    { to: place.to },
  );
  const staging = () => readdirSync(place.to).find((name) => name.startsWith('.beeline-'));
  const begun = () => modes(join(place.to, staging()!)).some(([path]) => statSync(path).size >= CHUNK);
  while (!staging() || !begun() || !existsSync(join(place.to, 'open', 'small')))
    await new Promise((resolve) => setTimeout(resolve, 10));
  const unfinished = join(place.to, staging()!);
  assert.equal(lstatSync(unfinished).mode & 0o777, 0o700);
  for (const [path, mode] of modes(unfinished)) assert.equal(mode & 0o077, 0, `${path} ${mode.toString(8)}`);
  // A folder under its final name is nobody else's until all of it is there.
  assert.equal(statSync(join(place.to, 'open')).mode & 0o777, 0o700);
  receiver.cancel();
  await receiver.done.catch(() => {});
});

test('protects from: other users of the machine, in keys and trusted devices', posix, async (t) => {
  const work = workspace(t);
  const prefix = ['sh', '-c', 'umask 0; exec "$@"', 'sh'];
  const config = ['--config-dir', work.path('own')];
  const other = await work.start(['trust', '--config-dir', work.path('other')], { prefix }).ends(0);
  const key = String(other.events.find(({ event }) => event === 'own')?.key);
  await work.start(['trust', 'add', 'desk', key, ...config], { prefix }).ends(0);
  assert.equal(statSync(work.path('own')).mode & 0o777, 0o700);
  const found = modes(work.path('own'));
  assert.ok(found.length >= 2);
  for (const [path, mode] of found) assert.equal(mode & 0o077, 0, path);
  const text = found.map(([path]) => readFileSync(path, 'utf8')).join('');
  assert.match(text, /PRIVATE KEY/);
});
