import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { type Top, tops } from '../model/staged.ts';
import type { ViewStaging } from '../model/view.ts';
import { contentsWords, shortName } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Dock, Heading, IconButton, NoteLine } from '../parts/basics.tsx';
import { ChooseButtons } from '../parts/choose.tsx';
import { FileList } from '../parts/file-list.tsx';
import { GoesTo, SendStraight } from '../parts/known.tsx';
import { People } from '../parts/people.tsx';
import { rowOf } from '../parts/sent-list.tsx';
import { say } from '../words/index.ts';

/** What was chosen, before anybody is told of it: more can come, and things can go. */
export function StagingScreen({ view, page }: { view: ViewStaging; page: Page }) {
  const { items, note } = view;
  const { near } = page;
  const list = useMemo(() => tops(items), [items]);
  const files = list.reduce((sum, top) => sum + top.files, 0);
  const bytes = list.reduce((sum, top) => sum + top.bytes, 0);
  const folders = list.filter(({ folder }) => folder).length;
  const card = useRef<HTMLDivElement>(null);
  const removed = useRef<number | undefined>(undefined);
  // What had the focus is gone with its row: who removes several goes on at the next one.
  useLayoutEffect(() => {
    const at = removed.current;
    removed.current = undefined;
    if (at === undefined) return;
    const next = card.current?.querySelectorAll<HTMLElement>('#staged button')[at];
    (next ?? document.querySelector('h1'))?.focus();
  }, [list]);
  const row = (top: Top, at: number) => ({
    ...rowOf(top),
    actions: (
      <IconButton
        icon="cross"
        label={say('staging.remove', { name: shortName(top.name) })}
        act={() => {
          removed.current = at;
          page.unstage(top.name);
        }}
      />
    ),
  });
  return (
    <>
      <Heading>{say('staging.title')}</Heading>
      <p class="lead">{contentsWords({ kind: 'files', files, folders, links: 0, bytes })}</p>
      <NoteLine note={note} />
      <div ref={card} class="card">
        <FileList id="staged" label={say('staging.list')} rows={list} row={row} />
        <ChooseButtons page={page} files={say('staging.addFiles')} folder={say('staging.addFolder')} />
      </div>
      <GoesTo page={page} />
      <SendStraight page={page} />
      {near && <near.SendNear page={page} here={near.here} />}
      {!page.to && !page.toNear && (
        <div class="card slim">
          <People page={page} />
        </div>
      )}
      <Dock>
        <Button label={say('staging.send')} kind="primary" act={() => page.sendStaged()} />
        <Button label={say('cancel')} act={() => page.cancel()} />
      </Dock>
    </>
  );
}
