import { useMemo } from 'preact/hooks';
import type { TransferShown } from '../model/running.ts';
import { type Top, tops } from '../model/staged.ts';
import type { Sent } from '../model/view.ts';
import { say } from '../words/index.ts';
import { FileList, type FileRowShown } from './file-list.tsx';

export function rowOf({ name, folder, files, bytes, file }: Top): FileRowShown {
  return {
    name: folder ? `${name}/` : name,
    bytes,
    ...(folder && { files }),
    ...(file && { blob: async () => file }),
  };
}

/** What of a list is here, or there, already. @param rows names of folders end in '/' */
export function withStates(rows: readonly FileRowShown[], running: TransferShown): FileRowShown[] {
  const { file, fileSize = 0, fileBytes = 0, whole, done, several } = running;
  return rows.map((row) => {
    if (done) return { ...row, state: 'whole' };
    if (several) return row;
    if (whole.has(row.name)) return { ...row, state: 'whole' };
    if (file === row.name)
      return { ...row, state: 'moves', part: fileSize > 0 ? fileBytes / fileSize : undefined };
    return file?.startsWith(row.name) && row.name.endsWith('/') ? { ...row, state: 'moves' } : row;
  });
}

/** What is sent from here, as it was chosen, with how far each is. A text shows itself. */
export function SentList({ sent, running }: { sent: Sent | undefined; running: TransferShown }) {
  const rows = useMemo(() => (sent && !('text' in sent) ? tops(sent).map(rowOf) : []), [sent]);
  if (!sent) return null;
  return (
    <section class="card" aria-label={say('staging.list')}>
      {'text' in sent ? (
        <pre class="sent-text">{sent.text}</pre>
      ) : (
        <FileList id="sent" label={say('staging.list')} rows={withStates(rows, running)} />
      )}
    </section>
  );
}
