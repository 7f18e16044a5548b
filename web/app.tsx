/** The frame that every screen stands in. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useAwake } from './awake.ts';
import { mustStay, mustWake, screenOf, stateOf, type View } from './model/view.ts';
import { announcement, dropWords, title } from './model/words.ts';
import type { Page } from './page.ts';
import { Mark } from './parts/basics.tsx';
import { Drop } from './parts/drop.tsx';
import { CompletedScreen } from './screens/completed.tsx';
import { EndedScreen } from './screens/ended.tsx';
import { HomeScreen } from './screens/home.tsx';
import { MeetingScreen } from './screens/meeting.tsx';
import { OfferScreen } from './screens/offer.tsx';
import { RunningScreen } from './screens/running.tsx';
import { SavingScreen } from './screens/saving.tsx';
import { WaitingScreen } from './screens/waiting.tsx';
import type { Shown } from './shown.ts';
import { useSingleClicks } from './single-clicks.ts';

export function App({ page }: { page: Page }) {
  const view = useView(page.shown);
  const screen = screenOf(view);
  const main = useRef<HTMLElement>(null);
  useTitle(title(view));
  useGuard(mustStay(view));
  useAwake(mustWake(view));
  useSingleClicks();
  useHeadingFocus(main, screen);
  return (
    <>
      <header class="top">
        <Mark />
        {screen !== 'home' && <span class="brand">Beeline</span>}
      </header>
      <main ref={main} data-state={stateOf(view)}>
        {screenFor(view, screen, page)}
      </main>
      <p class="unseen" role="status">
        {announcement(view)}
      </p>
      <footer>
        <p>
          Files are encrypted from end to end, and go straight to the other device wherever there is a direct
          path. {page.receiving ? '' : 'The server that serves this page cannot read them.'}
        </p>
      </footer>
      <Drop
        page={view.at === 'home' && !page.receiving ? page : undefined}
        words={dropWords(view, page.receiving)}
      />
    </>
  );
}

function screenFor(view: View, screen: string, page: Page) {
  if (view.at === 'home') return <HomeScreen home={view} page={page} />;
  if (view.at === 'gathering') return <MeetingScreen view={view} page={page} />;
  if (view.at === 'saving') return <SavingScreen saving={view} page={page} />;
  switch (screen) {
    case 'waiting':
      return <WaitingScreen view={view} page={page} />;
    case 'offer':
      return <OfferScreen offer={view.offer!} page={page} />;
    case 'running':
      return <RunningScreen view={view} page={page} />;
    case 'completed':
      return <CompletedScreen view={view} page={page} />;
    case 'failed':
    case 'cancelled':
      return <EndedScreen running={view.running} page={page} />;
    default:
      return <MeetingScreen view={view} page={page} />;
  }
}

function useView(shown: Shown): View {
  const [view, setView] = useState(shown.view);
  useLayoutEffect(() => {
    setView(shown.view);
    return shown.subscribe(() => setView(shown.view));
  }, [shown]);
  return view;
}

function useTitle(text: string): void {
  useEffect(() => {
    document.title = text;
  }, [text]);
}

/** A new screen begins at its heading, for screen readers and for the tab key; the first one where the browser begins. */
function useHeadingFocus(main: { current: HTMLElement | null }, screen: string): void {
  const shown = useRef(screen);
  useLayoutEffect(() => {
    if (shown.current === screen) return;
    shown.current = screen;
    scrollTo(0, 0);
    main.current?.querySelector('h1')?.focus({ preventScroll: true });
  }, [screen]);
}

function useGuard(on: boolean): void {
  useEffect(() => {
    if (!on) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [on]);
}
