import { escapeName } from '../../src/browser/light.ts';
import { advice } from '../model/advice.ts';
import type { Transferring } from '../model/view.ts';
import { sentence, transferHeading } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Details, Dock, English, Fact, Heading, NoteLine } from '../parts/basics.tsx';
import { Between } from '../parts/line.tsx';
import { Receivers } from '../parts/receivers.tsx';
import { Warnings } from '../parts/warnings.tsx';
import { language, say } from '../words/index.ts';

/** Errors of which the heading and the advice say everything. */
const SAYS_ALL: ReadonlySet<string> = new Set(['WRONG_CODE', 'REFUSED', 'AUTHENTICATION']);

/** It failed or was cancelled: what happened, who did it, and what to do now. */
export function EndedScreen({ view, page }: { view: Transferring; page: Page }) {
  const { running } = view;
  const { role, error, reason = '', warnings, several } = running;
  const who = sentence(running);
  // The state changes a moment before the error is told.
  const message = escapeName(error?.message ?? reason);
  // Where some have it, the rows say more.
  const next = error && !several?.done && error.code !== 'CANCELLED' ? advice(error, role) : '';
  // What the program says of it is English, and more than is needed where the heading says all.
  const aside = language() !== 'en' || SAYS_ALL.has(error?.code ?? '');
  const told = who === '' ? message : who;
  return (
    <>
      <Heading>{transferHeading(running)}</Heading>
      <NoteLine note={view.note} />
      <div class="card">
        <Between running={running} motion="lost" />
        <div role="alert">
          {!(aside && who === '') && <p>{told}</p>}
          {next !== '' && <p class="next">{next}</p>}
        </div>
        {aside && who === '' && message !== '' && (
          <Details>
            <dl>
              <Fact id="said" name={say('ended.said')}>
                <English text={message} />
              </Fact>
            </dl>
          </Details>
        )}
      </div>
      <Receivers several={several} />
      <Warnings warnings={warnings} />
      <Dock>
        <Retry view={view} page={page} />
        <Button label={say('back')} act={() => page.back()} />
      </Dock>
    </>
  );
}

/** What the same would be wrong for again. */
const NOT_AGAIN: ReadonlySet<string> = new Set([
  'USAGE',
  'NO_SUCH_PATH',
  'UNREADABLE',
  'UNSAFE_NAME',
  'VERSION',
]);

/** What most people do next. */
function Retry({ view, page }: { view: Transferring; page: Page }) {
  const { role, error, several } = view.running;
  const code = error?.code ?? '';
  if (NOT_AGAIN.has(code)) return null;
  if (role === 'send') {
    if (view.sent === undefined) return null;
    return (
      <Button
        label={say('ended.sendAgain')}
        kind={several?.done ? undefined : 'primary'}
        act={() => page.again()}
      />
    );
  }
  if (view.code === undefined && !view.device)
    return code === 'WRONG_CODE' || code === 'AUTHENTICATION' ? (
      <Button label={say('ended.otherCode')} kind="primary" act={() => page.back()} />
    ) : null;
  const goesOn = code === 'INTERRUPTED' || code === 'NO_PATH';
  return (
    <Button label={say(goesOn ? 'ended.goOn' : 'ended.again')} kind="primary" act={() => page.again()} />
  );
}
