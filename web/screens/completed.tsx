import { useEffect, useRef } from 'preact/hooks';
import { formatBytes, formatDuration, formatRate, type Kept } from '../../src/browser/light.ts';
import type { TransferShown } from '../model/running.ts';
import type { Transferring } from '../model/view.ts';
import { contentsWords, heading, SERVING, sentence, swarmWords } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Copy, Heading, NoteLine, SaveButtons, Warnings } from '../parts/basics.tsx';
import { Receivers } from '../parts/receivers.tsx';

export function CompletedScreen({ view, page }: { view: Transferring; page: Page }) {
  const { running, kept, streamed, saved, serving, note } = view;
  const { done, text, warnings, several } = running;
  const swarm = swarmWords(running);
  return (
    <>
      <Heading>{heading(view)}</Heading>
      <p class="lead">{summary(running)}</p>
      {text !== undefined && <ReceivedText text={text} />}
      {kept && <ToSave kept={kept} page={page} saved={saved ?? false} />}
      {streamed && <p>It is in your browser's downloads.</p>}
      <NoteLine note={note} />
      <div class="card">
        <p>{sentence(running)}</p>
        {swarm !== '' && <p id="swarm">{swarm}.</p>}
        {serving && <p id="serving">{SERVING}</p>}
        <dl>
          <div class="wide">
            <dt>Root</dt>
            <dd id="root" class="hex">
              {done?.root}
            </dd>
          </div>
        </dl>
      </div>
      <Receivers several={several} />
      <Warnings warnings={warnings} />
      <div class="buttons">
        <Button label="Again" act={() => page.back()} />
      </div>
    </>
  );
}

function ToSave({ kept, page, saved }: { kept: Kept; page: Page; saved: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const only = kept.files.length === 1 && !page.able.folder && !saved;
  useEffect(() => {
    if (only) box.current?.querySelector('button')?.focus();
  }, [only]);
  return (
    <div class="card">
      <p>
        {saved
          ? 'If it is where you want it, you can delete the copy in this browser.'
          : 'It is in the storage of this browser. Save it where you want it.'}
      </p>
      <div class="buttons" ref={box}>
        <SaveButtons kept={kept} page={page} primary={!saved} />
        {saved && (
          <Button label="Delete from this browser" kind="quiet" act={() => page.saver.remove(kept)} />
        )}
      </div>
    </div>
  );
}

function ReceivedText({ text }: { text: string }) {
  return (
    <div class="card">
      <pre id="text">{text}</pre>
      <div class="buttons">
        <Copy text={text} label="Copy" primary />
      </div>
    </div>
  );
}

function summary({ done, contents }: TransferShown): string {
  if (!done) return '';
  const { files, bytes, resumed, seconds } = done;
  const kind = contents?.kind ?? 'files';
  const what = contentsWords({ kind, files, folders: 0, links: 0, bytes });
  const rate = formatRate(Math.max(0, bytes - resumed) / Math.max(seconds, 0.001));
  const again = resumed > 0 ? `; ${formatBytes(resumed)} of it was there from before` : '';
  return `${what} in ${formatDuration(seconds)} (${rate})${again}.`;
}
