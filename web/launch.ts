/** How an installed page was opened: with files from another program, or by one of its shortcuts. */
import { sharedWith } from './shell.ts';
import { say } from './words/index.ts';

/** Not in lib.dom. https://wicg.github.io/web-app-launch/ */
interface LaunchQueue {
  setConsumer(consume: (launch: { files?: readonly FileSystemFileHandle[] }) => void): void;
}

interface Launched {
  /** Nothing is sent before the person says so. */
  files(files: readonly File[]): void;
  text(text: string): void;
  /** The shortcut to receive. */
  receive(): void;
  fault(thrown: unknown): void;
}

export function onLaunch({ files, text, receive, fault }: Launched): void {
  const { launchQueue } = globalThis as { launchQueue?: LaunchQueue };
  launchQueue?.setConsumer(({ files: handles = [] }) => {
    if (handles.length === 0) return;
    Promise.all(handles.map((handle) => handle.getFile())).then(files, fault);
  });
  const asked = new URLSearchParams(location.search);
  if (location.search === '') return;
  // A reloaded page is opened anew, and what was shared is there once.
  history.replaceState(history.state, '', location.pathname + location.hash);
  if (asked.has('receive')) receive();
  const id = asked.get('shared');
  if (id === null) return;
  sharedWith(id).then((shared) => {
    if (!shared) return fault(new Error(say('shared.lost')));
    if (shared.files.length > 0) files(shared.files);
    else if (shared.text !== '') text(shared.text);
  }, fault);
}
