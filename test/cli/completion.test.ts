/** Completion scripts, run by the shells that are installed, and the manual page. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { dispatch } from '../../src/cli/dispatch.ts';
import { COMMANDS, FLAGS, undoing } from '../../src/cli/flags.ts';
import { manPage } from '../../src/cli/man.ts';
import { SETTINGS } from '../../src/cli/settings.ts';
import { scratch } from '../node/files/helpers.ts';
import { fakeHost } from './fakes.ts';

const has = (program: string) => spawnSync(program, ['--version']).status === 0;

async function script(shell: string): Promise<string> {
  const host = fakeHost();
  assert.equal(await dispatch(['completion', shell], host), 0);
  return host.stdout.text;
}

describe('cli: completion', () => {
  it('in bash offers commands, flags, their values, files, and the words of a code', {
    skip: !has('bash') && 'no bash',
  }, async () => {
    const text = await script('bash');
    const offered = (...words: string[]) => {
      const run = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _beeline; printf '%s\n' "\${COMPREPLY[@]}"`;
      const output = execFileSync('bash', ['--norc', '-c', `${text}\n${run}`, 'bash', 'beeline', ...words], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return output.toString().trim().split('\n');
    };
    assert.deepEqual(offered('se'), ['send', 'serve', 'server']);
    assert.deepEqual(offered('send', '--rec'), ['--receivers', '--receipt']);
    assert.deepEqual(offered('receive', '--overwrite', 're'), ['rename', 'replace']);
    assert.deepEqual(offered('send', '--links', ''), ['keep', 'follow', 'skip']);
    assert.deepEqual(offered('receive', '--links', ''), ['safe', 'all', 'skip']);
    assert.deepEqual(offered('receive', '7-cross-crosswo'), ['']);
    assert.deepEqual(
      offered('receive', '7-velvet-clo'),
      ['cloth', 'cloud', 'clown', 'clog', 'clock', 'close'].sort().map((word) => `7-velvet-${word}`),
    );
    assert.deepEqual(offered('help', 'net'), ['network']);
    assert.deepEqual(offered('send', '--limit', '1'), ['']);
    for (const command of COMMANDS) {
      const undo = [...undoing(command)].filter(([, taken]) => taken in SETTINGS).map(([name]) => name);
      const flags = [...Object.keys(FLAGS[command]), ...undo].map((name) => `--${name}`);
      assert.deepEqual(offered(command, '--').sort(), flags.sort());
    }
  });

  for (const shell of ['zsh', 'fish'])
    it(`for ${shell} names every command and flag, and is read by it where it is installed`, async (t) => {
      const text = await script(shell);
      for (const command of COMMANDS) {
        assert.ok(text.includes(command));
        for (const name of Object.keys(FLAGS[command])) assert.match(text, new RegExp(`(--|-l )${name}\\b`));
      }
      // From a file: what Node gives as standard input is a socket, which neither opens by name.
      const file = join(scratch(t), 'completion');
      writeFileSync(file, text);
      if (has(shell)) execFileSync(shell, ['-n', file]);
    });

  it('for zsh has no colon in what a value is called, for it would end that there', async () => {
    const text = await script('zsh');
    assert.ok(text.includes(":HOST\\:PORT: '"));
    // `--name[help]:message:action`
    for (const [, spec] of text.matchAll(/^ *(?:\w+\) _arguments )?'(\*?--.*)'(?: \\| ;;|$)/gm)) {
      const behind = spec!.replace(/^.*?(?<!\\)\]/, '').replace(/\\./g, '');
      assert.match(behind, /^$|^:[^:]+:(?: |_files|\([^:]*\))$/, spec);
    }
  });

  it('of another shell is refused', async () => {
    for (const argv of [[], ['tcsh'], ['bash', 'zsh'], ['constructor']]) {
      const host = fakeHost();
      assert.equal(await dispatch(['completion', ...argv], host), 2);
      assert.equal(host.stdout.text, '');
    }
  });
});

describe('cli: the manual page', () => {
  it('has every command and flag, and no line that troff takes for a request of its own', () => {
    const page = manPage('1.2.3');
    for (const command of COMMANDS) {
      assert.ok(page.includes(`.SS beeline ${command}\n`));
      for (const name of Object.keys(FLAGS[command]))
        assert.ok(page.includes(`\\-\\-${name.replaceAll('-', '\\-')}\\fR`), name);
    }
    for (const line of page.split('\n'))
      if (/^[.']/.test(line)) assert.match(line, /^\.(TH|SH|SS|TP|PP|br|nf|fi)\b/);
  });

  it('is formatted without a warning', { skip: !has('groff') && 'no groff' }, () => {
    const done = spawnSync('groff', ['-man', '-Tutf8', '-ww'], { input: manPage('1.2.3') });
    assert.equal(done.stderr.toString(), '');
    assert.match(done.stdout.toString(), /beeline - send files/);
  });

  it('is what `help --man` prints, and package.json names it', async () => {
    const host = fakeHost();
    assert.equal(await dispatch(['help', '--man'], host), 0);
    assert.match(host.stdout.text, /^\.TH BEELINE 1 "" "Beeline \d/);
    const { man } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    assert.equal(man, 'dist/beeline.1');
  });
});
