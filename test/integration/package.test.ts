/** The tarball as a program's author gets it: what is packed, installed elsewhere, type-checked and run. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkTypes, clean, installPacked, name, RESOLUTIONS, ROOT, readJson, version } from './packed.ts';

let dir: string;
const installed = () => join(dir, 'node_modules', name);
before(() => {
  dir = installPacked();
});
after(() => rmSync(dir, { recursive: true, force: true }));

for (const [module, resolution] of RESOLUTIONS)
  test(`the packed types check strictly, with skipLibCheck off and ${resolution} resolution`, () =>
    checkTypes(dir, 'typescript-7', module, resolution));

test('the packed command and library run, from the packages that the tarball asks for', () => {
  const run = (...args: string[]) =>
    execFileSync(process.execPath, args, { cwd: dir, encoding: 'utf8', timeout: 300_000, env: clean });
  const { bin, exports } = readJson(join(installed(), 'package.json'));
  // Those for pages need a page.
  const names = Object.keys(exports).filter((entry) => !entry.includes('browser'));
  assert.ok(names.includes('./transports') && names.includes('./stores'));
  const entries = names.map((entry) => `import ${JSON.stringify(join(name, entry))}; `).join('');
  assert.equal(run(join(installed(), bin.beeline), '--version').trim(), version);
  writeFileSync(
    join(dir, 'run.mjs'),
    `${entries}import { send } from '${name}';` +
      'await send([], { lan: false }).done.catch((error) => console.log(error.code, error.stack));',
  );
  const said = run('--preserve-symlinks', join(dir, 'run.mjs'));
  assert.match(said, /^USAGE /);
  // A stack tells where: functions by name, one statement a line.
  assert.match(said, /at (async )?openSource \(.*:\d+:\d+\)/);
  for (const [, line] of said.matchAll(/beeline\/dist\/[^\n]*\.js:(\d+):\d+/g))
    assert.ok(Number(line) > 5, said);
});

test('the package has what is built, and no sources or tests', () => {
  assert.deepEqual(readdirSync(installed()).sort(), [
    'LICENSE',
    'README.md',
    'deploy',
    'dist',
    'docs',
    'package.json',
  ]);
});

/** README and CHANGELOG say so too. A package that grows past it has to say why here: each module of the library has a file of types. */
const MOST = { packed: 2_300_000, unpacked: 8_500_000, files: 270 };
test('the package is not larger than it is said to be, and has no type that nobody can import', () => {
  const [{ size, unpackedSize, files }] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      ...{ cwd: ROOT, env: clean, encoding: 'utf8', maxBuffer: 2 ** 26 },
    }),
  );
  console.log(`${size} bytes packed, ${unpackedSize} unpacked, ${files.length} files`);
  assert.ok(size <= MOST.packed, `${size} bytes packed`);
  assert.ok(unpackedSize <= MOST.unpacked, `${unpackedSize} bytes unpacked`);
  assert.ok(files.length <= MOST.files, `${files.length} files`);
  const paths: string[] = files.map(({ path }: { path: string }) => path);
  assert.ok(paths.includes('dist/node/api.d.ts') && paths.includes('dist/cli/main.js'));
  assert.deepEqual(
    paths.filter(
      (path) =>
        /^dist\/cli\/.*\.d\.ts$|\.(ts|map|test\.js)$/.test(path) && !/^dist\/(?!cli\/).*\.d\.ts$/.test(path),
    ),
    [],
  );
});

test('packing or installing a clone in which nothing is built or installed says what to do, and packs nothing', () => {
  const clone = join(dir, 'clone');
  mkdirSync(clone);
  cpSync(join(ROOT, 'package.json'), join(clone, 'package.json'));
  cpSync(join(ROOT, 'scripts'), join(clone, 'scripts'), { recursive: true });
  const fails = (args: string[]) => {
    const { status, stderr, stdout } = spawnSync('npm', args, {
      ...{ cwd: clone, env: clean, encoding: 'utf8', timeout: 300_000 },
    });
    assert.notEqual(status, 0, args.join(' '));
    return stderr + stdout;
  };
  assert.match(
    fails(['pack']),
    /Beeline cannot be built: esbuild, typescript-7, vite are not installed\. Run `npm ci` first/,
  );
  assert.match(fails(['run', 'build', '--global']), /`npm ci` first.*\s+.*`npm pack ADDRESS`, then/);
  assert.deepEqual(readdirSync(clone).sort(), ['package.json', 'scripts']);
});
