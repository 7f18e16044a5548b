import type { Transferring } from '../model/view.ts';
import { contentsWords, heading, sentence } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Heading, Warnings } from '../parts/basics.tsx';
import { Share } from '../parts/share.tsx';

/** The sender's code, until somebody comes with it. */
export function WaitingScreen({ view, page }: { view: Transferring; page: Page }) {
  const { code = '', contents, server, several, warnings } = view.running;
  const away = server === 'away';
  return (
    <>
      <Heading>{heading(view)}</Heading>
      <p class="lead">
        Give the link or the code to {whom(several?.wanted)}
        {contents && ` To send: ${contentsWords(contents)}.`}
      </p>
      {/* Before the code, which is of no use meanwhile. */}
      {away && <p class="note error">{sentence(view.running)}</p>}
      <Share code={code} />
      {!away && <p>{sentence(view.running)}</p>}
      <div class="buttons">
        <Button label="Cancel" act={() => page.cancel()} />
      </div>
      {several && <Warnings warnings={warnings} />}
    </>
  );
}

function whom(wanted: number | 'any' | undefined): string {
  if (wanted === undefined) return 'one person you trust. It works once.';
  return wanted === 'any'
    ? 'everybody who is to have it. You say when it is enough.'
    : `the ${wanted} people who are to have it.`;
}
