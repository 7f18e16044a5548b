import { linkTo } from '../model/code.ts';
import type { Transferring } from '../model/view.ts';
import { contentsWords, heading, sentence } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Copy, Heading, Qr } from '../parts/basics.tsx';

/** The sender's code, in every form in which it can get to the other person. */
export function WaitingScreen({ view, page }: { view: Transferring; page: Page }) {
  const { code = '', contents, server } = view.running;
  const away = server === 'away';
  const link = linkTo(location.origin, code);
  return (
    <>
      <Heading>{heading(view)}</Heading>
      <p class="lead">
        Give the link or the code to one person you trust. It works once.
        {contents && ` To send: ${contentsWords(contents)}.`}
      </p>
      {/* Before the code, which is of no use meanwhile. */}
      {away && <p class="note error">{sentence(view.running)}</p>}
      <div class="card share">
        <div class="code">
          <p class="label" id="code-label">
            Code
          </p>
          <p id="code">{code}</p>
          <p class="label">Link</p>
          <p>
            {/* In this tab it would replace the sender's own page. */}
            <a id="link" href={link} target="_blank" rel="noreferrer">
              {link}
            </a>
          </p>
          <div class="buttons">
            <Copy text={link} label="Copy link" primary />
            {'share' in navigator && (
              <Button label="Share link" act={() => navigator.share({ url: link }).catch(() => {})} />
            )}
          </div>
        </div>
        <Qr text={link} />
      </div>
      <p class="hint">
        Without a browser:{' '}
        <code class="command">{`beeline receive ${code} --server ${location.origin}`}</code>
      </p>
      {!away && <p>{sentence(view.running)}</p>}
      <div class="buttons">
        <Button label="Cancel" act={() => page.cancel()} />
      </div>
    </>
  );
}
