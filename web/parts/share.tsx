import { linkTo } from '../model/code.ts';
import { Button, Copy, Qr } from './basics.tsx';

/** A sender's code, in every form in which it can get to other people. */
export function Share({ code }: { code: string }) {
  const link = linkTo(location.origin, code);
  return (
    <>
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
    </>
  );
}
