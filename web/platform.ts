/** What this browser can do, found by looking for it, never by its name. */

/** Not in every lib.dom, since it is no standard of the W3C yet. */
interface Picker {
  showDirectoryPicker(options: {
    id: string;
    mode: string;
    startIn: string;
  }): Promise<FileSystemDirectoryHandle>;
}

/** The folder that the person chose to save to; undefined if none. Only as the answer to a click. */
export async function pickFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    const picker = window as unknown as Picker;
    return await picker.showDirectoryPicker({ id: 'beeline', mode: 'readwrite', startIn: 'downloads' });
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'AbortError') return undefined;
    throw thrown;
  }
}

/** Not in every lib.dom either. */
interface Asking {
  requestPermission(options: { mode: 'readwrite' }): Promise<PermissionState>;
}

/** Whether the page may write there again, which the browser may ask the person. Only as the answer to a click. */
export async function mayWrite(folder: FileSystemDirectoryHandle): Promise<boolean> {
  try {
    const asking = folder as unknown as Asking;
    return (await asking.requestPermission({ mode: 'readwrite' })) === 'granted';
  } catch {
    return false;
  }
}

/** This page came from a sender, whose server lets nobody else send: src/server/page-files.ts says so in the document. */
export const onlyReceives = (): boolean =>
  document.querySelector<HTMLMetaElement>('meta[name="beeline-use"]')?.content === 'receive';

/** Phones mostly cannot give a web page a folder. */
export const choosesFolders = (): boolean => 'webkitdirectory' in HTMLInputElement.prototype;

/** Bytes that this site may still store here, as the browser guesses; undefined where it does not say. */
export async function room(): Promise<number | undefined> {
  try {
    const { quota, usage = 0 } = await navigator.storage.estimate();
    return quota === undefined ? undefined : Math.max(0, quota - usage);
  } catch {
    return undefined;
  }
}
