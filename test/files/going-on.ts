import { Journal, type JournalState } from '../../src/files/journal.ts';

/** As a later run goes on: with a new journal that says what the old one says. */
export async function goOn(path: string): Promise<{ journal: Journal; records: JournalState } | undefined> {
  const records = await Journal.read(path);
  if (!records) return undefined;
  const { created, chunkSize, pages, choices, chunks: held, placed, lost } = records;
  const indexes: number[] = [];
  for (let i = 0; indexes.length < held.have.count; i++) if (held.have.has(i)) indexes.push(i);
  const journal = await Journal.replace(path, [
    { type: 'begin', created, chunkSize, pages: pages.length },
    ...pages.map((bytes, page) => ({ type: 'page' as const, page, bytes })),
    { type: 'plan', choices: [...choices].map(([entry, choice]) => ({ entry, ...choice })) },
    { type: 'chunks', chunks: indexes.map((index) => ({ index, sha256: held.hashes.get(index)! })) },
    { type: 'placed', entries: [...placed] },
    { type: 'lost', entries: [...lost] },
  ]);
  return { journal, records };
}
