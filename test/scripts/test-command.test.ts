/** The test command itself, on small folders of tests: what it runs, and that its closing line hides nothing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const CI = fileURLToPath(new URL('../../.ci/run', import.meta.url));
const COMMAND = fileURLToPath(new URL('../../scripts/test.mjs', import.meta.url));
/** Milliseconds until a run of a few empty tests must have ended. */
const DEADLINE = 120_000;
const IMPORTS = "import { describe, it, test } from 'node:test';\n";

/** Runs the command in a folder with these test files; each text is what follows the imports. */
function run(context: TestContext, files: Record<string, string>, ...words: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'beeline-test-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, 'test', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, IMPORTS + text);
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  // Without the variable the runner within would report to the runner of this test, and not to its output.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...words], {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: DEADLINE,
  });
  const left = existsSync(join(folder, 'build')) ? readdirSync(join(folder, 'build')) : [];
  const lines = stdout.trimEnd().split('\n');
  return { status, lines, closing: lines.at(-1), stderr, left };
}

/** What CI prints at its end if its stages, each named as its log, left these logs. */
function ciLines(context: TestContext, logs: Record<string, string>): string[] {
  const scratch = mkdtempSync(join(tmpdir(), 'beeline-ci-'));
  context.after(() => rmSync(scratch, { recursive: true, force: true }));
  // Its functions without its stages, which begin with what is installed.
  const functions = readFileSync(CI, 'utf8').match(/^(?:fail|finish|count)\(\) \{\n[\s\S]*?^\}$/gm)!;
  const counts = Object.entries(logs).map(([name, text]) => {
    writeFileSync(join(scratch, `${name}.log`), `${text}\n`);
    return `count ${text.endsWith(' 0 failed, 0 skipped') ? 0 : 1} '${scratch}/${name}.log' ${name} >&2`;
  });
  const script = ['passed=0 failed=0', `scratch='${scratch}'`, ...functions, ...counts, 'finish'];
  const { stdout, status } = spawnSync('bash', ['-uo', 'pipefail', '-c', script.join('\n')], {
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  return stdout.trimEnd().split('\n');
}

const QUICK = { 'wire/a.test.ts': "test('a', () => {});", 'wire/b.test.ts': "test('b', () => {});" };
const BOTH = { ...QUICK, 'wire/c.heavy.test.ts': "test('c', () => {});" };
const ran = (lines: string[]) =>
  lines
    .flatMap((line) => /^ok \d+ - (.)$/.exec(line)?.[1] ?? [])
    .sort()
    .join('');

describe('the test command', () => {
  it('counts a suite that is skipped whole, with its reason', (context) => {
    const told = run(context, {
      'a.test.ts': `test('runs', () => {});
        describe('a whole suite', { skip: 'needs root' }, () => { it('one', () => {}); it('two', () => {}); });`,
    });
    assert.equal(told.closing, '1 passed, 0 failed, 1 skipped');
    assert.match(told.lines.join('\n'), /^skipped: ok \d+ - a whole suite # SKIP needs root$/m);
  });

  it('counts each way to leave a test out, and no name that only looks like one', (context) => {
    const told = run(context, {
      'a.test.ts': `test('by option', { skip: true }, () => {});
        test('under way', (t) => t.skip('late'));
        test('never fails', { todo: true }, () => { throw new Error(); });
        describe('outer', () => { describe('inner', { skip: 'why' }, () => { it('x', () => {}); }); it('y', () => {}); });
        test('named # SKIP as it is', () => {});`,
    });
    assert.equal(told.closing, '2 passed, 0 failed, 4 skipped');
    assert.equal(told.lines.filter((line) => line.startsWith('skipped: ')).length, 4);
  });

  it('runs the quick tests, or the heavy ones, or those whose path is named', (context) => {
    assert.equal(ran(run(context, BOTH).lines), 'ab');
    assert.equal(ran(run(context, BOTH, '--heavy').lines), 'c');
    assert.equal(ran(run(context, BOTH, 'wire/').lines), 'abc');
    assert.equal(ran(run(context, BOTH, 'wire/', '-wire/a').lines), 'bc');
    assert.equal(ran(run(context, BOTH, '-wire/a').lines), 'b');
  });

  it('bundles what it runs, which tells on itself as if it were not, and leaves nothing', (context) => {
    const told = run(context, {
      'deep/helper.ts':
        "export const at = import.meta.url;\nexport const fails = () => {\n\n  throw new Error('x');\n};",
      'deep/a.test.ts': `import { at, fails } from './helper.ts';
        import { readdirSync } from 'node:fs';
        import { join } from 'node:path';
        test('a', () => {
          if (!at.endsWith('/test/deep/helper.ts')) throw new Error(at);
          if (import.meta.filename !== join(process.cwd(), 'test/deep/a.test.ts')) throw new Error(import.meta.filename);
          if (!readdirSync(import.meta.dirname).includes('helper.ts')) throw new Error(import.meta.dirname);
        });
        test('b', () => fails());
        test('none is left', () => { throw new Error(readdirSync('build').join()); });`,
    });
    assert.equal(told.closing, '1 passed, 2 failed, 0 skipped');
    const text = told.lines.join('\n');
    assert.match(text, /test\/deep\/helper\.ts:5:/);
    assert.match(text, /error: 'tests-\w+'/);
    assert.deepEqual(told.left, []);
  });

  it('fails where a test fails, a file cannot be loaded, or nothing runs', (context) => {
    const failed = run(context, {
      'a.test.ts': "test('good', () => {}); test('bad', () => { throw new Error('as it should'); });",
    });
    assert.deepEqual([failed.status, failed.closing], [1, '1 passed, 1 failed, 0 skipped']);
    assert.match(failed.lines.join('\n'), /^failed: not ok \d+ - bad[\s\S]*as it should/m);
    assert.equal(failed.lines.at(-2), "FAILED: bad: 'as it should'");
    assert.equal(run(context, { ...QUICK, 'c.test.ts': "import './none.ts';" }).status, 1);
    assert.equal(run(context, { 'a.test.ts': "test('a', { skip: true }, () => {});" }).status, 1);
    assert.equal(run(context, QUICK, 'nowhere').status, 2);
    assert.equal(run(context, QUICK, '--all').status, 2);
    assert.deepEqual(
      [run(context, QUICK).status, run(context, QUICK).closing],
      [0, '2 passed, 0 failed, 0 skipped'],
    );
  });
});

describe("CI's last lines", () => {
  it('name each failed test with the first lines of its error, bounded, whatever other logs hold', (context) => {
    const told = run(context, {
      'a.test.ts': `import assert from 'node:assert/strict';
        describe('outer', () => {
          describe('inner', () => { it('compares', () => assert.equal(1, 2)); it('is good', () => {}); });
          it('says much', () => { throw new Error('x'.repeat(9000)); });
        });`,
    });
    const logs = {
      quick: told.lines.join('\n'),
      heavy: `${'much\n'.repeat(9000)}3 passed, 0 failed, 0 skipped`,
    };
    const lines = ciLines(context, { ...logs, newest: 'biome: a comma is missing\nand more of it' });
    assert.deepEqual(lines.slice(-4), [
      'FAILED: quick: outer: inner: compares: Expected values to be strictly equal: 1 !== 2',
      `FAILED: quick: outer: says much: '${'x'.repeat(399)}`,
      'FAILED: newest printed no totals (status 1): biome: a comma is missing and more of it ',
      '4 passed, 3 failed',
    ]);
    assert.ok(lines.join('\n').length < 6000, 'the diagnoses of each log are cut');
    assert.equal(lines.filter((line) => line === 'much').length, 0);
  });
});

/** Whether a file, or anything of this repository that it imports, makes network namespaces or drives a browser. */
function needsMore(file: string, seen: Set<string>): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  const code = readFileSync(file, 'utf8');
  const names = [...code.matchAll(/^(?:import|export|\})[^'"\n]*'([^']+)'/gm)].map(([, name]) => name!);
  return names.some((name) => {
    if (name === 'puppeteer-core') return true;
    const other = normalize(join(dirname(file), name));
    if (!name.startsWith('.') || !/^(?:test|lab)\/.*\.ts$/.test(other)) return false;
    return other === 'lab/ip.ts' || needsMore(other, seen);
  });
}

it('what needs namespaces or a browser is among the heavy tests, as its name says', () => {
  const all = readdirSync('test', { recursive: true })
    .map((name) => join('test', String(name)))
    .filter((name) => name.endsWith('.test.ts'));
  const needy = all.filter((name) => needsMore(name, new Set()));
  assert.ok(needy.length > 20, 'those tests are found');
  assert.deepEqual(
    needy.filter((name) => !name.endsWith('.heavy.test.ts')),
    [],
  );
});
