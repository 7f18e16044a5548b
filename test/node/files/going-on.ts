import { journalAt } from '../../../src/node/files/journal-file.ts';
import { Journal } from '../../../src/sync/store/journal.ts';
import type { JournalState } from '../../../src/sync/store/journal-records.ts';

/** As a later run goes on: with a new journal that says what the old one says. */
export async function goOn(path: string): Promise<{ journal: Journal; records: JournalState } | undefined> {
  const records = await Journal.read(journalAt(path));
  if (!records) return undefined;
  const { created, chunkSize, stream, hash, pages, choices, chunks, placed, lost, complete } = records;
  const journal = await Journal.replace(journalAt(path), [
    { type: 'begin', created, chunkSize, pages: pages.length, stream, hash },
    ...pages.map((bytes, page) => ({ type: 'page' as const, page, bytes })),
    { type: 'plan', choices: [...choices].map(([entry, choice]) => ({ entry, ...choice })) },
    { type: 'chunks', chunks: [...chunks] },
    { type: 'placed', entries: [...placed] },
    { type: 'lost', entries: [...lost] },
    ...(complete === undefined ? [] : [{ type: 'complete' as const, bytes: complete }]),
  ]);
  return { journal, records };
}
