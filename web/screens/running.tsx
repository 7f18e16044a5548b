import type { ComponentChildren } from 'preact';
import { escapeName, formatBytes, formatDuration, formatRate } from '../../src/browser/light.ts';
import { pathWords } from '../model/paths.ts';
import { percent, type TransferShown } from '../model/running.ts';
import { open, underWay } from '../model/several.ts';
import type { Transferring } from '../model/view.ts';
import { contentsWords, count, heading, peerWords, sentence, swarmWords } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Heading, Warnings } from '../parts/basics.tsx';
import { Receivers } from '../parts/receivers.tsx';
import { Share } from '../parts/share.tsx';

/** While bytes move, and while they are held up: both sides see the same. */
export function RunningScreen({ view, page }: { view: Transferring; page: Page }) {
  const { running } = view;
  const { state, bytes, total, warnings, several, code } = running;
  const opened = several !== undefined && open(several);
  const done = percent(running);
  return (
    <>
      <Heading>{heading(view)}</Heading>
      <p class="lead">{sentence(running) || (running.contents && contentsWords(running.contents))}</p>
      <div class="card">
        <p class="meter">
          <label for="progress">All together</label>
          <span class="big">{done === undefined ? '' : `${done}%`}</span>
        </p>
        <progress
          id="progress"
          max={total || 1}
          value={done === 100 ? total || 1 : total === null ? undefined : bytes}
        />
        <p>
          <span id="bytes">
            {formatBytes(bytes)}
            {total !== null && ` of ${formatBytes(total)}`}
          </span>
        </p>
        <Facts running={running} />
        <div class="buttons">
          {state === 'paused' ? (
            <Button label="Resume" kind="primary" key="pause" act={() => page.resume()} />
          ) : (
            <Button label="Pause" key="pause" disabled={state !== 'transferring'} act={() => page.pause()} />
          )}
          {running.role === 'receive' && page.able.opfs && (
            <Button label="Stop for now" act={() => page.stop()} />
          )}

          {several && (opened || several.closed) && (
            <Button
              label={underWay(several).length > 0 ? 'Let nobody else in' : 'Finish'}
              disabled={!opened}
              act={() => page.admitNoMore()}
            />
          )}
          <Button label="Cancel" kind="quiet" act={() => page.cancel()} />
        </div>
      </div>
      <Receivers several={several} />
      {opened && code !== undefined && <Share code={code} />}
      <Warnings warnings={warnings} />
    </>
  );
}

function Facts({ running }: { running: TransferShown }) {
  const { rate, eta, resumed, lanes, byKind, silent, several, swarm } = running;
  const path = pathWords(byKind, lanes.values());
  return (
    <dl>
      {!several && (
        <Fact id="file" name="File" wide>
          {fileWords(running)}
          {fileMeter(running)}
        </Fact>
      )}
      <Fact id="rate" name="Speed">
        {speedWords(rate, silent)}
      </Fact>
      <Fact id="left" name="Time left">
        {eta === null || silent !== undefined ? '–' : formatDuration(eta)}
      </Fact>
      {several && (
        <Fact id="out" name="Sent from here">
          {formatBytes(several.up)}
        </Fact>
      )}
      <Fact id="path" name="Path" wide>
        {path === '' ? 'not connected' : path}
      </Fact>
      {!several && (
        <Fact id="peer" name="Other side" wide>
          {peerWords(running)}
        </Fact>
      )}
      {swarm && (
        <Fact id="swarm" name="Other receivers" wide>
          fetching from {swarm.from}, giving to {swarm.to}
          <span class="hint"> {swarmWords(running, 'them')}</span>
        </Fact>
      )}
      {resumed > 0 && (
        <Fact id="resumed" name="From an earlier try" wide>
          {formatBytes(resumed)} was here already
        </Fact>
      )}
    </dl>
  );
}

function speedWords(rate: number, silent: number | undefined): string {
  if (silent !== undefined) return `No answer for ${silent} s`;
  return rate > 0 ? formatRate(rate) : '–';
}

function Fact(props: { id: string; name: string; wide?: boolean; children: ComponentChildren }) {
  const { id, name, wide = false, children } = props;
  return (
    <div class={wide ? 'wide' : ''}>
      <dt>{name}</dt>
      <dd id={id}>{children}</dd>
    </div>
  );
}

/** Of several files the one that moves has a bar of its own. */
function fileMeter({ fileSize = 0, fileBytes = 0, contents }: TransferShown) {
  if ((contents?.files ?? 0) < 2 || fileSize === 0) return undefined;
  return <progress id="file-progress" aria-label="This file" max={fileSize} value={fileBytes} />;
}

function fileWords({ file, files, contents }: TransferShown) {
  const all = contents?.files ?? 0;
  const amount = all > 1 ? `${files.toLocaleString('en')} of ${count(all, 'file')} done` : '';
  return (
    <>
      {file !== undefined && <bdi class="name">{escapeName(file)}</bdi>}
      {amount !== '' && <span class="hint"> {amount}</span>}
      {file === undefined && amount === '' && '–'}
    </>
  );
}
