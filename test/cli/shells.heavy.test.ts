/** Completion scripts in the shells themselves: what Tab offers on a command line, as each shell finds it out. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { dispatch } from '../../src/cli/dispatch.ts';
import { COMMANDS, FLAGS } from '../../src/cli/flags.ts';
import { scratch } from '../node/files/helpers.ts';
import { fakeHost } from './fakes.ts';

const has = (program: string) => spawnSync(program, ['--version']).status === 0;
/** Milliseconds for a shell to start and to answer, on a machine that has other things to do. */
const PATIENCE_MS = 120_000;

/** A home without settings, with the script of that shell in it and two files. */
async function home(t: TestContext, shell: string): Promise<{ dir: string; script: string }> {
  const dir = scratch(t);
  const host = fakeHost();
  assert.equal(await dispatch(['completion', shell], host), 0);
  const script = join(dir, 'completion');
  writeFileSync(script, host.stdout.text);
  mkdirSync(join(dir, 'work', 'photos'), { recursive: true });
  writeFileSync(join(dir, 'work', 'paper.txt'), '');
  return { dir, script };
}

function run(
  dir: string,
  program: string,
  words: readonly string[],
  env: Record<string, string> = {},
): string {
  return execFileSync(program, words, {
    cwd: join(dir, 'work'),
    env: { PATH: process.env.PATH, HOME: dir, TERM: 'dumb', LC_ALL: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE_MS,
  }).toString();
}

type Offered = (line: string) => string[];

async function inFish(t: TestContext): Promise<Offered> {
  const { dir, script } = await home(t, 'fish');
  return (line) =>
    run(dir, 'fish', ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script, line])
      .split('\n')
      .filter((each) => each !== '')
      .map((each) => each.split('\t')[0]!);
}

/** In a terminal of its own: zsh completes nowhere else. What it would add is written down instead. */
const ZSH_INSIDE = `
PROMPT=
autoload -Uz compinit
compinit -D -u
source $SCRIPT
zstyle ':completion:*' insert-tab false
compadd() {
  # Where it only fills an array it shows nothing.
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then
    builtin compadd "$@"
    return $?
  fi
  local -a hits
  builtin compadd -A hits "$@"
  for hit in $hits; do print -r -- $IPREFIX$hit >> $OUT; done
}
leave() { print -r -- $'\\1' >> $OUT; exit }
comppostfuncs=(leave)
bindkey '^I' complete-word
# Not before the line is there: what is typed sooner is the terminal's.
zle-line-init() { print ready }
zle -N zle-line-init
`;
const ZSH_OUTSIDE = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "source $INSIDE"
while zpty -r z line; do [[ $line == *ready* ]] && break; done
zpty -w -n z "$1"$'\\t'
while zpty -r z line; do :; done
`;

async function inZsh(t: TestContext): Promise<Offered> {
  const { dir, script } = await home(t, 'zsh');
  const inside = join(dir, 'inside');
  writeFileSync(inside, ZSH_INSIDE);
  const out = join(dir, 'out');
  return (line) => {
    writeFileSync(out, '');
    run(dir, 'zsh', ['-f', '-c', ZSH_OUTSIDE, 'zsh', line], { SCRIPT: script, INSIDE: inside, OUT: out });
    const said = readFileSync(out, 'utf8');
    assert.ok(said.endsWith('\x01\n'), `zsh completed nothing at '${line}'`);
    return [...new Set(said.slice(0, -2).split('\n'))].filter((each) => each !== '');
  };
}

async function inBash(t: TestContext): Promise<Offered> {
  const { dir, script } = await home(t, 'bash');
  // What `complete` has bound is called as readline does.
  const outside = `
source "$1"
COMP_LINE=$2 COMP_POINT=\${#2}
read -ra COMP_WORDS <<< "$2"
[[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
bound=$(complete -p beeline) && [[ $bound =~ -F\\ ([a-z_]+) ]] && "\${BASH_REMATCH[1]}" beeline "\${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return (line) =>
    run(dir, 'bash', ['--norc', '-c', outside, 'bash', script, line])
      .split('\n')
      .filter((each) => each !== '');
}

const SHELLS = { bash: inBash, zsh: inZsh, fish: inFish };
const CLO = ['cloth', 'cloud', 'clown', 'clog', 'clock', 'close'].sort();

for (const [shell, start] of Object.entries(SHELLS))
  describe(`cli: completion in ${shell}`, { skip: !has(shell) && `no ${shell}` }, () => {
    it('offers commands', async (t) => {
      const offered = await start(t);
      assert.deepEqual(offered('beeline se').sort(), ['send', 'serve', 'server']);
      assert.deepEqual(offered('beeline ').sort(), [...COMMANDS, 'help', 'version'].sort());
    });

    it('offers the flags of a command, also those that take a setting back', async (t) => {
      const offered = await start(t);
      assert.deepEqual(offered('beeline send --rec').sort(), ['--receipt', '--receivers']);
      for (const command of ['receive', 'doctor'] as const) {
        const flags = offered(`beeline ${command} --`);
        for (const name of Object.keys(FLAGS[command])) assert.ok(flags.includes(`--${name}`), name);
        assert.ok(flags.includes('--dht') && flags.includes('--port-map'));
        assert.ok(!flags.includes('--web'));
      }
    });

    it('offers what a flag takes', async (t) => {
      const offered = await start(t);
      assert.deepEqual(offered('beeline send --links ').sort(), ['follow', 'keep', 'skip']);
      assert.deepEqual(offered('beeline receive --overwrite re').sort(), ['rename', 'replace']);
      assert.deepEqual(offered('beeline help net'), ['network']);
      assert.deepEqual(offered('beeline completion ').sort(), ['bash', 'fish', 'zsh']);
    });

    it('completes the words of a code, of each code', async (t) => {
      const offered = await start(t);
      const whole = CLO.map((word) => `7-velvet-${word}`);
      assert.deepEqual(offered('beeline receive 7-velvet-clo').sort(), whole);
      assert.deepEqual(offered('beeline receive 8-copper-lizard 7-velvet-clo').sort(), whole);
      assert.deepEqual(offered('beeline receive 7-crosswo'), []);
    });

    // Files are bash's own matter: the function only says that they are wanted.
    if (shell !== 'bash')
      it('offers files where paths are sent', async (t) => {
        const offered = await start(t);
        const found = offered('beeline send pa').map((name) => name.replace(/^\.\//, ''));
        assert.deepEqual(found, ['paper.txt']);
      });
  });
