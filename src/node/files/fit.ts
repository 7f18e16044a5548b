/**
 * Fits a manifest to the destination: other names where it refuses them, the nearest time that it can hold, and
 * without the links and paths that it cannot have or that nobody here wants. Decided and told before anything is written.
 */
import { type BeelineError, fault, faultAt } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { CHEAP_STEPS } from '../../base/slices.ts';
import { fitPaths, fitTarget } from '../../offer/fitting.ts';
import type { Entry } from '../../offer/manifest.ts';
import { unsafeLinks } from '../../offer/names.ts';
import type { Notices } from '../../wire/notices.ts';
import type { Abilities } from './abilities.ts';
import { FileSlices } from './slices.ts';

/** `safe`: but those that lead out of what is received; `all`: those too; `skip`: none. */
export type Links = 'safe' | 'all' | 'skip';

/** Bytes of a path that the system takes: PATH_MAX of Linux, of macOS and its kin, less the zero behind it. */
const MAX_PATHS: Readonly<Record<string, number>> = { linux: 4095, darwin: 1023, freebsd: 1023 };

/** Bytes of UTF-8 that one UTF-16 unit takes at most. */
const MOST_UTF8 = 3;

/** The manifest's entries, one for one, and those that are left out. @param root real path of the destination */
export async function fit(
  root: string,
  entries: readonly Entry[],
  can: Abilities,
  links: Links,
  notices: Notices,
): Promise<{ entries: readonly Entry[]; left: Set<number> }> {
  const slices = new FileSlices();
  const left = new Set<number>();
  const paths = entries.map((entry) => entry.path);
  // Where every name can be held there is nothing to look for.
  const names = can.refused.size + can.ends.size > 0 || can.devices || can.aliases || can.folds;
  const as = names || can.longest < 255 ? await slices.run(fitPaths(paths, can)) : paths;
  const of = new Map<string, string>();
  for (const [i, path] of paths.entries()) if (as[i] !== path) of.set(path, as[i]!);
  const written = (path: string) => of.get(path);
  let changed = false;
  const moved = entries.map((entry, i): Entry => {
    const mtime = Math.min(Math.max(entry.mtime, can.earliest), can.latest);
    const target =
      of.size > 0 && entry.kind === 'link'
        ? fitTarget(entry.path, entry.target, as[i]!, written)
        : entry.target;
    if (mtime === entry.mtime && as[i] === entry.path && target === entry.target) return entry;
    changed = true;
    const { nanos, ...rest } = entry;
    return { ...rest, path: as[i]!, mtime, target, ...(mtime === entry.mtime && nanos && { nanos }) };
  });
  const platform = process.platform === 'win32' ? 'windows' : 'posix';
  const unsafe = await slices.run(unsafeLinks(moved, { platform, foldsCase: can.folds }));
  const room = (MAX_PATHS[process.platform] ?? Number.POSITIVE_INFINITY) - Buffer.byteLength(root) - 1;
  for (const [i, entry] of entries.entries()) {
    if (i % CHEAP_STEPS === 0 && slices.over()) await slices.next();
    const now = moved[i]!;
    if (now === entry && now.kind !== 'link' && now.path.length * MOST_UTF8 <= room) continue;
    const { path, kind, target } = entry;
    const out = (trouble: string, told: BeelineError) => {
      left.add(i);
      notices.add(`left out, ${trouble}`, told);
    };
    if (Buffer.byteLength(now.path) > room) {
      out('because their paths are too long', faultAt('PATH_TOO_LONG', path));
      continue;
    }
    if (kind === 'link') {
      const problem = unsafe.get(i);
      if (links === 'skip') {
        left.add(i);
        continue;
      }
      if (!can.links) {
        out('because this file system holds no links', faultAt('LINKS_NOT_HELD', path));
        continue;
      }
      if (problem && !(problem.outward && links === 'all')) {
        const link = { link: quoted(path), target: quoted(target.slice(0, 200)), problem: problem.problem };
        out(
          'because they are links that lead out of what is received',
          fault(problem.outward ? 'LINK_LEFT_OUT' : 'LINK_UNSAFE', link, { paths: [path] }),
        );
        continue;
      }
    }
    const cut = path.lastIndexOf('/') + 1;
    const fitted = now.path.slice(now.path.lastIndexOf('/') + 1);
    if (fitted !== path.slice(cut)) {
      const told = faultAt('NAME_FITTED', path, { as: quoted(fitted) });
      notices.add('written under another name that this file system can hold', told);
    }
    if (now.mtime !== entry.mtime)
      notices.add(
        'written with another time',
        faultAt('TIME_FITTED', path, { time: new Date(now.mtime / 1000).toISOString() }),
      );
  }
  notices.end();
  return { entries: changed ? moved : entries, left };
}
