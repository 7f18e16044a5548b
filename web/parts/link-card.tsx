import { useState } from 'preact/hooks';
import { type CodeQuestion, plainCode, questionAbout } from '../model/code.ts';
import type { Page } from '../page.ts';
import { usePress } from '../pressed.ts';
import { messageOf } from '../shown.ts';
import { say } from '../words/index.ts';
import { Button } from './basics.tsx';
import { Line, thisDevice } from './line.tsx';

/**
 * A link was opened: one thing to press. Nothing was asked of the sender so far.
 * @param other the person wants to type, or is asked about this code
 */
export function LinkCard(props: { code: string; page: Page; other: (doubt?: CodeQuestion) => void }) {
  const { code, page, other } = props;
  const [problem, setProblem] = useState('');
  const { press, busy } = usePress();
  const look = () => {
    const plain = plainCode(code);
    press.begin(
      (engine) => {
        // A wrong code is burned, so the question comes first.
        const doubt = questionAbout(engine, plain);
        if (doubt) other(doubt);
        else page.receive(plain);
      },
      (thrown) => setProblem(messageOf(thrown)),
    );
  };
  const leave = () => {
    press.forget();
    other();
  };
  return (
    <section class="card linked" aria-label={say('receive.title')}>
      <Line from={{ label: say('device.somebody'), kind: 'unknown' }} to={thisDevice()} motion="waits" />
      <div class="big-button">
        <Button label={say('link.see')} kind="primary" describedBy="link-code" busy={busy} act={look} />
      </div>
      <p id="link-code" class="hint">
        {say('link.code')}: <code>{plainCode(code)}</code>
      </p>
      <p class="problem" role="alert">
        {problem}
      </p>
      <Button label={say('link.other')} kind="quiet" act={leave} />
    </section>
  );
}
