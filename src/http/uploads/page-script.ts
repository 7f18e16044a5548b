/**
 * The script of an inbox's page. It takes what is dropped or chosen, folders too, and sends it by tus: two files at a time, and
 * what was cut off goes on, also after the page was closed and the same file is chosen again.
 */
import { Upload } from 'tus-js-client';

/** Files that are sent at a time: one that waits for the other side's disk does not stop all. */
const AT_ONCE = 2;
/** Milliseconds before each next try. The last one is repeated. */
const PAUSES = [500, 1000, 3000, 5000, 10_000];
/** A network that is away for longer than this, 30 s a try, is the person's matter. */
const TRIES = 120;
/** Bytes of one request: what a proxy in between may hold at a time. */
const REQUEST_BYTES = 64 * 1024 * 1024;

interface Chosen {
  file: File;
  /** With the folders that it was in. */
  path: string;
}

const drop = element<HTMLFormElement>('drop');
const list = element<HTMLUListElement>('list');
const template = element<HTMLTemplateElement>('row');
const endpoint = drop.dataset.tus!;
const waiting: (() => Promise<void>)[] = [];
let running = 0;

document.documentElement.classList.add('scripted');
element('without').hidden = true;
const folder = element<HTMLInputElement>('folder');
element('folder-label').hidden = !('webkitdirectory' in folder);
for (const input of [element<HTMLInputElement>('files'), folder])
  input.addEventListener('change', () => {
    for (const file of input.files ?? []) add({ file, path: file.webkitRelativePath || file.name });
    input.value = '';
  });

for (const name of ['dragenter', 'dragover'] as const)
  window.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add('over');
  });
window.addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) drop.classList.remove('over');
});
window.addEventListener('drop', (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  // Asked for at once: after the event there is nothing in it any more.
  const entries = [...(event.dataTransfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
  for (const entry of entries) if (entry) void walk(entry);
});
window.addEventListener('paste', (event) => {
  for (const file of event.clipboardData?.files ?? []) add({ file, path: file.name });
});
window.addEventListener('beforeunload', (event) => {
  if (running > 0) event.preventDefault();
});

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

async function walk(entry: FileSystemEntry): Promise<void> {
  const path = entry.fullPath.replace(/^\//, '');
  if (entry.isFile)
    return new Promise((resolve) => {
      (entry as FileSystemFileEntry).file(
        (file) => resolve(add({ file, path })),
        () => resolve(refused(path, 'This file cannot be read.')),
      );
    });
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve) =>
      reader.readEntries(resolve, () => resolve([])),
    );
    if (some.length === 0) return;
    for (const each of some) await walk(each);
  }
}

function row(path: string) {
  const item = (template.content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement;
  const part = <T extends HTMLElement>(name: string) => item.querySelector(name) as T;
  part('.name').textContent = path;
  list.append(item);
  return {
    item,
    state: part('.state'),
    bar: part<HTMLProgressElement>('progress'),
    word: part('.word'),
    again: part<HTMLButtonElement>('.again'),
    stop: part<HTMLButtonElement>('.stop'),
  };
}

function refused(path: string, word: string): void {
  const { item, state, bar, word: said, stop } = row(path);
  item.classList.add('failed');
  state.textContent = 'Not sent';
  said.textContent = word;
  bar.hidden = stop.hidden = true;
}

function add(chosen: Chosen): void {
  const shown = row(chosen.path);
  let upload: Upload | undefined;
  let stopped = false;
  const queue = () => {
    shown.again.hidden = true;
    shown.stop.hidden = shown.bar.hidden = false;
    shown.word.textContent = '';
    shown.state.textContent = 'Waiting';
    waiting.push(() => {
      if (stopped) return Promise.resolve();
      return new Promise<void>((resolve) => {
        upload = begin(chosen, shown, resolve);
        void resumed(upload).then(() => (stopped ? resolve() : upload!.start()));
      });
    });
    next();
  };
  shown.stop.addEventListener('click', () => {
    stopped = true;
    shown.state.textContent = 'Stopped';
    shown.stop.hidden = shown.bar.hidden = true;
    // What is there of it goes too.
    void upload?.abort(true).catch(() => {});
    next();
  });
  shown.again.addEventListener('click', queue);
  queue();
}

function next(): void {
  while (running < AT_ONCE && waiting.length > 0) {
    running++;
    void waiting.shift()!().finally(() => {
      running--;
      next();
    });
  }
}

/** One that this browser began before goes on. */
async function resumed(upload: Upload): Promise<void> {
  const [before] = await upload.findPreviousUploads().catch(() => []);
  if (before) upload.resumeFromPreviousUpload(before);
}

function begin({ file, path }: Chosen, shown: ReturnType<typeof row>, ended: () => void): Upload {
  shown.stop.addEventListener('click', ended, { once: true });
  return new Upload(file, {
    endpoint,
    chunkSize: REQUEST_BYTES,
    metadata: { filename: path, filetype: file.type, mtime: String(file.lastModified) },
    retryDelays: Array.from({ length: TRIES }, (_, at) => PAUSES[Math.min(at, PAUSES.length - 1)]!),
    removeFingerprintOnSuccess: true,
    fingerprint: async () => ['beeline', endpoint, path, file.size, file.lastModified].join('-'),
    onShouldRetry: (error) => {
      const status = error.originalResponse?.getStatus() ?? 0;
      // What the other side refuses it refuses again, and a full disk is a person's matter (507).
      const again = status === 0 || status === 409 || status === 423 || (status >= 500 && status !== 507);
      if (again) shown.state.textContent = 'Connecting again';
      return again;
    },
    onAfterResponse: (request, response) => {
      // A proxy answers so while the inbox is away; the library would take it that the upload is lost, and begin another.
      if (request.getMethod() === 'HEAD' && response.getStatus() >= 500)
        throw new Error('The inbox is away.');
    },
    onProgress: (sent, all) => {
      shown.bar.value = all > 0 ? sent / all : 1;
      shown.state.textContent = `${Math.floor((all > 0 ? sent / all : 1) * 100)} %`;
    },
    onSuccess: () => {
      shown.item.classList.add('done');
      shown.state.textContent = 'Arrived';
      shown.stop.hidden = shown.bar.hidden = true;
      ended();
    },
    onError: (error) => {
      const said = 'originalResponse' in error ? error.originalResponse?.getBody().trim() : undefined;
      shown.state.textContent = 'Not sent';
      shown.word.textContent = said || 'The connection was lost.';
      shown.stop.hidden = shown.bar.hidden = true;
      shown.again.hidden = false;
      ended();
    },
  });
}
