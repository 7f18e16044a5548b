import { useEffect, useState } from 'preact/hooks';
import { escapeName, type Kept } from '../../src/browser/light.ts';
import { code, nameUnderWay } from '../address.ts';
import { arrived } from '../engine.ts';
import { handedOver } from '../handed.ts';
import { codeProblem } from '../model/code.ts';
import { keptTitle, percentKept, resumable } from '../model/kept.ts';
import type { Home } from '../model/view.ts';
import type { Page } from '../page.ts';
import { say } from '../words/index.ts';
import { date, percentage, size } from '../words/numbers.ts';
import { Button, SaveButtons } from './basics.tsx';

/** What is in this browser's storage: it stays there until it is saved and deleted. */
export function KeptList({ home, page }: { home: Home; page: Page }) {
  const [kept, setKept] = useState<readonly Kept[]>([]);
  useEffect(() => {
    let over = false;
    arrived
      .then(({ keptTransfers }) => keptTransfers())
      .then(
        (found) => over || setKept(found),
        // From storage that cannot be read, nothing can be offered.
        () => over || setKept([]),
      );
    return () => {
      over = true;
    };
  }, [home]);
  if (kept.length === 0) return null;
  const link = code();
  const known = link !== '' && codeProblem(link) === undefined ? link : undefined;
  return (
    <section class="card" aria-labelledby="kept">
      <h2 id="kept">{say('kept.title')}</h2>
      <ul class="kept">
        {kept.map((one) => (
          <KeptItem key={one.id} kept={one} known={known} page={page} />
        ))}
      </ul>
    </section>
  );
}

function KeptItem({ kept, known, page }: { kept: Kept; known?: string; page: Page }) {
  const name = `kept-${kept.id}`;
  const said = nameUnderWay();
  const goesOn = known !== undefined && resumable(kept, said);
  const handed = handedOver(kept);
  const standing = handed ? say('kept.saved') : say('kept.complete');
  const facts = [
    say('files', { n: kept.files.length }),
    size(kept.bytes),
    kept.complete ? standing : say('kept.part', { percent: percentage(percentKept(kept)) }),
    ...(kept.folder ? [say('kept.inFolder', { name: escapeName(kept.folder.name) })] : []),
    date(kept.at),
  ];
  return (
    <li>
      <p id={name} class="name">
        <bdi>{keptTitle(kept)}</bdi>
      </p>
      <p class="hint">{facts.join(say('join'))}</p>
      {!kept.complete && !goesOn && <p class="hint">{say('kept.howTo')}</p>}
      <div class="buttons">
        {!kept.complete && goesOn && (
          <Button
            label={say('kept.goOn')}
            kind="primary"
            describedBy={name}
            act={() => page.goOn(known, kept)}
          />
        )}
        {kept.complete && <SaveButtons kept={kept} page={page} describedBy={name} again={handed} />}
        <Button
          label={say('kept.delete')}
          kind="quiet"
          describedBy={name}
          act={() => page.saver.remove(kept)}
        />
      </div>
    </li>
  );
}
