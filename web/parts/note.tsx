import type { JSX } from 'preact';
import type { Note } from '../model/view.ts';

/** What became of something, close to where it was asked for. */
export function NoteLine({ note }: { note: Note | undefined }): JSX.Element | null {
  if (!note) return null;
  return (
    <p class={`note ${note.kind}`} role={note.kind === 'error' ? 'alert' : 'status'}>
      {note.text}
    </p>
  );
}
