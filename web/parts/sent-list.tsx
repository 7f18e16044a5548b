import { useMemo } from 'preact/hooks';
import { type TransferShown, withState } from '../model/running.ts';
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

/** What is sent from here, as it was chosen, with how far each is. A text shows itself. */
export function SentList({ sent, running }: { sent: Sent | undefined; running: TransferShown }) {
  const rows = useMemo(() => (sent && !('text' in sent) ? tops(sent) : []), [sent]);
  if (!sent) return null;
  return (
    <section class="card" aria-label={say('staging.list')}>
      {'text' in sent ? (
        <pre class="sent-text">{sent.text}</pre>
      ) : (
        <FileList
          id="sent"
          label={say('staging.list')}
          rows={rows}
          row={(top) => withState(rowOf(top), running)}
        />
      )}
    </section>
  );
}
