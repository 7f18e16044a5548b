/** `beeline resume`: lists what receives have left unfinished in a folder, or gives it up. The list is its product: on stdout. */
import { realpathSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { BeelineError } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';
import { hint } from '../../base/suggestion.ts';
import { isShortened } from '../../http/fetching/url.ts';
import { FolderTemplate } from '../../node/files/folder-template.ts';
import {
  discard,
  type Unfinished,
  type UnfinishedTransfer,
  unfinished,
} from '../../node/files/unfinished.ts';
import { MOST_FROM } from '../../sync/store/journal-records.ts';
import { parse, usage } from '../args.ts';
import { EXIT_DONE, EXIT_FAILED } from '../exit.ts';
import { contents, formatBytes, formatDuration, percentOf, shellWord } from '../format.ts';
import type { Host } from '../host.ts';
import { listed } from '../instructions.ts';
import { Interrupt } from '../interrupt.ts';
import { type Print, printer } from '../json.ts';
import { destinationOf } from '../options.ts';
import { Prompt } from '../prompt.ts';
import { Screen } from '../screen.ts';
import { foundPath, homePath } from '../values.ts';

const CLEAN = 'clean';

/** Resolves to the exit code: 1 if `clean` left something that it was to remove. @throws BeelineError */
export async function resumeCommand(argv: readonly string[], host: Host): Promise<number> {
  const { positionals, flags } = parse('resume', argv);
  const { json = false, yes = false } = flags;
  const clean = positionals[0] === CLEAN;
  const [given = '.', ...more] = clean ? positionals.slice(1) : positionals;
  const dir = foundPath(given);
  if (more.length > 0 || dir === '')
    throw usage('resume', `It takes one folder.${hint(positionals[0] ?? '', [CLEAN], 'beeline resume ')}`);
  if (yes && !clean) throw usage('resume', '--yes is for `beeline resume clean`.');
  const print = printer(host.stdout, json);
  const { to, within } = destinationOf(homePath(dir));
  const found = await (within === undefined ? unfinished(to) : unfinishedBelow(to, within));
  const root = within === undefined ? realpathSync(to) : resolve(to);
  if (!clean) list(dir, root, found, json, print);
  else if (found.length > 0) return removeAll(root, found, host, print, yes);
  if (found.length === 0 && !json) print({}, `Nothing unfinished in ${join(root, within ?? '')}.`);
  return EXIT_DONE;
}

/** In all folders that a template has made. */
async function unfinishedBelow(to: string, within: string): Promise<Unfinished[]> {
  const found: Unfinished[] = [];
  for (const folder of new FolderTemplate(within).folders(to))
    for (const one of await unfinished(join(to, folder))) found.push(one);
  return found.sort((a, b) => b.changed - a.changed);
}

function list(dir: string, root: string, found: readonly Unfinished[], json: boolean, print: Print): void {
  for (const one of found) {
    const { transfer, ...staging } = one;
    print({ event: 'unfinished', ...staging, damaged: !transfer, ...transfer }, describe(root, one), '');
  }
  if (found.length === 0 || json) return;
  const to = dir === '.' ? '' : ` ${shellWord(dir)}`;
  const lines: string[] = [];
  const again = (what: string) => `    beeline receive ${what}${to && ` --to${to}`}`;
  const goOn = found.flatMap(({ transfer }) => (transfer && transfer.bytes !== null ? [transfer] : []));
  const fetched = goOn.filter(({ from }) => from);
  if (fetched.length < goOn.length)
    lines.push(
      'To go on, receive again into this folder: with the same code while the sender waits, or with a new one:',
      '',
      again('CODE'),
      '',
    );
  if (fetched.length > 0)
    lines.push('To go on with what comes from a URL, with its other flags as before:', '');
  for (const one of fetched) {
    const lacking = lackingOf(one);
    // Whoever pastes a line with less than the whole would fetch something else in its place.
    const urls = (one.from ?? []).map(shellWord).join(' ');
    const some = one.files > 1 ? 'URL...' : 'URL';
    lines.push(again(lacking.length > 0 ? some : urls));
    for (const line of lacking) lines.push(line);
    lines.push('');
  }
  if (found.some(({ transfer }) => transfer))
    lines.push(`\`beeline resume clean${to}\` removes what is unfinished.`);
  print({}, lines);
}

/** What has to be given again, if not all of it is known: what may be secret was not kept, nor are those after the first. */
function lackingOf({ from = [], files }: UnfinishedTransfer): string[] {
  // Files that were skipped are not counted.
  const more = from.length < files || from.length === MOST_FROM;
  if (!more && !from.some(isShortened)) return [];
  return [
    ...from.map((url, at) => `        ${at === 0 ? 'with' : 'and'} the whole of ${url}`),
    ...(more ? ['        and of all that were given behind it'] : []),
  ];
}

function describe(root: string, { path, active, changed, transfer }: Unfinished): string[] {
  // Below a template it is not at the top.
  const folder = escapeName(relative(realpathSync(root), path));
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
  if (bytes === null) return 'It came as a stream, so it cannot go on: it has to be sent anew.';
  return `${formatBytes(here)} of it is here, ${percentOf(here, bytes)}%.`;
}

/** @param time milliseconds since 1970 */
function ago(time: number): string {
  return `${formatDuration((Date.now() - time) / 1000)} ago`;
}

/** Resolves to the exit code. @param print for programs, on stdout; what is left is told to people on stderr */
async function removeAll(
  root: string,
  found: readonly Unfinished[],
  host: Host,
  print: Print,
  yes: boolean,
): Promise<number> {
  const screen = new Screen(host.stderr, host.env);
  const interrupt = new Interrupt();
  const prompt = new Prompt({ input: host.stdin, output: host.stderr, interrupt });
  let failed = false;
  try {
    if (!yes && !prompt.possible)
      throw new BeelineError(
        'REFUSED',
        'Nothing was removed, because there is no terminal to ask on. Run the command again with --yes.',
      );
    for (const one of found) {
      const { path, active, transfer } = one;
      let refused = false;
      // What cannot be removed is not asked about.
      if (transfer && !active && !yes) {
        screen.line(describe(root, one));
        const question = 'Remove it? Files that have their final names already stay. [y/N] ';
        refused = !(await prompt.confirm(question));
      }
      const left = refused
        ? { reason: 'declined', message: `Left as it is: ${path}.`, names: [] }
        : await remove(one, print);
      if (!left) continue;
      failed ||= left.reason !== 'declined';
      print({ event: 'left', path, ...left });
      screen.line(left.message);
    }
  } finally {
    interrupt.close();
  }
  return failed ? EXIT_FAILED : EXIT_DONE;
}

/** What is left and why; undefined if nothing is. `reason` is for programs. */
async function remove(
  one: Unfinished,
  print: Print,
): Promise<{ reason: string; message: string; names: readonly string[] } | undefined> {
  const { path, transfer } = one;
  try {
    const { removed, damaged, left } = await discard(one);
    if (removed) {
      print({ event: 'removed', path }, `Removed: ${transfer ? what(transfer) : basename(path)}`);
      return undefined;
    }
    if (damaged) {
      const why = 'because it has no journal that can be read';
      const message = `Left as it is, ${why}: ${path}. If you do not need it, remove it yourself.`;
      return { reason: 'damaged', message, names: left };
    }
    if (left.length === 0)
      return { reason: 'locked', message: `Another receive has just begun in it: ${path}.`, names: [] };
    const message = `Removed, except what its journal does not name (${listed(left)}). Look at that yourself in ${path}.`;
    return { reason: 'unnamed', message, names: left };
  } catch (thrown) {
    if (!(thrown instanceof BeelineError)) throw thrown;
    const reason = thrown.code === 'LOCKED' ? 'locked' : 'failed';
    const name = transfer ? listed(transfer.names) : basename(path);
    return { reason, message: `Left as it is: ${name}. ${thrown.message}`, names: [] };
  }
}
