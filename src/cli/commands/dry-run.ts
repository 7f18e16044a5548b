/** `beeline send --dry-run`: the list is its product, on stdout. Nobody is waited for, and nothing is made. */
import { EXIT_DONE } from '../exit.ts';
import { contents, formatBytes } from '../format.ts';
import { withHint } from '../hints.ts';
import type { Host } from '../host.ts';
import { printer } from '../json.ts';
import type { SendArgs } from '../options.ts';
import { Screen } from '../screen.ts';

/** Columns of a size. */
const SIZE = 8;

/** Resolves to the exit code. @throws BeelineError */
export async function dryRun({ what, options, face }: SendArgs, host: Host): Promise<number> {
  const screen = new Screen(host.stderr, host.env);
  const { json, quiet } = face;
  const print = printer(host.stdout, json);
  const preview = await host.preview();
  const { entries, leftOut } = await preview(what as readonly string[], options, (path, error) => {
    const { code, reason, message } = error;
    if (json) print({ event: 'warning', code, ...(reason && { reason }), message, path });
    else if (!quiet) screen.line(`Warning: ${withHint({ reason, message })}`);
  });
  const sums = { files: 0, folders: 0, links: 0, bytes: 0 };
  for (const { path, kind, size } of entries) {
    sums[`${kind}s`]++;
    sums.bytes += size;
    const shown = kind === 'file' ? formatBytes(size) : kind;
    print(
      { event: 'entry', path, kind, size },
      `${shown.padStart(SIZE)}  ${path}${kind === 'folder' ? '/' : ''}`,
    );
  }
  if (json) print({ event: 'would-send', ...sums, leftOut });
  else if (!quiet) {
    const without = leftOut > 0 ? ` Left out by filters: ${leftOut}.` : '';
    screen.line(`Would send: ${contents(sums)}.${without}`);
  }
  return EXIT_DONE;
}
