import { escapeName } from '../../src/browser/light.ts';
import type { Gathering, Transferring } from '../model/view.ts';
import { heading, sentence } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Dock, Heading, NoteLine } from '../parts/basics.tsx';
import { Line, thisDevice } from '../parts/line.tsx';
import { say } from '../words/index.ts';

/** Before the two sides know each other, or while folders are read: a moment, as a rule. */
export function MeetingScreen({ view, page }: { view: Gathering | Transferring; page: Page }) {
  const gathers = view.at === 'gathering';
  const known = view.at === 'transfer' ? view.device : undefined;
  const other = known
    ? { label: escapeName(known.name), kind: known.kind }
    : ({ label: say('device.there'), kind: 'unknown' } as const);
  const waits = !gathers && view.device !== undefined && view.sent !== undefined;
  const receives = !gathers && view.running.role === 'receive';
  return (
    <>
      <Heading>{heading(view)}</Heading>
      {!gathers && <NoteLine note={view.note} />}
      <div class="card alive">
        {gathers ? (
          <progress aria-label={say('working')} />
        ) : (
          <Line from={receives ? other : thisDevice()} to={receives ? thisDevice() : other} motion="meets" />
        )}
        <p id="alive">{gathers ? say('gathering.words') : sentence(view.running)}</p>
      </div>
      <Dock>
        {waits && <Button label={say('known.byCode')} act={() => page.sendByCode()} />}
        <Button label={say('cancel')} act={() => page.cancel()} />
      </Dock>
    </>
  );
}
