/** `beeline server --config FILE`: each flag of the table, each mistake with its line. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { parseConfiguration, readConfiguration } from '../../src/cli/configuration.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { FLAGS, type Flag } from '../../src/cli/flags.ts';
import { serverArgs } from '../../src/cli/options.ts';
import { checkServer } from '../../src/server/index.ts';
import { seed } from '../seed.ts';
import { fakeHost } from './fakes.ts';

const parse = (text: string) => parseConfiguration(text, 's.yaml').flags;

function file(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'beeline-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 's.yaml');
  writeFileSync(path, text);
  return path;
}

test('every flag of the server, and no other, may stand in the file', () => {
  for (const [name, flag] of Object.entries<Flag>(FLAGS.server)) {
    if (flag.typedOnly) {
      assert.throws(() => parse(`${name}: true`), {
        code: 'USAGE',
        message: /^s\.yaml:1: .*is not for this file/,
      });
      continue;
    }
    // Whatever the flag itself thinks of the value, the name is one, and the answer is the flag's.
    if (!flag.read) assert.deepEqual(parse(`${name}: true`), { [name]: true });
    else {
      const typed = (() => {
        try {
          return flag.read(name, '1');
        } catch (thrown) {
          return (thrown as Error).message;
        }
      })();
      if (typeof typed === 'string' && typed !== '1')
        assert.throws(() => parse(`${name}: 1`), { message: `s.yaml:1: ${typed}` });
      else assert.deepEqual(parse(`${name}: 1`), { [name]: typed });
    }
  }
});

test('values are read as the flags read them, and a switch that is off is not given', () => {
  const flags = parse(
    [
      ...['# a comment', 'port: 443', 'host: "::1"', 'trust-proxy: true', 'no-relay: false'],
      ...['allow-origin:', '  - https://a.example', '  - https://b.example', 'turn-url: turn:a'],
      ...['relay-limit: 20GiB', 'drain: 2m', 'log-level: info'],
    ].join('\n'),
  );
  assert.deepEqual(flags, {
    port: 443,
    host: '::1',
    'trust-proxy': true,
    'allow-origin': ['https://a.example', 'https://b.example'],
    'turn-url': ['turn:a'],
    'relay-limit': 20 * 2 ** 30,
    drain: 120,
    'log-level': 'info',
  });
  for (const empty of ['', '# nothing\n', '\n\n']) assert.deepEqual(parse(empty), {});
});

const MISTAKES: [name: string, text: string, message: RegExp][] = [
  [
    'an unknown key, with a suggestion',
    'host: a\n\nprot: 1',
    /^s\.yaml:3: there is no prot\. Did you mean port\?$/,
  ],
  ['a key as it is typed', '--port: 1', /^s\.yaml:1: there is no --port\. Did you mean port\?$/],
  ['a key twice', 'port: 1\nhost: a\nport: 2', /^s\.yaml:3: port is there twice, first in line 1\.$/],
  [
    'a number out of range',
    'host: a\nport: 70000',
    /^s\.yaml:2: port 70000: it must be a whole number from 0/,
  ],
  ['a number in words', 'port: many', /^s\.yaml:1: port many: it must be/],
  ['a number of another notation', 'port: 0x10', /^s\.yaml:1: port 0x10: it must be/],
  ['a switch that is no switch', 'no-stun: yes', /^s\.yaml:1: no-stun is either true or false\.$/],
  ['a value that is a switch', 'host: true', /^s\.yaml:1: host needs one value: host: ADDRESS\.$/],
  ['no value', 'port:', /^s\.yaml:1: port needs one value/],
  ['a list for one value', 'port: [1, 2]', /^s\.yaml:1: port needs one value/],
  ['a map for a value', 'host:\n  a: b', /^s\.yaml:2: host needs one value/],
  ['a list of maps', 'turn-url:\n  - a: b', /turn-url needs a value or a list of them/],
  ['a word that a flag does not have', 'log-level: infos', /one of trace.*Did you mean info\?/],
  [
    'a secret',
    'turn-secret: hush',
    /^s\.yaml:1: turn-secret is not for this file: put the secret into a file/,
  ],
  ['another file', 'config: a', /not for this file/],
  ['a list', '- port', /^s\.yaml:1: the file has lines of the form/],
  ['no YAML', 'port: 1\nhost: [', /^s\.yaml:\d+: this is no YAML/],
  ['two documents', 'port: 1\n---\nport: 2', /this is no YAML/],
  ['an alias', 'host: &a x\nlog-file: *a', /^s\.yaml:2: log-file needs one value/],
  ['a tag', 'port: !!js/function x', /this is no YAML/],
  ['a key of all objects', '__proto__: 1', /^s\.yaml:1: there is no __proto__/],
  ['one mistake that the parser tells twice', 'port: 1\n  host: a', /^s\.yaml:2: this is no YAML: [^\n]*$/],
  ['two mistakes', 'prot: 1\nhots: a', /^s\.yaml:1: .*\ns\.yaml:2: there is no hots\. Did you mean host\?$/],
];

for (const [name, text, message] of MISTAKES)
  test(`refuses ${name}`, () => {
    assert.throws(
      () => parse(text),
      (error: unknown) => {
        assert.ok(error instanceof BeelineError && error.code === 'USAGE');
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /hush/, 'a secret is repeated nowhere');
        return true;
      },
    );
  });

test('any text is read, or refused with its line', () => {
  const line = fc.oneof(
    fc.constantFrom(...Object.keys(FLAGS.server)).map((name) => `${name}: 1`),
    fc.string(),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      try {
        parse(lines.join('\n'));
      } catch (error) {
        assert.ok(error instanceof BeelineError && error.code === 'USAGE', String(error));
        assert.match(error.message, /^s\.yaml:\d+: /);
      }
    }),
    { seed, numRuns: Number(process.env.RUNS ?? 300) },
  );
});

test('a file that is nested without end, or too large, is refused', async (t) => {
  assert.throws(() => parse(`host: ${'['.repeat(60_000)}`), { code: 'USAGE' });
  const large = file(t, `# ${'x'.repeat(70_000)}`);
  await assert.rejects(readConfiguration(large), { code: 'USAGE', message: /more than 65.5 kB/ });
  await assert.rejects(readConfiguration(`${large}.none`), { code: 'NO_SUCH_PATH' });
});

test('what is typed wins over the file, and the environment stays what it is', () => {
  const flags = parse('port: 1\nhost: a\nallow-origin: [https://a.example]\nturn-url: turn:a');
  const args = serverArgs(
    ['--port', '2', '--allow-origin', 'https://b.example'],
    { BEELINE_TURN_SECRET: 'env' },
    flags,
  );
  assert.deepEqual([args.port, args.host, args.allowOrigins], [2, 'a', ['https://b.example']]);
  assert.equal(args.turn?.secret, 'env');
});

test('--check says what is wrong, with the lines, and starts nothing', async (t) => {
  const check = async (text: string, ...more: string[]) => {
    const host = {
      ...fakeHost(),
      server: async () => ({ checkServer, startServer: () => assert.fail('nothing is started') }),
    };
    const code = await dispatch(['server', '--config', file(t, text), '--check', ...more], host as never);
    return { code, text: host.stderr.text };
  };
  assert.deepEqual(await check('port: 4848\n'), { code: 0, text: 'The configuration is right.\n' });
  const both = await check('no-relay: true\n\nrelay-rate: 1M\n');
  assert.equal(both.code, 2);
  assert.match(both.text, /s\.yaml:1, \S+s\.yaml:3: --no-relay and --relay-rate contradict/);
  const cases: [text: string, says: RegExp][] = [
    ['turn-url: turn:a\nturn-secret-file: /nowhere/secret', /no such file/],
    ['tls-cert: /nowhere/c\ntls-key: /nowhere/k', /nowhere/],
    ['allow-origin: example.org', /example\.org/],
    ['port: 5\nstun-port: 5', /port/],
    ['turn-url: http://x', /--turn-url needs/],
  ];
  for (const [bad, says] of cases) {
    const { code, text } = await check(bad);
    assert.notEqual(code, 0, bad);
    assert.match(text, says);
  }
});
