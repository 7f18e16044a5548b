/** A stream as a download: handed to the download worker, and fetched from it by a hidden frame. */
import { onAbort } from '../../base/clock.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import type { DownloadRequest, FromPage, FromWorker } from './download-messages.ts';
import { downloadWorker } from './workers.ts';

export interface Download {
  /** A file's name, with no folders. */
  name: string;
  /** Bytes; undefined where nobody knows. */
  size: number | undefined;
  body: ReadableStream<Uint8Array<ArrayBuffer>>;
  signal?: AbortSignal | undefined;
}

export const stopped = () => new BeelineError('CANCELLED', 'Saving was stopped.');

/** Milliseconds from handing it over to the browser's asking for it, and for a new worker to start. */
const BEGIN = 30_000;
/** Milliseconds: Firefox drops a download whose frame goes before it has taken it over from there, and says so to nobody. */
const LINGER = 60_000;
/** Browsers stop a service worker after 30 s without an event; what a port brings is none. */
const PING = 5_000;
/** Pings without an answer after which the worker is gone. The person may pause a download for as long as they like. */
const MOST_UNANSWERED = 5;

/**
 * Resolves once the browser takes it; `done` resolves once it has taken the last byte.
 * @throws BeelineError WRITE_FAILED, or CANCELLED by the signal, which `done` rejects with too; a body that fails, with what it fails with
 */
export async function startDownload(download: Download): Promise<{ done: Promise<void> }> {
  const registration = await downloadWorker();
  const handing = new Handing(await active(registration), registration.scope, download);
  await handing.begin();
  return { done: handing.done };
}

class Handing {
  readonly #id = crypto.randomUUID().replaceAll('-', '');
  readonly #worker: ServiceWorker;
  readonly #address: string;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #port: MessagePort;
  readonly #frame = document.createElement('iframe');
  readonly done: Promise<void>;
  #end!: { resolve: () => void; reject: (error: unknown) => void };
  #fetched: (() => void) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #unanswered = 0;
  #pulls = 0;
  #pumping = false;

  constructor(worker: ServiceWorker, scope: string, download: Download) {
    this.#worker = worker;
    this.#address = scope + this.#id;
    this.#reader = download.body.getReader();
    this.done = new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
    });
    this.done.then(
      () => this.#leave(),
      () => this.#leave(),
    );
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#port.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#take(data);
    const { name, size } = download;
    this.#tell({ type: 'offer', id: this.#id, name, size }, [port2]);
    const forget = onAbort(download.signal, () => this.#fail(stopped()));
    this.done.then(forget, forget);
  }

  async begin(): Promise<void> {
    const late = setTimeout(() => this.#fail(failed('The browser did not begin the download.')), BEGIN);
    this.#timer = setInterval(() => this.#ping(), PING);
    const fetched = new Promise<void>((resolve) => {
      this.#fetched = resolve;
    });
    try {
      await Promise.race([fetched, this.done]);
    } finally {
      clearTimeout(late);
    }
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#frame.hidden = true;
        this.#frame.src = this.#address;
        document.body.append(this.#frame);
        return;
      case 'fetched':
        return this.#fetched?.();
      case 'pull':
        this.#pulls++;
        void this.#pump();
        return;
      case 'cancel':
        return this.#fail(
          failed('The browser ended the download: it was cancelled there, or the disk is full.'),
        );
      case 'pong':
        this.#unanswered = 0;
    }
  }

  /** One piece for each pull. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (; this.#pulls > 0; this.#pulls--) {
        const { done, value } = await this.#reader.read();
        if (done) {
          this.#say({ type: 'end' });
          return this.#end.resolve();
        }
        // A view of more than itself would take all of it along.
        const bytes = value.byteLength === value.buffer.byteLength ? value : value.slice();
        this.#say({ type: 'piece', bytes }, [bytes.buffer]);
      }
    } catch (thrown) {
      this.#say({ type: 'fail' });
      this.#end.reject(thrown);
    } finally {
      this.#pumping = false;
    }
  }

  #ping(): void {
    if (++this.#unanswered > MOST_UNANSWERED) return this.#fail(failed('The browser stopped the download.'));
    this.#tell({ type: 'ping', id: this.#id });
  }

  #fail(error: BeelineError): void {
    this.#say({ type: 'fail' });
    this.#end.reject(error);
    this.#reader.cancel(error).catch(() => {});
  }

  #leave(): void {
    clearInterval(this.#timer);
    setTimeout(() => this.#frame.remove(), LINGER);
  }

  #say(message: FromPage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  #tell(request: DownloadRequest, transfer: Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }
}

/** The worker of a registration, once it runs. */
async function active(registration: ServiceWorkerRegistration): Promise<ServiceWorker> {
  const coming = registration.installing ?? registration.waiting;
  if (registration.active) return registration.active;
  if (!coming) throw notStarted();
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(notStarted()), BEGIN);
    coming.addEventListener('statechange', () => {
      if (coming.state !== 'activated' && coming.state !== 'redundant') return;
      clearTimeout(late);
      if (coming.state === 'activated') resolve();
      else reject(notStarted());
    });
  });
  return coming;
}

const failed = (what: string) => fault('DOWNLOAD_FAILED', { what });

function notStarted(): BeelineError {
  return fault('WORKER_FAILED', { what: 'that streams downloads does not start' });
}
