import { useEffect, useRef, useState } from 'preact/hooks';
import { escapeName } from '../../src/browser/light.ts';
import { askToNotify, mayAsk } from '../attention.ts';
import { steady } from '../model/left.ts';
import { pathBadge, pathWords } from '../model/paths.ts';
import { percent, type TransferShown } from '../model/running.ts';
import { open, underWay } from '../model/several.ts';
import type { Transferring } from '../model/view.ts';
import { contentsWords, heading, sentence, swarmWords } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Details, Dock, Fact, Heading, NoteLine } from '../parts/basics.tsx';
import { Graph } from '../parts/graph.tsx';
import { Between, type Motion } from '../parts/line.tsx';
import { Offered } from '../parts/offered.tsx';
import { PeerFact } from '../parts/peer.tsx';
import { Receivers } from '../parts/receivers.tsx';
import { SentList } from '../parts/sent-list.tsx';
import { Share } from '../parts/share.tsx';
import { Warnings } from '../parts/warnings.tsx';
import { say } from '../words/index.ts';
import { duration, percentage, size, speed } from '../words/numbers.ts';

/** While bytes move, and while they are held up: both sides see the same. */
export function RunningScreen({ view, page }: { view: Transferring; page: Page }) {
  const { running, sent, accepted } = view;
  const { warnings, several, code } = running;
  const opened = several !== undefined && open(several);
  return (
    <>
      <Heading>{heading(view)}</Heading>
      <p class="lead">{sentence(running) || (running.contents && contentsWords(running.contents))}</p>
      <NoteLine note={view.note} />
      <Lost running={running} />
      <div class="card run">
        <Way running={running} />
        <Figures running={running} />
      </div>
      <Receivers several={several} />
      {opened && code !== undefined && <Share code={code} />}
      <SentList sent={sent} running={running} />
      {accepted && accepted.kind !== 'text' && accepted.names.length > 0 && (
        <section class="card" aria-label={say('running.filesHere')}>
          <Offered id="coming" label={say('running.filesHere')} offer={accepted} running={running} />
        </section>
      )}
      <Facts running={running} />
      <Warnings warnings={warnings} />
      <Controls view={view} page={page} />
    </>
  );
}

/** The line between the two, as long as it is done. */
function Way({ running }: { running: TransferShown }) {
  const { bytes, total, state } = running;
  const done = percent(running);
  const motion: Motion = state === 'transferring' ? 'runs' : state === 'paused' ? 'holds' : 'lost';
  const told = [done === undefined ? size(bytes) : say('running.percent', { n: done }), ...spoken(running)];
  return (
    <Between running={running} motion={motion}>
      <progress
        id="progress"
        aria-label={say('running.all')}
        aria-valuetext={told.join(say('join'))}
        max={total || 1}
        value={done === 100 ? total || 1 : total === null ? undefined : bytes}
      />
    </Between>
  );
}

function spoken({ rate, eta }: TransferShown): string[] {
  if (rate === 0) return [];
  return [speed(rate), ...(eta === null ? [] : [say('running.left', { time: duration(eta, 'long') })])];
}

function Figures({ running }: { running: TransferShown }) {
  const { bytes, total, rate, silent, history, lanes, byKind, files, contents, several, state } = running;
  const done = percent(running);
  const badge = state === 'connecting' ? undefined : pathBadge(byKind, lanes.values());
  const left = useSteadyLeft(running);
  const all = contents?.files ?? 0;
  return (
    <>
      <div class="figures">
        <p class="percent">{done === undefined ? size(bytes) : percentage(done)}</p>
        <p class={`badge ${badge ?? 'none'}`} id="badge">
          {say(badge ? `running.${badge}` : 'running.notConnected')}
        </p>
      </div>
      <p class="now">
        <span id="rate">
          {silent !== undefined ? say('running.silent', { n: silent }) : rate > 0 ? speed(rate) : ''}
        </span>
        <span id="left">{left}</span>
      </p>
      <Graph history={history} />
      <p class="amounts hint">
        <span id="bytes">
          {total === null ? size(bytes) : say('of', { part: size(bytes), whole: size(total) })}
        </span>
        {!several && all > 1 && <span id="file">{say('running.filesDone', { done: files, n: all })}</span>}
      </p>
    </>
  );
}

/** Seconds below which no number is worth reading. */
const SOON = 5;

function useSteadyLeft({ eta, silent }: TransferShown): string {
  const shown = useRef<number | undefined>(undefined);
  if (eta === null || silent !== undefined) {
    shown.current = undefined;
    return '';
  }
  shown.current = steady(shown.current, eta);
  if (shown.current <= SOON) return say('running.leftSoon');
  return say('running.left', { time: duration(shown.current) });
}

function Facts({ running }: { running: TransferShown }) {
  const { resumed, lanes, byKind, several, swarm, file } = running;
  const path = pathWords(byKind, lanes.values());
  return (
    <Details>
      <dl>
        <Fact id="path" name={say('fact.path')}>
          {path === '' ? say('running.notConnected') : path}
        </Fact>
        {several ? (
          <Fact id="out" name={say('fact.out')}>
            {size(several.up)}
          </Fact>
        ) : (
          <Fact id="peer" name={say('fact.peer')}>
            <PeerFact peer={running.peer} />
          </Fact>
        )}
        {!several && file !== undefined && (
          <Fact id="file-now" name={say('running.fileThis')}>
            <bdi>{escapeName(file)}</bdi>
          </Fact>
        )}
        {swarm && (
          <Fact id="swarm" name={say('fact.swarm')}>
            {say('fact.swarmNow', { from: swarm.from, to: swarm.to })}
            <span class="hint"> {swarmWords(running)}</span>
          </Fact>
        )}
        {resumed > 0 && (
          <Fact id="resumed" name={say('fact.resumed')}>
            {say('fact.resumedWas', { size: size(resumed) })}
          </Fact>
        )}
      </dl>
      <Notify />
    </Details>
  );
}

/** Asks the browser for leave to notify, and only because somebody pressed it. */
function Notify() {
  const [asks, setAsks] = useState(mayAsk);
  const [granted, setGranted] = useState(false);
  if (granted) return <p class="hint">{say('running.notifying')}</p>;
  if (!asks) return null;
  const ask = async () => {
    setGranted(await askToNotify());
    setAsks(false);
  };
  return <Button label={say('running.notify')} act={ask} />;
}

/** Milliseconds after which a lost connection may need more than patience. */
const PATIENCE = 60_000;

/** What else can be done when it does not come back. */
function Lost({ running: { state, role, several } }: { running: TransferShown }) {
  const away = (state === 'connecting' || state === 'authenticating') && !several;
  const [long, setLong] = useState(false);
  useEffect(() => {
    setLong(false);
    if (!away) return;
    const timer = setTimeout(() => setLong(true), PATIENCE);
    return () => clearTimeout(timer);
  }, [away]);
  if (!away || !long) return null;
  return (
    <p class="note" role="status">
      {say(role === 'send' ? 'running.newCode' : 'running.newCodeReceive')}
    </p>
  );
}

function Controls({ view, page }: { view: Transferring; page: Page }) {
  const { state, role, several, folder } = view.running;
  const opened = several !== undefined && open(several);
  const keeps = role === 'receive' && page.able.opfs;
  return (
    <>
      {keeps && <p class="hint">{say(folder ? 'running.stopHintFolder' : 'running.stopHint')}</p>}
      <Dock>
        {state === 'paused' ? (
          <Button label={say('running.resume')} kind="primary" key="pause" act={() => page.resume()} />
        ) : (
          <Button
            label={say('running.pause')}
            key="pause"
            disabled={state !== 'transferring'}
            act={() => page.pause()}
          />
        )}
        {keeps && <Button label={say('running.stop')} act={() => page.stop()} />}
        {several && (opened || several.closed) && (
          <Button
            label={say(underWay(several).length > 0 ? 'running.closeDoor' : 'running.finish')}
            disabled={!opened}
            act={() => page.admitNoMore()}
          />
        )}
        <Button label={say('cancel')} kind="quiet" act={() => page.cancel()} />
      </Dock>
    </>
  );
}
