import { linkTo } from '../model/code.ts';
import { say } from '../words/index.ts';
import { Button, Copy, Details, useCopy } from './basics.tsx';
import { Qr } from './qr.tsx';

/** A sender's code, in every form in which it can get to other people. */
export function Share({ code }: { code: string }) {
  const link = linkTo(location.origin, code);
  const { outcome, copy } = useCopy(code);
  const words = code.split('-');
  return (
    <section class="card share" aria-label={say('receive.code')}>
      <div class="give">
        <button type="button" id="code" onClick={copy} aria-describedby="code-copied">
          {/* A long code breaks at its dashes only. */}
          {words.map((word, at) => (
            <span key={at}>
              {word}
              {at < words.length - 1 && '-'}
            </span>
          ))}
        </button>
        <p id="code-copied" class="hint" role="status">
          {outcome === '' ? say('waiting.tap') : outcome}
        </p>
        <p class="linkline">
          {/* In this tab it would replace the sender's own page. */}
          <a id="link" href={link} target="_blank" rel="noreferrer">
            {link}
          </a>
        </p>
        <div class="buttons">
          <Copy text={link} label={say('waiting.copyLink')} primary />
          {'share' in navigator && (
            <Button
              label={say('waiting.shareLink')}
              act={() => navigator.share({ url: link }).catch(() => {})}
            />
          )}
        </div>
        <Details label={say('waiting.command')}>
          <code class="command">
            {['beeline', 'receive', code, '--server', location.origin].flatMap((word, at) => [
              at > 0 && ' ',
              <span key={word}>{word}</span>,
            ])}
          </code>
        </Details>
      </div>
      <Qr text={link} />
    </section>
  );
}
