import { useRef } from 'preact/hooks';
import type { Page } from '../page.ts';
import { choosesFolders } from '../platform.ts';
import { Button } from './basics.tsx';

/** The browser's own dialogs for files and for a folder. */
export function ChooseButtons(props: { page: Page; files: string; folder: string; primary?: boolean }) {
  const { page, files, folder, primary = false } = props;
  const some = useRef<HTMLInputElement>(null);
  const whole = useRef<HTMLInputElement>(null);
  const take = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
    if (currentTarget.files?.length) page.addChosen(currentTarget.files);
    // The same can be chosen again once it was taken away.
    currentTarget.value = '';
  };
  return (
    <div class="buttons">
      <input ref={some} id="files" type="file" multiple hidden onChange={take} />
      <input ref={whole} id="folder" type="file" webkitdirectory hidden onChange={take} />
      <Button label={files} kind={primary ? 'primary' : undefined} act={() => some.current?.click()} />
      {choosesFolders() && <Button label={folder} act={() => whole.current?.click()} />}
    </div>
  );
}
