import { escapeName } from '../../src/browser/light.ts';
import type { Transferring } from '../model/view.ts';
import { contentsWords, heading, sentence } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Dock, Heading, NoteLine } from '../parts/basics.tsx';
import { Line, thisDevice } from '../parts/line.tsx';
import { SentList } from '../parts/sent-list.tsx';
import { Share } from '../parts/share.tsx';
import { Warnings } from '../parts/warnings.tsx';
import { say, sayWith } from '../words/index.ts';

/** The sender's code, until somebody comes with it. */
export function WaitingScreen({ view, page }: { view: Transferring; page: Page }) {
  const { running, sent, near } = view;
  const { code = '', contents, server, several, warnings } = running;
  const away = server === 'away';
  return (
    <div class="wide">
      <Heading>{heading(view)}</Heading>
      <p class="lead">
        {near ? sayWith('near.type', { name: <bdi>{escapeName(near.name)}</bdi> }) : whom(several?.wanted)}
      </p>
      <NoteLine note={view.note} />
      {/* Before the code, which is of no use meanwhile. */}
      {away && <p class="note error">{say('server.away')}</p>}
      <Share code={code} />
      <div class="card alive">
        <Line
          from={thisDevice()}
          to={{
            label: near ? escapeName(near.name) : say(several ? 'device.several' : 'device.somebody'),
            kind: several ? 'people' : 'unknown',
          }}
          motion={away ? 'lost' : 'waits'}
        />
        <p id="alive">{sentence(running)}</p>
        {contents && <p class="hint contents">{contentsWords(contents)}</p>}
      </div>
      <SentList sent={sent} running={running} />
      {several && <Warnings warnings={warnings} />}
      <Dock>
        {!away && (
          <p class="alive">
            <span class="pulse" aria-hidden="true" />
            {say(several ? 'waiting.shortSeveral' : 'waiting.short')}
          </p>
        )}
        <Button label={say('cancel')} act={() => page.cancel()} />
      </Dock>
    </div>
  );
}

function whom(wanted: number | 'any' | undefined): string {
  if (wanted === undefined) return say('waiting.lead');
  return wanted === 'any' ? say('waiting.leadAny') : say('waiting.leadSome', { n: wanted });
}
