/** What the built command keeps compiled, and what of it it believes: its main script, beside another script in place of its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const all = mkdtempSync(join(tmpdir(), 'beeline-code-'));
after(() => rmSync(all, { recursive: true, force: true }));

const unix = { skip: process.platform === 'win32' && 'needs owners and modes' };

/** A command that says one letter, with a home of its own. */
function command(letter: string, status = 0) {
  const home = mkdtempSync(join(all, 'home-'));
  const main = join(home, 'main.js');
  copyFileSync(MAIN, main);
  // It says that the scripts are no modules, whatever stands in the folders above.
  copyFileSync(join(dirname(MAIN), 'package.json'), join(home, 'package.json'));
  const says = `const say = () => console.log('${letter}');\nsay();\nprocess.exitCode = ${status};\n`;
  writeFileSync(join(home, 'process.js'), says);
  const folder = join(home, 'caches', 'beeline');
  const run = (args = ['send', 'x'], env: Record<string, string> = {}) => {
    const { NODE_DISABLE_COMPILE_CACHE: _, SUDO_UID: __, ...rest } = process.env;
    const where = { HOME: home, XDG_CACHE_HOME: join(home, 'caches') };
    const { stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
      ...{ env: { ...rest, ...where, ...env }, encoding: 'utf8', timeout: 60_000 },
    });
    assert.equal(stderr, '');
    return stdout.trim();
  };
  const kept = () => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []);
  return { home, folder, run, kept };
}

/** A command whose cache has the code of another script of the same length, which V8 cannot tell from its own. */
function deceived() {
  const [a, b] = [command('a'), command('b')];
  assert.deepEqual([a.run(), b.run()], ['a', 'b']);
  const [[file = ''], [other = '']] = [a.kept(), b.kept()];
  writeFileSync(file, readFileSync(other));
  return { ...a, file };
}

test('a run keeps what was compiled, for the user alone, and the next one runs it', unix, () => {
  const { run, folder, kept } = command('a');
  assert.equal(run(), 'a');
  const [file = '', ...more] = kept();
  assert.deepEqual(more, []);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { ino } = statSync(file);
  assert.equal(run(), 'a');
  assert.deepEqual(kept(), [file]);
  assert.equal(statSync(file).ino, ino, 'written once');
  run(['receive']);
  assert.equal(kept().length, 2, 'a receiver needs other code than a sender');
  assert.equal(deceived().run(), 'b', 'what is kept is what runs');
});

test('a damaged file, another owner, a way in for others: the script is compiled instead', unix, () => {
  const ways: ((of: ReturnType<typeof deceived>) => void)[] = [
    ({ file }) => chmodSync(file, 0o620),
    ({ file }) => chmodSync(file, 0o602),
    ({ folder }) => chmodSync(folder, 0o770),
    ({ folder }) => chmodSync(folder, 0o707),
    ({ file }) => {
      renameSync(file, `${file}.real`);
      symlinkSync(`${file}.real`, file);
    },
    ({ folder }) => {
      renameSync(folder, `${folder}.real`);
      symlinkSync(`${folder}.real`, folder);
    },
    ({ file }) => {
      rmSync(file);
      mkdirSync(file);
    },
    ({ file }) => {
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(file, bytes);
    },
    ({ file }) => writeFileSync(file, readFileSync(file).subarray(0, -1)),
    ({ file }) => writeFileSync(file, ''),
  ];
  if (process.getuid!() === 0)
    ways.push(
      ({ file }) => chownSync(file, 12345, 12345),
      ({ folder }) => chownSync(folder, 12345, 12345),
    );
  for (const [at, spoil] of ways.entries()) {
    const spoilt = deceived();
    spoil(spoilt);
    assert.equal(spoilt.run(), 'a', `way ${at}`);
  }
});

test('what was damaged is made anew', unix, () => {
  const { run, file } = deceived();
  writeFileSync(file, 'nothing of the kind');
  assert.equal(run(), 'a');
  assert.ok(statSync(file).size > 100);
});

test('nothing is kept of help, of a failure, or where Node is told to keep nothing', unix, () => {
  const { run, kept } = command('a');
  run(['send', '--help']);
  run(['doctor']);
  run(['send', 'x'], { NODE_DISABLE_COMPILE_CACHE: '1' });
  assert.deepEqual(kept(), []);
  const failing = command('a', 1);
  failing.run();
  assert.deepEqual(failing.kept(), []);
});

test("root keeps nothing in another user's home, or cache folder, and all of it in its own", unix, (t) => {
  if (process.getuid!() !== 0) return t.skip('needs root');
  const { home, run, kept } = command('a');
  const theirs = mkdtempSync(join(all, 'theirs-'));
  chownSync(theirs, 12345, 12345);
  const caches = join(theirs, 'caches');
  assert.equal(run(['send', 'x'], { HOME: theirs, XDG_CACHE_HOME: '' }), 'a');
  assert.equal(run(['send', 'x'], { HOME: theirs, XDG_CACHE_HOME: join(home, 'caches') }), 'a');
  assert.equal(run(['send', 'x'], { XDG_CACHE_HOME: caches }), 'a');
  mkdirSync(caches);
  chownSync(caches, 12345, 12345);
  assert.equal(run(['send', 'x'], { XDG_CACHE_HOME: caches }), 'a');
  assert.deepEqual([readdirSync(theirs), readdirSync(caches), kept()], [['caches'], [], []]);
  run(['send', 'x'], { SUDO_UID: '1000' });
  assert.equal(kept().length, 1);
});

test('no more than eight are kept, and nothing else in the folder is touched', unix, () => {
  const { run, folder, kept } = command('a');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, 'other'), '');
  for (let made = 0; made < 12; made++) writeFileSync(join(folder, made.toString(16).padStart(64, '0')), '');
  run();
  assert.equal(kept().length, 9);
  assert.ok(existsSync(join(folder, 'other')));
});

test('without a home, or in one that cannot be written, it runs', unix, () => {
  const { run, home } = command('a');
  assert.equal(run(['send', 'x'], { XDG_CACHE_HOME: join(home, 'main.js') }), 'a');
  assert.equal(run(['send', 'x'], { XDG_CACHE_HOME: 'relative' }), 'a');
});
