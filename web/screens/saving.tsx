import { formatBytes } from '../../src/browser/light.ts';
import { keptTitle } from '../model/kept.ts';
import type { ViewSaving } from '../model/view.ts';
import type { Page } from '../page.ts';
import { Button, Heading } from '../parts/basics.tsx';

export function SavingScreen({ saving, page }: { saving: ViewSaving; page: Page }) {
  const { kept, written } = saving;
  return (
    <>
      <Heading>Saving</Heading>
      <div class="card">
        <p class="name">
          <bdi>{keptTitle(kept)}</bdi>
        </p>
        <p class="meter">
          <label for="progress">Saved so far</label>
        </p>
        <progress id="progress" max={kept.bytes || 1} value={written} />
        <p class="hint">
          {written === undefined
            ? 'The browser shows how far its download is.'
            : `${formatBytes(written)} of ${formatBytes(kept.bytes)}`}
        </p>
        {written !== undefined && (
          <div class="buttons">
            <Button label="Cancel" act={() => page.cancel()} />
          </div>
        )}
      </div>
    </>
  );
}
