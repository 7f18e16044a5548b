import { keptTitle } from '../model/kept.ts';
import type { ViewSaving } from '../model/view.ts';
import type { Page } from '../page.ts';
import { Button, Dock, Heading, NoteLine } from '../parts/basics.tsx';
import { say } from '../words/index.ts';
import { size } from '../words/numbers.ts';

export function SavingScreen({ saving, page }: { saving: ViewSaving; page: Page }) {
  const { kept, written } = saving;
  const whole = size(kept.bytes);
  const words = written === undefined ? say('saving.elsewhere') : say('of', { part: size(written), whole });
  return (
    <>
      <Heading>{say('saving.title')}</Heading>
      <NoteLine note={saving.before.note} />
      <div class="card">
        <p class="name">
          <bdi>{keptTitle(kept)}</bdi>
        </p>
        <progress
          id="progress"
          aria-label={say('saving.soFar')}
          aria-valuetext={words}
          max={kept.bytes || 1}
          value={written}
        />
        <p class="hint">{words}</p>
      </div>
      <Dock>
        <Button label={say('cancel')} act={() => page.cancel()} />
      </Dock>
    </>
  );
}
