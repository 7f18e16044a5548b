/** The frame that every screen stands in. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useNotice, useTabIcon } from './attention.ts';
import { useAwake } from './awake.ts';
import { screens } from './engine.ts';
import { mustStay, mustWake, screenOf, stateOf, type View } from './model/view.ts';
import { announcement, dropWords, percentShown, title } from './model/words.ts';
import type { Page } from './page.ts';
import { Mark } from './parts/basics.tsx';
import { Drop } from './parts/drop.tsx';
import { Calls } from './parts/known.tsx';
import { HomeScreen } from './screens/home.tsx';
import { MeetingScreen } from './screens/meeting.tsx';
import { StagingScreen } from './screens/staging.tsx';
import type { Shown } from './shown.ts';
import { useSingleClicks } from './single-clicks.ts';
import { changeLanguage } from './speaking.ts';
import { gap, isLanguage, LANGUAGES, language, say } from './words/index.ts';

export function App({ page }: { page: Page }) {
  const view = useView(page.shown);
  const screen = screenOf(view);
  const main = useRef<HTMLElement>(null);
  useTitle(title(view));
  useTabIcon(percentShown(view));
  useNotice(endOf(view));
  useGuard(mustStay(view));
  useAwake(mustWake(view));
  useSingleClicks();
  useHeadingFocus(main, screen);
  const takes = (view.at === 'home' || view.at === 'staging') && !page.receiving;
  return (
    <>
      <header class="top">
        <Mark />
        <span class="brand">Beeline</span>
      </header>
      <main ref={main} data-state={stateOf(view)} data-screen={screen}>
        <Calls view={view} page={page} />
        {screenFor(view, screen, page)}
      </main>
      <p class="unseen" role="status">
        {announcement(view)}
      </p>
      <footer>
        <p>
          {say('footer')}
          {!page.receiving && gap() + say('footer.server')}
        </p>
        <Languages page={page} />
      </footer>
      <Drop page={takes ? page : undefined} words={dropWords(view, page.receiving)} />
    </>
  );
}

function Languages({ page }: { page: Page }) {
  const change = async ({ currentTarget: { value } }: { currentTarget: HTMLSelectElement }) => {
    // Where the words do not come, all stays as it is.
    const lost = () => page.shown.fault(new Error(say('fault.part')));
    if (isLanguage(value)) await changeLanguage(value).catch(lost);
    page.shown.changed();
  };
  return (
    <p class="languages">
      <label class="unseen" for="language">
        {say('language')}
      </label>
      <select id="language" value={language()} onChange={change}>
        {Object.entries(LANGUAGES).map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
    </p>
  );
}

/** What a notification says; undefined until a transfer has ended. */
function endOf(view: View): string | undefined {
  if (view.at !== 'transfer') return undefined;
  const { state, role } = view.running;
  if (state === 'failed') return say('notify.failed');
  if (state !== 'completed') return undefined;
  return say(role === 'send' ? 'notify.sent' : 'notify.received');
}

function screenFor(view: View, screen: string, page: Page) {
  if (view.at === 'home') return <HomeScreen home={view} page={page} />;
  if (view.at === 'staging') return <StagingScreen view={view} page={page} />;
  if (view.at === 'gathering') return <MeetingScreen view={view} page={page} />;
  const later = screens();
  if (view.at === 'saving') return later && <later.SavingScreen saving={view} page={page} />;
  if (!later) return <MeetingScreen view={view} page={page} />;
  switch (screen) {
    case 'waiting':
      return <later.WaitingScreen view={view} page={page} />;
    case 'offer':
      return <later.OfferScreen view={view} page={page} />;
    case 'running':
      return <later.RunningScreen view={view} page={page} />;
    case 'completed':
      return <later.CompletedScreen view={view} page={page} />;
    case 'failed':
    case 'cancelled':
      return <later.EndedScreen view={view} page={page} />;
    default:
      return <MeetingScreen view={view} page={page} />;
  }
}

function useView(shown: Shown): View {
  const [view, setView] = useState(shown.view);
  const [, setDrawn] = useState(shown.drawn);
  useLayoutEffect(() => {
    const look = () => {
      setView(shown.view);
      setDrawn(shown.drawn);
    };
    look();
    return shown.subscribe(look);
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
