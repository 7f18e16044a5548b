/** Names of what is sent. Pure. */

/** The same names, but a second 'a.txt' is 'a (2).txt': two pasted pictures are often both called image.png. */
export function distinct(names: readonly string[]): string[] {
  const taken = new Set(names);
  const given = new Set<string>();
  /** By name, the first number that was not tried yet: there may be ten thousand of one name. */
  const untried = new Map<string, number>();
  return names.map((name) => {
    let free = name;
    const dot = name.lastIndexOf('.');
    const cut = dot > 0 ? dot : name.length;
    let number = untried.get(name) ?? 2;
    for (; given.has(free) || (free !== name && taken.has(free)); number++) {
      free = `${name.slice(0, cut)} (${number})${name.slice(cut)}`;
    }
    untried.set(name, number);
    given.add(free);
    return free;
  });
}
