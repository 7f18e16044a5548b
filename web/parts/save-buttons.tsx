import type { JSX } from 'preact';
import type { Kept } from '../../src/browser/index.ts';
import type { Page } from '../page.ts';

/** The ways out of this browser's storage that this browser has. */
export function SaveButtons(props: {
  kept: Kept;
  page: Page;
  describedBy?: string;
  primary?: boolean;
}): JSX.Element {
  const { kept, page, describedBy, primary = false } = props;
  return (
    <>
      <button
        type="button"
        class={primary ? 'primary' : ''}
        aria-describedby={describedBy}
        onClick={() => page.saver.asDownloads(kept)}
      >
        Save
      </button>
      {page.able.folder && (
        <button type="button" aria-describedby={describedBy} onClick={() => page.saver.toFolder(kept)}>
          Save to a folder
        </button>
      )}
    </>
  );
}
