/** Names of what is sent. Pure. */

/** The same names, but a second 'a.txt' is 'a (2).txt': two pasted pictures are often both called image.png. */
export function distinct(names: readonly string[]): string[] {
  const taken = new Set(names);
  const given = new Set<string>();
  return names.map((name) => {
    let free = name;
    const dot = name.lastIndexOf('.');
    const cut = dot > 0 ? dot : name.length;
    for (let number = 2; given.has(free) || (free !== name && taken.has(free)); number++) {
      free = `${name.slice(0, cut)} (${number})${name.slice(cut)}`;
    }
    given.add(free);
    return free;
  });
}
