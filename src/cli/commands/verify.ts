/** `beeline verify`: checks a tree against a receipt. What differs, and the verdict, are its product: on stdout. */

import { type Note, type Problem, type Verification, verify } from '../../node/verify.ts';
import { parse, usage } from '../args.ts';
import { EXIT_DONE, exitCode } from '../exit.ts';
import { contents, count, formatBytes, groups } from '../format.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { type Print, printer } from '../json.ts';
import { Screen } from '../screen.ts';
import { foundPath, homePath } from '../values.ts';

/** Milliseconds between two redraws. */
const REDRAW = 100;

/** Resolves to the exit code: 5 if anything differs. @throws BeelineError */
export async function verifyCommand(argv: readonly string[], host: Host): Promise<number> {
  const { positionals, flags } = parse('verify', argv);
  const [receipt, path, ...rest] = positionals.map((path) => homePath(foundPath(path)));
  if (receipt === undefined || path === undefined || rest.length > 0)
    throw usage('verify', '`beeline verify RECEIPT PATH` needs a receipt and what to check against it.');
  const { json = false, quiet = false } = flags;
  const screen = new Screen(host.stderr, host.env);
  const write = printer(host.stdout, json);
  const print: Print = (...said) => {
    // Where both are one terminal, the status must not stand in the line.
    screen.status([]);
    write(...said);
  };
  let drawn = 0;
  const interrupt = new Interrupt();
  try {
    const result = await verify(receipt, path, {
      signal: interrupt.signal,
      onProblem: (problem) => print({ event: 'difference', ...problem }, sentence(problem)),
      onNote: (note) => {
        if (json || !quiet) print({ event: 'note', ...note }, sentence(note));
      },
      onProgress: (bytes, total) => {
        if (json || quiet || performance.now() < drawn + REDRAW) return;
        drawn = performance.now();
        screen.status([`Checking: ${formatBytes(bytes)} of ${formatBytes(total)}`.slice(0, screen.width)]);
      },
    });
    const { problems, bytes, notMoved, unchecked } = result;
    const { root, files, folders, links } = result.receipt;
    const counts = { differences: problems, files, folders, links, bytes, notMoved, unchecked, root };
    const event = problems > 0 ? 'differs' : 'verified';
    if (json || !quiet) print({ event, ...counts }, verdict(result));
    return problems > 0 ? exitCode('VERIFICATION') : EXIT_DONE;
  } finally {
    screen.status([]);
    interrupt.close();
  }
}

function sentence({ path, detail }: Problem | Note): string {
  return `'${path}' ${detail}.`;
}

function verdict({ problems, bytes, notMoved, unchecked, receipt }: Verification): string[] {
  const lines = [];
  if (notMoved > 0)
    lines.push(
      `Not checked, because that transfer did not move it (skipped, or up to date): ${count(notMoved, 'chunk')}.`,
    );
  if (unchecked > 0)
    lines.push(`Not checked, because a file in them is missing or unreadable: ${count(unchecked, 'chunk')}.`);
  if (problems > 0) lines.push(`Not as it was received: ${count(problems, 'difference')}.`);
  else if (notMoved > 0)
    lines.push(
      `What that transfer moved is as it was received: ${formatBytes(bytes)} of ${formatBytes(receipt.bytes)}. Root ${groups(receipt.root)}.`,
    );
  else lines.push(`All is as it was received: ${contents(receipt)}. Verified, root ${groups(receipt.root)}.`);
  return lines;
}
