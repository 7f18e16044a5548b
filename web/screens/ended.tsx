import { escapeName } from '../../src/browser/light.ts';
import { advice } from '../model/advice.ts';
import type { TransferShown } from '../model/running.ts';
import { sentence, transferHeading } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Heading, Warnings } from '../parts/basics.tsx';
import { Receivers } from '../parts/receivers.tsx';

/** It failed or was cancelled: what happened, who did it, and what to do now. */
export function EndedScreen({ running, page }: { running: TransferShown; page: Page }) {
  const { role, error, reason = '', warnings, several } = running;
  const who = sentence(running);
  // The state changes a moment before the error is told.
  const message = error?.message ?? reason;
  // Where some have it, the rows say more.
  const next = error && !several?.done ? advice(error.code, role) : '';
  return (
    <>
      <Heading>{transferHeading(running)}</Heading>
      <div class="card">
        <div role="alert">
          <p class="big">{who === '' ? escapeName(message) : who}</p>
        </div>
        {next !== '' && <p class="next">{next}</p>}
        <div class="buttons">
          <Button label="Back" kind="primary" act={() => page.back()} />
        </div>
      </div>
      <Receivers several={several} />
      <Warnings warnings={warnings} />
    </>
  );
}
