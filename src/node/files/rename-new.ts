/**
 * rename(2) that replaces nothing, in one step: Linux's renameat2. Node has no such call. This goes through `koffi`, an optional package,
 * which is loaded for many files only.
 */

/** renameat2(2). */
const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;
/** From so many entries on it costs less than it saves. */
const MANY = 2_000;

/** Undefined: this system, file system or moment has no such call. Nothing has happened then. */
export type RenameNew = (from: string, to: string) => 'renamed' | 'exists' | undefined;

/** @param entries how many there are to place */
export async function renameNewFor(entries: number): Promise<RenameNew | undefined> {
  if (process.platform !== 'linux' || entries < MANY) return undefined;
  return load().catch(() => undefined);
}

async function load(): Promise<RenameNew> {
  const { default: koffi } = await import('koffi');
  const { EEXIST } = koffi.os.errno;
  const rename = koffi.load(null).func('int renameat2(int, const char *, int, const char *, unsigned int)');
  return (from, to) => {
    if (rename(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) === 0) return 'renamed';
    return koffi.errno() === EEXIST ? 'exists' : undefined;
  };
}
