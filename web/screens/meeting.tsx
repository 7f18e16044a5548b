import type { Gathering, Transferring } from '../model/view.ts';
import { heading, sentence } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Heading } from '../parts/basics.tsx';

/** Before the two sides know each other, or while folders are read: a moment, as a rule. */
export function MeetingScreen({ view, page }: { view: Gathering | Transferring; page: Page }) {
  const words = view.at === 'gathering' ? 'With many files this takes a while.' : sentence(view.running);
  return (
    <>
      <Heading>{heading(view)}</Heading>
      <div class="card">
        <progress aria-label="Working" />
        <p class="hint">{words}</p>
        <div class="buttons">
          <Button label="Cancel" act={() => page.cancel()} />
        </div>
      </div>
    </>
  );
}
