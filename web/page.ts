/** The page's one state, and everything that a person can do to it. What is shown follows from `view` alone. */
import {
  type Abilities,
  BeelineError,
  escapeName,
  type Item,
  itemsOfDrop,
  itemsOfInput,
  type Kept,
  type OfferSummary,
  receive,
  type Store,
  saveAsDownloads,
  saveToFolder,
  send,
  type Transfer,
} from '../src/browser/index.ts';
import * as address from './address.ts';
import { keptTitle } from './model/kept.ts';
import { distinct } from './model/names.ts';
import { begun, next } from './model/running.ts';
import { type Home, mustStay, type Note, type Transferring, type View } from './model/view.ts';
import { pickFolder } from './platform.ts';

/** Codes that no one can use again. */
const SPENT: ReadonlySet<string> = new Set(['WRONG_CODE', 'REFUSED', 'CANCELLED', 'AUTHENTICATION']);

export class Page {
  /** What this browser can do; until that is known, what most can. */
  able: Abilities = { secure: true, opfs: true, folder: false, stream: true, webrtc: true };
  readonly #looked: Promise<void>;
  #view: View;
  #transfer: Transfer | undefined;
  #answer: ((yes: boolean) => void) | undefined;
  /** Of what runs without a transfer: reading folders, saving. */
  #task: AbortController | undefined;
  readonly #listeners = new Set<() => void>();

  /** @param able finding it out starts workers, which the first picture of the page need not wait for */
  constructor(able: Promise<Abilities>) {
    this.#view = home();
    this.#looked = able.then((found) => {
      this.able = found;
      this.#show({ ...this.#view });
    });
    address.onChange(() => {
      if (!mustStay(this.#view)) this.back();
    });
  }

  get view(): View {
    return this.#view;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** From an input. */
  sendChosen(files: FileList): void {
    this.#send(itemsOfInput(files));
  }

  sendPasted(files: FileList): void {
    const names = distinct(Array.from(files, ({ name }) => name));
    this.#send(Array.from(files, (file, index) => ({ path: names[index]!, file })));
  }

  /** Call it in the event's own turn: afterwards the list is empty. */
  async sendDropped(list: DataTransferItemList): Promise<void> {
    const task = new AbortController();
    this.#task = task;
    const found = itemsOfDrop(list);
    this.#show({ at: 'gathering' });
    try {
      const items = await found;
      if (!task.signal.aborted) this.#send(items);
    } catch (thrown) {
      if (!task.signal.aborted) this.#show(home({ kind: 'error', text: messageOf(thrown) }));
    }
  }

  sendText(text: string): void {
    this.#send({ text });
  }

  /** @param kept what is gone on with: the person agreed to that offer before */
  receive(code: string, kept?: Kept): void {
    address.keep(code);
    let streamed = false;
    this.#begin('receive', () => {
      const reception = receive({
        server: location.origin,
        code,
        accept: async (offer) => {
          const again = kept !== undefined && offer.names[0] === escapeName(kept.name);
          if (!again && !(await this.#ask(offer))) return false;
          await this.#looked;
          const store: Store = this.able.opfs ? 'kept' : 'stream';
          address.name(offer.names[0]);
          streamed = store === 'stream' && offer.kind !== 'text';
          return store;
        },
      });
      reception.done.then(
        async () => {
          address.clear();
          const arrived = await reception.kept;
          if (this.#transfer === reception) this.#patch({ kept: arrived, streamed: streamed && !arrived });
        },
        (error) => {
          if (error instanceof BeelineError && SPENT.has(error.code)) address.clear();
        },
      );
      // It fails as the transfer does, and is told there.
      reception.kept.catch(() => {});
      return reception;
    });
  }

  /** What the person says to an offer. */
  answer(yes: boolean): void {
    const answer = this.#answer;
    this.#answer = undefined;
    this.#patch({ offer: undefined });
    answer?.(yes);
  }

  pause(): void {
    this.#transfer?.pause();
  }

  resume(): void {
    this.#transfer?.resume();
  }

  cancel(): void {
    this.#task?.abort();
    this.#transfer?.cancel();
    if (this.#view.at === 'gathering') this.#show(home());
  }

  /** Back to the beginning. What has arrived stays in this browser's storage. */
  back(): void {
    this.#transfer = undefined;
    this.#show(home());
  }

  async saveAsDownloads(kept: Kept): Promise<void> {
    await this.#save(kept, async () => {
      await saveAsDownloads(kept);
      return { note: { kind: 'done', text: "It is in your browser's downloads." }, removed: false };
    });
  }

  async saveToFolder(kept: Kept): Promise<void> {
    // At once: a browser shows its dialog only as the answer to a click.
    const folder = await pickFolder().catch(
      (thrown) => void this.#note({ kind: 'error', text: messageOf(thrown) }),
    );
    if (!folder) return;
    await this.#save(
      kept,
      async (signal) => {
        await saveToFolder(kept, folder, (written) => this.#written(kept, written), signal);
        await kept.remove();
        const text = `It is in the folder '${escapeName(folder.name)}', and was deleted from this browser.`;
        return { note: { kind: 'done', text }, removed: true };
      },
      0,
    );
  }

  async remove(kept: Kept): Promise<void> {
    try {
      await kept.remove();
      this.#note(
        { kind: 'done', text: `Deleted '${keptTitle(kept)}' from this browser.` },
        { kept: undefined },
      );
    } catch (thrown) {
      this.#note({ kind: 'error', text: messageOf(thrown) });
    }
  }

  #send(what: readonly Item[] | { text: string }): void {
    if (Array.isArray(what) && what.length === 0)
      return this.#show(home({ kind: 'error', text: 'There is nothing in it to send.' }));
    this.#begin('send', () => send(what, { server: location.origin }));
  }

  #begin(role: 'send' | 'receive', start: () => Transfer): void {
    this.#task = undefined;
    try {
      const transfer = start();
      this.#transfer = transfer;
      this.#show({ at: 'transfer', running: { ...begun(role), state: transfer.state } });
      transfer.subscribe((event) => {
        if (this.#transfer !== transfer || this.#view.at !== 'transfer') return;
        const running = next(this.#view.running, event);
        const over = event.event === 'error' || event.event === 'done';
        // Whoever ended it, nobody waits for an answer any more.
        if (over) this.#answer?.(false);
        this.#patch({ running, ...(over && { offer: undefined }) });
      });
      transfer.done.catch(() => {});
    } catch (thrown) {
      this.#show(home({ kind: 'error', text: messageOf(thrown) }));
    }
  }

  #ask(offer: OfferSummary): Promise<boolean> {
    this.#answer?.(false);
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#patch({ offer });
    });
  }

  async #save(
    kept: Kept,
    save: (signal: AbortSignal) => Promise<{ note: Note; removed: boolean }>,
    written?: number,
  ): Promise<void> {
    const before = this.#view;
    if (before.at !== 'home' && before.at !== 'transfer') return;
    const task = new AbortController();
    this.#task = task;
    this.#show({ at: 'saving', kept, written, before });
    try {
      const { note, removed } = await save(task.signal);
      this.#show(before);
      this.#note(note, { saved: true, ...(removed && { kept: undefined }) });
    } catch (thrown) {
      this.#show(before);
      const text = task.signal.aborted
        ? 'Saving was stopped. Everything is still in this browser.'
        : messageOf(thrown);
      this.#note({ kind: task.signal.aborted ? 'done' : 'error', text });
    }
  }

  #written(kept: Kept, written: number): void {
    if (this.#view.at === 'saving' && this.#view.kept === kept) this.#show({ ...this.#view, written });
  }

  #note(note: Note, change: Partial<Transferring> = {}): void {
    if (this.#view.at === 'home') this.#show({ ...this.#view, note });
    else this.#patch({ note, ...change });
  }

  #patch(change: Partial<Transferring>): void {
    if (this.#view.at === 'transfer') this.#show({ ...this.#view, ...change });
  }

  #show(view: View): void {
    this.#view = view;
    for (const listener of this.#listeners) listener();
  }
}

function home(note?: Note): Home {
  return { at: 'home', code: address.code(), note };
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
