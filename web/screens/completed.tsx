import { useMemo } from 'preact/hooks';
import { escapeName, type Kept, type PageDevice } from '../../src/browser/light.ts';
import { deviceName } from '../model/device.ts';
import { keptTops } from '../model/kept.ts';
import type { TransferShown } from '../model/running.ts';
import type { Transferring } from '../model/view.ts';
import { contentsWords, heading, sentence, swarmWords } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Copy, Details, Dock, Fact, Heading, NoteLine, SaveButtons } from '../parts/basics.tsx';
import { FileList } from '../parts/file-list.tsx';
import { Between } from '../parts/line.tsx';
import { OpenAndShare } from '../parts/open-share.tsx';
import { PeerFact } from '../parts/peer.tsx';
import { Receivers } from '../parts/receivers.tsx';
import { Remember } from '../parts/remember.tsx';
import { SentList } from '../parts/sent-list.tsx';
import { Warnings } from '../parts/warnings.tsx';
import { say, sayWith } from '../words/index.ts';
import { duration, size, speed } from '../words/numbers.ts';

export function CompletedScreen({ view, page }: { view: Transferring; page: Page }) {
  const { running, kept, streamed, saved, serving, note, sent } = view;
  const { role, done, text, warnings, several, peer, folder } = running;
  const swarm = swarmWords(running);
  return (
    <>
      <Heading>{headingOf(view)}</Heading>
      <p class="lead">{summary(running)}</p>
      <NoteLine note={note} />
      <div class="card">
        <Between running={running} motion="done" />
        <p class="checked">{sentence(running)}</p>
        {text !== undefined && <ReceivedText text={text} />}
        {kept && <Arrived kept={kept} page={page} saved={saved ?? false} />}
        {folder && <p id="in-folder">{say('completed.inFolder', { name: escapeName(folder.name) })}</p>}
        {streamed && <p>{say('completed.downloads')}</p>}
        {serving && <p id="serving">{say('completed.serving')}</p>}
      </div>
      <SentList sent={sent} running={running} />
      <Receivers several={several} />
      <Remember view={view} page={page} />
      <Details>
        <dl>
          {!several && (
            <Fact id="peer" name={say('fact.print')}>
              <PeerFact peer={peer} />
            </Fact>
          )}
          {swarm !== '' && (
            <Fact id="swarm" name={say('fact.swarm')}>
              {swarm}
            </Fact>
          )}
          <Fact id="root" name={say('fact.root')}>
            <span class="hex">{done?.root}</span>
          </Fact>
        </dl>
      </Details>
      <Warnings warnings={warnings} />
      <Next known={page.knownPeer(view)} role={role} page={page} kept={saved ? undefined : kept} />
    </>
  );
}

/** The same words as the tab's title has, but what the other side calls itself cannot turn them. */
function headingOf(view: Transferring) {
  const { role, several, peer } = view.running;
  const device = role === 'send' && !several ? deviceName(peer) : undefined;
  return device === undefined ? heading(view) : sayWith('completed.to', { device: <bdi>{device}</bdi> });
}

/** What people do now: save what has arrived, and then begin anew. */
function Next(props: {
  role: 'send' | 'receive';
  page: Page;
  kept: Kept | undefined;
  known: PageDevice | undefined;
}) {
  const { role, page, kept, known } = props;
  const back = () => (known ? page.sendMore(known) : page.back());
  const more =
    role === 'send' ? (
      <>
        {known && (
          <Button label={say('known.more', { name: escapeName(known.name) })} kind="primary" act={back} />
        )}
        <Button
          id="again"
          label={say('completed.sendMore')}
          kind={known ? undefined : 'primary'}
          act={() => page.back()}
        />
      </>
    ) : (
      <>
        <Button id="again" label={say('completed.receiveMore')} act={() => page.back()} />
        {!page.receiving && <Button label={say('completed.sendBack')} act={back} />}
      </>
    );
  if (!kept) return <Dock>{more}</Dock>;
  return (
    <div class="next-steps">
      <div class="buttons">{more}</div>
      <Dock>
        <SaveButtons kept={kept} page={page} primary />
      </Dock>
    </div>
  );
}

function Arrived({ kept, page, saved }: { kept: Kept; page: Page; saved: boolean }) {
  const tops = useMemo(() => keptTops(kept), [kept]);
  const row = ({ name, bytes, files, file }: (typeof tops)[number]) => {
    if (!file) return { name, bytes, files };
    const blob = () => file.blob();
    const fault = (thrown: unknown) => page.shown.fault(thrown);
    return { name, bytes, blob, actions: <OpenAndShare {...{ name, bytes, blob, fault }} /> };
  };
  return (
    <div class="tosave">
      <FileList id="arrived" label={say('completed.list')} rows={tops} row={row} />
      <p class="hint">{say(saved ? 'completed.saved' : 'completed.toSave')}</p>
      {saved && (
        <div class="buttons">
          <SaveButtons kept={kept} page={page} again />
          <Button label={say('save.delete')} kind="quiet" act={() => page.saver.remove(kept)} />
        </div>
      )}
    </div>
  );
}

function ReceivedText({ text }: { text: string }) {
  return (
    <div class="received-text">
      <pre id="text">{text}</pre>
      <div class="buttons">
        <Copy text={text} label={say('copy')} primary />
      </div>
    </div>
  );
}

function summary({ done, contents }: TransferShown): string {
  if (!done) return '';
  const { files, bytes, resumed, seconds } = done;
  const kind = contents?.kind ?? 'files';
  const what = contentsWords({ kind, files, folders: 0, links: 0, bytes });
  // Where nothing had to move, there is no speed.
  const rate = speed((bytes - resumed) / Math.max(seconds, 0.001));
  const all = bytes > resumed ? say('completed.summary', { what, time: duration(seconds), rate }) : what;
  return resumed > 0 ? `${all}${say('join')}${say('completed.resumed', { size: size(resumed) })}` : all;
}
