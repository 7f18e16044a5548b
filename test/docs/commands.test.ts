/**
 * Every `beeline` command in a block of a page is one that the command takes: its flags, their values, and
 * what goes together. Parsed by the command's own parsers; nothing is sent.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from '../../src/cli/args.ts';
import { COMMANDS, type Command, TOPICS } from '../../src/cli/flags.ts';
import { downloadArgs, receiveArgs, sendArgs, serveArgs, serverArgs } from '../../src/cli/options.ts';
import { readPage, tracked } from './pages.ts';

const PAGES = tracked('.md');

/** The words of a command, without comments and what follows a pipe. Quotes are as in a shell. */
function words(command: string): string[] {
  const found: string[] = [];
  for (const [, double, single, plain] of command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)) {
    if (plain && /^(#|\||<|>|&)/.test(plain)) break;
    found.push(double ?? single ?? plain!);
  }
  return found;
}

const settings = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name!, value!]));

interface Found {
  where: string;
  argv: string[];
  env: Record<string, string>;
}

function commands(): Found[] {
  const all: Found[] = [];
  for (const path of PAGES)
    for (const { language, text, line } of readPage(path).blocks) {
      if (!['sh', 'console'].includes(language)) continue;
      // For all that follows in the block.
      const exported = settings(text.match(/^export .*$/gm)?.join(' ') ?? '');
      text
        .replace(/\\\n */g, ' ')
        .split('\n')
        .forEach((each, at) => {
          if (language === 'console' && !each.startsWith('$ ')) return;
          const [, set = '', rest] =
            /^(?:\$ )?(?:[^#]*\| )?((?:[A-Z_]+=\S+ )*)beeline (?![:=])(.*)$/.exec(each) ?? [];
          if (rest === undefined) return;
          all.push({
            where: `${path}:${line + at}: ${each}`,
            argv: words(rest),
            env: { ...exported, ...settings(set) },
          });
        });
    }
  return all;
}

function takes({ argv: [command, ...rest], env }: Found): void {
  if (rest.includes('--help') || command === 'help' || command?.startsWith('-')) {
    if (command === 'help' && rest[0]) assert.ok([...COMMANDS, ...TOPICS].includes(rest[0] as Command));
    return;
  }
  assert.ok(COMMANDS.includes(command as Command), `there is no command ${command}`);
  if (command === 'send') sendArgs(rest, env);
  else if (command === 'receive')
    (rest.some((word) => /^https?:/.test(word)) ? downloadArgs : receiveArgs)(rest, env);
  else if (command === 'serve') serveArgs(rest, env);
  else if (command === 'server') {
    // Files that it names are read by the command, not here.
    const { flags } = parse('server', rest);
    if (!('config' in flags)) serverArgs(rest, env);
  } else parse(command as Command, rest);
}

const all = commands();

test('every command of every page is one that Beeline takes', () => {
  assert.ok(all.length > 60, `${all.length} commands`);
  const wrong = all.flatMap((found) => {
    try {
      takes(found);
      return [];
    } catch (error) {
      return [`${found.where}: ${(error as Error).message}`];
    }
  });
  assert.deepEqual(wrong, []);
});

/** Words that stand for what a person has. */
const STAND_IN: Record<string, string> = {
  CODE: '7-velvet-canyon',
  URL: 'https://meet.example/file',
  TOPIC: TOPICS[0]!,
};

/** Commands within sentences, which may name a flag alone. The protocol has labels that begin so, and the changelog abridges. */
function inline(): Found[] {
  return PAGES.filter((path) => !['docs/protocol.md', 'CHANGELOG.md'].includes(path)).flatMap((path) =>
    [...readPage(path).prose.matchAll(/`((?:[A-Z_]+=\S+ )*)beeline ([a-z-][^`\n]*)`/g)].map(
      ([span, set = '', rest = '']) => {
        const argv = words(rest.replaceAll('\\|', '|')).map((word) => STAND_IN[word] ?? word);
        const bare = argv[0] === 'send' || argv[0] === 'serve';
        // Without what it is about it is a command's name with a flag.
        if (bare && !argv.slice(1).some((word) => !word.startsWith('--'))) argv.push('file');
        return { where: `${path}: ${span}`, argv, env: settings(set) };
      },
    ),
  );
}

test('every command within a sentence is one that Beeline takes', () => {
  const found = inline().filter(({ argv }) => argv.length > 1);
  assert.ok(found.length > 60, `${found.length} commands`);
  const wrong = found.flatMap((one) => {
    try {
      takes(one);
      return [];
    } catch (error) {
      const { message } = error as Error;
      return /^--[a-z-]+ needs a value/.test(message) ? [] : [`${one.where}: ${message}`];
    }
  });
  assert.deepEqual(wrong, []);
});

test('every script that a page names is there, and so is every test that it runs', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  const tests = tracked('.test.ts');
  const texts = PAGES.map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const named = (what: RegExp) =>
    texts.flatMap(({ path, text }) => [...text.matchAll(what)].map(([, name]) => ({ path, name: name! })));
  const missing = [
    ...named(/\bnpm run ([a-z][\w:-]*)/g).filter(({ name }) => !(name in scripts)),
    ...named(/\bnode ((?:scripts|bench|examples|lab)\/[\w./-]+)/g).filter(({ name }) => !existsSync(name)),
    ...named(/\bscripts\/test\.mjs ([a-z][\w/.-]*)/g).filter(
      ({ name }) => !tests.some((path) => path.includes(name.replace(/NAME$/, ''))),
    ),
  ];
  assert.deepEqual(missing, []);
  assert.ok(named(/\bnpm run ([a-z][\w:-]*)/g).length > 30);
});

test('a command that Beeline does not take is found', () => {
  for (const text of ['sned x', 'send', 'send x --lanes 99', 'receive a b c --bogus', 'help nothing'])
    assert.throws(() => takes({ where: '', argv: words(text), env: {} }), text);
});
