/** `beeline resume`: lists what receives have left unfinished in a folder, or gives it up. The list is its product: on stdout. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { BeelineError } from '../../base/errors.ts';
import {
  type Discarded,
  discard,
  type Unfinished,
  type UnfinishedTransfer,
  unfinished,
} from '../../node/files/unfinished.ts';
import { parse, usage } from '../args.ts';
import { EXIT_DONE, EXIT_FAILED } from '../exit.ts';
import { contents, formatBytes, formatDuration, percentOf, shellWord } from '../format.ts';
import type { Host } from '../host.ts';
import { listed } from '../instructions.ts';
import { Interrupt } from '../interrupt.ts';
import { type Print, printer } from '../json.ts';
import { hint } from '../near.ts';
import { isYes, Prompt } from '../prompt.ts';
import { Screen } from '../screen.ts';

const CLEAN = 'clean';

/** Why something is left: for programs. */
type Reason = 'locked' | 'damaged' | 'unnamed' | 'declined' | 'failed';

/** Resolves to the exit code: 1 if `clean` left something that it was to remove. @throws BeelineError */
export async function resumeCommand(argv: readonly string[], host: Host): Promise<number> {
  const { positionals, flags } = parse('resume', argv);
  const { json = false, yes = false } = flags;
  const clean = positionals[0] === CLEAN;
  const [dir = '.', ...more] = clean ? positionals.slice(1) : positionals;
  if (more.length > 0 || dir === '')
    throw usage('resume', `It takes one folder.${hint(positionals[0] ?? '', [CLEAN], 'beeline resume ')}`);
  if (yes && !clean) throw usage('resume', '--yes is for `beeline resume clean`.');
  const print = printer(host.stdout, json);
  const found = await unfinished(dir);
  if (!clean) list(dir, found, json, print);
  else if (found.length > 0) return new Cleaner(host, print, yes).run(found);
  if (found.length === 0 && !json) print({}, `Nothing unfinished in ${realpathSync(dir)}.`);
  return EXIT_DONE;
}

function list(dir: string, found: readonly Unfinished[], json: boolean, print: Print): void {
  for (const one of found) {
    const { transfer, ...staging } = one;
    print({ event: 'unfinished', ...staging, damaged: !transfer, ...transfer }, describe(one), '');
  }
  if (found.length === 0 || json) return;
  const to = dir === '.' ? '' : ` ${shellWord(dir)}`;
  const lines = found.some(({ transfer }) => transfer)
    ? [`\`beeline resume clean${to}\` removes what is unfinished.`]
    : [];
  if (found.some(({ transfer }) => transfer && transfer.bytes !== null))
    lines.unshift(
      'To go on, receive again into this folder: with the same code while the sender waits, or with a new one:',
      '',
      `    beeline receive CODE${to && ` --to${to}`}`,
      '',
    );
  print({}, lines);
}

function describe({ path, active, changed, transfer }: Unfinished): string[] {
  const folder = basename(path);
  if (!transfer)
    return [
      active
        ? `${folder}: a receive has just begun in it.`
        : `${folder}: damaged. It has no journal that can be read, so no transfer can go on from it. If you do not need it, remove it yourself.`,
      `    Last changed ${ago(changed)}.`,
    ];
  return [
    what(transfer),
    `    ${progress(transfer)}`,
    `    Begun ${ago(transfer.created)}, last changed ${ago(changed)}, in ${folder}.`,
    ...(active ? ['    A receive is at work in it now.'] : []),
  ];
}

function what(transfer: UnfinishedTransfer): string {
  return `${listed(transfer.names)}: ${contents(transfer)}`;
}

function progress({ here, bytes }: UnfinishedTransfer): string {
  if (bytes === null) return 'It came from stdin, so it cannot go on: it has to be sent anew.';
  return `${formatBytes(here)} of it is here, ${percentOf(here, bytes)}%.`;
}

/** @param time milliseconds since 1970 */
function ago(time: number): string {
  return `${formatDuration((Date.now() - time) / 1000)} ago`;
}

class Cleaner {
  readonly #screen: Screen;
  readonly #print: Print;
  readonly #yes: boolean;
  readonly #interrupt = new Interrupt();
  readonly #prompt: Prompt;
  #failed = false;

  constructor(host: Host, print: Print, yes: boolean) {
    this.#screen = new Screen(host.stderr, host.env);
    this.#print = print;
    this.#yes = yes;
    const interrupt = this.#interrupt;
    this.#prompt = new Prompt({ input: host.stdin, output: host.stderr, interrupt });
  }

  async run(found: readonly Unfinished[]): Promise<number> {
    try {
      if (!this.#yes && !this.#prompt.possible)
        throw new BeelineError(
          'REFUSED',
          'Nothing was removed, because there is no terminal to ask on. Run the command again with --yes.',
        );
      for (const one of found) await this.#clean(one);
    } finally {
      this.#interrupt.close();
    }
    return this.#failed ? EXIT_FAILED : EXIT_DONE;
  }

  async #clean(one: Unfinished): Promise<void> {
    const { path, active, transfer } = one;
    // What cannot be removed is not asked about.
    if (transfer && !active && !this.#yes) {
      this.#screen.line(describe(one));
      if (!isYes(await this.#prompt.ask('Remove it? Files that have their final names already stay. [y/N] ')))
        return this.#left(path, 'declined', `Left as it is: ${path}.`);
    }
    try {
      this.#tell(one, await discard(one));
    } catch (thrown) {
      if (!(thrown instanceof BeelineError)) throw thrown;
      const locked = thrown.code === 'LOCKED';
      const name = transfer ? listed(transfer.names) : basename(path);
      this.#left(path, locked ? 'locked' : 'failed', `Left as it is: ${name}. ${thrown.message}`);
    }
  }

  #tell({ path, transfer }: Unfinished, { removed, damaged, left }: Discarded): void {
    if (removed)
      this.#print({ event: 'removed', path }, `Removed: ${transfer ? what(transfer) : basename(path)}`);
    else if (damaged)
      this.#left(
        path,
        'damaged',
        `Left as it is, because it has no journal that can be read: ${path}. If you do not need it, remove it yourself.`,
        left,
      );
    else if (left.length > 0)
      this.#left(
        path,
        'unnamed',
        `Removed, except what its journal does not name (${listed(left)}). Look at that yourself in ${path}.`,
        left,
      );
    else this.#left(path, 'locked', `Another receive has just begun in it: ${path}.`);
  }

  /** Programs read it on stdout, people on stderr. */
  #left(path: string, reason: Reason, message: string, names: readonly string[] = []): void {
    this.#failed ||= reason !== 'declined';
    this.#print({ event: 'left', path, reason, message, names });
    this.#screen.line(message);
  }
}
