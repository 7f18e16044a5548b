import type { JSX } from 'preact';
import type { Kept } from '../../src/browser/index.ts';
import type { Page } from '../page.ts';
import { Button } from './button.tsx';

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
      <Button
        label="Save"
        kind={primary ? 'primary' : undefined}
        describedBy={describedBy}
        act={() => page.saver.asDownloads(kept)}
      />
      {page.able.folder && (
        <Button label="Save to a folder" describedBy={describedBy} act={() => page.saver.toFolder(kept)} />
      )}
    </>
  );
}
