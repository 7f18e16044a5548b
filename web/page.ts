/** The page's one state, and everything that a person can do to it. What is shown follows from `view` alone. */
import {
  BeelineError,
  type Item,
  itemsOfDrop,
  itemsOfInput,
  type OfferSummary,
  type PageAbilities,
  type ReceiveInto,
  type Transfer,
} from '../src/browser/light.ts';
import * as address from './address.ts';
import { type PageEngine, withEngine } from './engine.ts';
import { codeProblem, plainCode } from './model/code.ts';
import { type Agreed, firstName, isSameOffer } from './model/kept.ts';
import { distinct } from './model/names.ts';
import { begun, type TransferShown } from './model/running.ts';
import { begunFor, closed, nextOfAll, type Wanted } from './model/several.ts';
import { joined, without } from './model/staged.ts';
import { type Home, mustStay, type Sent, type ViewNote } from './model/view.ts';
import * as preferences from './preferences.ts';
import { Saver } from './saver.ts';
import { messageOf, Shown } from './shown.ts';
import { say } from './words/index.ts';

/** Codes that no one can use again. */
const SPENT: ReadonlySet<string> = new Set(['WRONG_CODE', 'REFUSED', 'CANCELLED', 'AUTHENTICATION']);

/** Milliseconds: a worker whose script does not come must not keep a person's yes from being heard. */
const LOOK_DEADLINE = 10_000;

export class Page {
  /** Nobody may send from here. */
  readonly receiving: boolean;
  /** What this browser can do; until that is known, what most can. */
  able: PageAbilities = { secure: true, opfs: true, folder: false, stream: true, webrtc: true };
  /** How many are to receive what is sent from here. */
  wanted: Wanted = 1;
  /** A text that was typed and has not arrived yet: it is not to be typed twice. */
  draft = '';
  readonly #looked: Promise<unknown>;
  #transfer: Transfer | undefined;
  #answer: ((yes: boolean) => void) | undefined;
  /** Reading folders that were dropped. */
  #task: AbortController | undefined;
  /** Ends what runs, so that another one can go on with it. */
  #stop: AbortController | undefined;
  readonly shown = new Shown(home());
  readonly saver = new Saver(this.shown, () => this.stop());
  /** Others who receive the same get what is here, and give what they have. */
  share = preferences.shares();

  /** @param able finding it out starts workers, which the first picture of the page need not wait for */
  constructor(able: Promise<PageAbilities>, receiving: boolean) {
    this.receiving = receiving;
    this.#looked = able.then((found) => {
      this.able = found;
      this.shown.show({ ...this.shown.view });
    });
    // This tells the other side at once. If a tab just vanishes, WebRTC tells it half a minute later.
    addEventListener('pagehide', ({ persisted }: PageTransitionEvent) => {
      if (!persisted) this.stop();
    });
    address.onChange(() => {
      if (!mustStay(this.shown.view)) this.back();
    });
  }

  /** From an input: into the list of what is to be sent. */
  addChosen(files: FileList): void {
    this.#stage(itemsOfInput(files));
  }

  addPasted(files: ArrayLike<File>): void {
    const names = distinct(Array.from(files, ({ name }) => name));
    this.#stage(Array.from(files, (file, index) => ({ path: names[index]!, file })));
  }

  /** Into the field of a text that is to be sent. */
  addText(text: string): void {
    this.draft = text;
    this.shown.show({ ...home(), draft: text });
  }

  /** Call it in the event's own turn: afterwards the list is empty. */
  async addDropped(list: DataTransferItemList): Promise<void> {
    const task = new AbortController();
    this.#task = task;
    const before = this.#staged();
    const found = itemsOfDrop(list);
    this.shown.show({ at: 'gathering', items: before });
    try {
      const items = await found;
      if (!task.signal.aborted) this.#stage(items);
    } catch (thrown) {
      if (!task.signal.aborted) this.#backTo(before, { kind: 'error', text: messageOf(thrown) });
    }
  }

  /** Takes what stands at the top of the list away from it. */
  unstage(name: string): void {
    const { view } = this.shown;
    if (view.at === 'staging') this.#backTo(without(view.items, name));
  }

  sendStaged(): void {
    const { view } = this.shown;
    if (view.at === 'staging') this.#send(view.items);
  }

  sendText(text: string): void {
    this.#send({ text });
  }

  /** @param before what is gone on with: the person agreed to the same offer before */
  receive(code: string, before?: Agreed): void {
    address.keep(code);
    let streamed = false;
    this.#begin(begun('receive'), (engine, signal) => {
      const reception = engine.receive({
        server: location.origin,
        code,
        signal,
        share: this.share,
        accept: async (offer) => {
          const again = before !== undefined && isSameOffer(offer, before);
          if (!again && !(await this.#ask(offer))) return false;
          await Promise.race([this.#looked, after(LOOK_DEADLINE)]);
          const store: ReceiveInto = this.able.opfs ? 'kept' : 'stream';
          address.name(code, firstName(offer));
          this.shown.patch({ agreed: offer });
          streamed = store === 'stream' && offer.kind !== 'text';
          return store;
        },
      });
      reception.done.then(
        async () => {
          address.clear(code);
          const arrived = await reception.kept;
          if (this.#transfer !== reception) return;
          this.shown.patch({ kept: arrived, streamed: streamed && !arrived, serving: !over });
        },
        (error) => {
          if (error instanceof BeelineError && SPENT.has(error.code)) address.clear(code);
        },
      );
      let over = false;
      void reception.closed.then(() => {
        over = true;
        if (this.#transfer === reception) this.shown.patch({ serving: false });
      });
      // It fails as the transfer does, and is told there.
      reception.kept.catch(() => {});
      return reception;
    });
  }

  /** The same once more: what was sent, or what its code is still good for. */
  again(): void {
    const { view } = this.shown;
    if (view.at !== 'transfer') return;
    const { sent, running, agreed } = view;
    const code = address.code();
    if (sent) this.#send(sent);
    else if (running.role === 'receive' && codeProblem(code) === undefined)
      this.receive(plainCode(code), agreed);
    else this.back();
  }

  /** For what is received from now on, also by later visits. */
  setShare(share: boolean): void {
    this.share = share;
    preferences.setShares(share);
  }

  /** What the person says to an offer. */
  answer(yes: boolean): void {
    const answer = this.#answer;
    this.#answer = undefined;
    this.shown.patch({ offer: undefined });
    answer?.(yes);
  }

  pause(): void {
    this.#transfer?.pause();
  }

  resume(): void {
    this.#transfer?.resume();
  }

  /** Who receives goes on, and nobody else is let in. */
  admitNoMore(): void {
    const { view } = this.shown;
    if (view.at !== 'transfer') return;
    this.shown.patch({ running: closed(view.running) });
    this.#transfer?.admitNoMore();
  }

  /** Ends what runs; what has arrived is kept. */
  stop(): void {
    this.#stop?.abort();
  }

  cancel(): void {
    this.#task?.abort();
    this.saver.cancel();
    const { view } = this.shown;
    if (view.at === 'gathering') return this.#backTo(view.items);
    if (view.at === 'staging' || (view.at === 'transfer' && !this.#transfer)) return this.back();
    this.#transfer?.cancel();
  }

  /** Back to the beginning. What has arrived stays in this browser's storage. */
  back(): void {
    this.#task?.abort();
    const { view } = this.shown;
    const left = this.#transfer;
    this.#transfer = undefined;
    // Nobody would see that it still gives, and what has not begun is not to begin.
    if (view.at === 'transfer' && (view.serving || !left)) this.stop();
    if (view.at === 'transfer' && view.running.done) this.draft = '';
    this.shown.show(home());
    // What is kept of it may be removed a moment after the list is shown. So the list is made again then.
    if (view.at !== 'transfer' || view.running.error || view.running.done) return;
    const again = () => this.shown.view.at === 'home' && this.shown.show(home());
    left?.done.then(again, again);
  }

  /** What was chosen so far. */
  #staged(): readonly Item[] {
    const { view } = this.shown;
    return view.at === 'staging' || view.at === 'gathering' ? view.items : [];
  }

  #stage(items: readonly Item[]): void {
    const staged = joined(this.#staged(), items);
    const nothing = { kind: 'error', text: say('staging.nothing') } as const;
    this.#backTo(staged, items.length === 0 ? nothing : undefined);
  }

  /** To the list of what is to be sent, or home where nothing is. */
  #backTo(items: readonly Item[], note?: ViewNote): void {
    this.#task = undefined;
    this.shown.show(items.length === 0 ? home(note) : { at: 'staging', items, note });
  }

  #send(what: Sent): void {
    const { wanted } = this;
    this.#begin(
      wanted === 1 ? begun('send') : begunFor(wanted),
      (engine, signal) => engine.send(what, { server: location.origin, signal, receivers: wanted }),
      what,
    );
  }

  /** @param start not called if the person goes back before it can be */
  #begin(
    first: TransferShown,
    start: (engine: PageEngine, signal: AbortSignal) => Transfer,
    sent?: Sent,
  ): void {
    this.#task = undefined;
    this.#transfer = undefined;
    const stop = new AbortController();
    const { signal } = stop;
    this.#stop = stop;
    const fail = (thrown: unknown) =>
      this.#backTo(sent && !('text' in sent) ? sent : [], { kind: 'error', text: messageOf(thrown) });
    this.shown.show({ at: 'transfer', running: first, sent });
    withEngine(
      (engine) => {
        if (signal.aborted) return;
        try {
          this.#follow(start(engine, signal), first, sent);
        } catch (thrown) {
          fail(thrown);
        }
      },
      (thrown) => signal.aborted || fail(thrown),
    );
  }

  #follow(transfer: Transfer, first: TransferShown, sent: Sent | undefined): void {
    this.#transfer = transfer;
    this.shown.show({ at: 'transfer', running: { ...first, state: transfer.state }, sent });
    transfer.subscribe((event) => {
      if (this.#transfer !== transfer || this.shown.view.at !== 'transfer') return;
      const running = nextOfAll(this.shown.view.running, event);
      const often = event.event === 'progress' || event.event === 'lane';
      if (running.several && often) return this.shown.patchSoon({ running });
      const over = event.event === 'error' || event.event === 'done';
      // Whoever ended it, nobody waits for an answer any more.
      if (over) this.#answer?.(false);
      this.shown.patch({ running, ...(over && { offer: undefined }) });
    });
    transfer.done.catch(() => {});
  }

  #ask(offer: OfferSummary): Promise<boolean> {
    this.#answer?.(false);
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.shown.patch({ offer });
    });
  }
}

const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function home(note?: ViewNote): Home {
  return { at: 'home', code: address.code(), note };
}
