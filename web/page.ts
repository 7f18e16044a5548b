/** The page's one state, and everything that a person can do to it. What is shown follows from `view` alone. */
import {
  BeelineError,
  type Item,
  itemsOfDrop,
  itemsOfInput,
  type Kept,
  type NearDevice,
  type OfferSummary,
  type OwnPair,
  type PageAbilities,
  type PageDevice,
  type ReceiveInto,
  type Transfer,
} from '../src/browser/light.ts';
import * as address from './address.ts';
import { arrived, type PageEngine, withEngine } from './engine.ts';
import { takeBack } from './handed.ts';
import { KnownHere } from './known.ts';
import { deviceKind } from './model/device.ts';
import { type Accepted, firstName, isOneFile, isSameOffer } from './model/kept.ts';
import { distinct } from './model/names.ts';
import { begun, type TransferShown } from './model/running.ts';
import { begunFor, closed, nextOfAll, type Wanted } from './model/several.ts';
import { appended, joined, without } from './model/staged.ts';
import { type Home, mustStay, type Sent, type Transferring, type View, type ViewNote } from './model/view.ts';
import type { NearCall, NearHere } from './near/here.ts';
import { mayWrite, pickFolder } from './platform.ts';
import * as preferences from './preferences.ts';
import { Saver } from './saver.ts';
import { faultNote, Shown } from './shown.ts';
import { say } from './words/index.ts';

/** Codes that no one can use again. */
const SPENT: ReadonlySet<string> = new Set(['WRONG_CODE', 'REFUSED', 'CANCELLED', 'AUTHENTICATION']);

/** Milliseconds: a worker whose script does not come must not keep a person's yes from being heard. */
const LOOK_DEADLINE = 10_000;

/** What a person says to an offer: no, yes, or yes and into that folder. */
type Answer = boolean | FileSystemDirectoryHandle;

/** What is about devices nearby: its state, and what is drawn of it. */
type NearPart = typeof import('./near/index.ts') & { here: NearHere };

export class Page {
  /** Nobody may send from here. */
  readonly receiving: boolean;
  /** What this browser can do; until that is known, what most can. */
  able: PageAbilities = { secure: true, opfs: true, folder: false, stream: true, webrtc: true };
  /** How many are to receive what is sent from here. */
  wanted: Wanted = 1;
  /** A text that was typed and has not arrived yet: it is not to be typed twice. */
  draft = '';
  /** The trusted device that the next thing goes to; undefined: whoever has the code. */
  to: PageDevice | undefined;
  /** The device nearby that it goes to, by a code that is typed there. */
  toNear: NearDevice | undefined;
  /** Undefined until it has been fetched. */
  near: NearPart | undefined;
  readonly #looked: Promise<unknown>;
  #transfer: Transfer | undefined;
  #answer: ((answer: Answer) => void) | undefined;
  #pair: Promise<OwnPair | undefined> | undefined;
  /** Reading folders that were dropped. */
  #task: AbortController | undefined;
  /** Ends what runs, so that another one can go on with it. */
  #stop: AbortController | undefined;
  readonly shown = new Shown(home());
  readonly saver = new Saver(this.shown, () => this.stop());
  /** Those that need no code. */
  readonly known = new KnownHere(() => this.shown.changed());
  /** Others who receive the same get what is here, and give what they have. */
  share = preferences.shares();

  /** @param able finding it out starts workers, which the first picture of the page need not wait for */
  constructor(able: Promise<PageAbilities>, receiving: boolean) {
    this.receiving = receiving;
    if (!receiving) {
      this.known.begin();
      void arrived.then(() => this.#loadNear()).catch(() => {});
    }
    this.#looked = able.then((found) => {
      this.able = found;
      this.shown.changed();
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
    if (!this.#mayTake()) return;
    const names = distinct(Array.from(files, ({ name }) => name));
    this.#stage(Array.from(files, (file, index) => ({ path: names[index]!, file })));
  }

  /** Into the field of a text that is to be sent; what was chosen to be sent before stays. */
  addText(text: string): void {
    const staged = this.#staged();
    if (!this.#mayTake()) return;
    this.draft = appended(this.draft, text);
    if (staged.length > 0) return this.#backTo(staged, { kind: 'done', text: say('staging.textWaits') });
    this.shown.show({ ...home(), draft: this.draft });
  }

  /** Call it in the event's own turn: afterwards the list is empty. */
  async addDropped(list: DataTransferItemList): Promise<void> {
    const task = new AbortController();
    this.#task = task;
    const before = this.#staged();
    const found = itemsOfDrop(list, task.signal);
    this.shown.show({ at: 'gathering', items: before });
    try {
      const items = await found;
      if (!task.signal.aborted) this.#stage(items);
    } catch (thrown) {
      if (!task.signal.aborted) this.#backTo(before, faultNote(thrown));
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

  /** To this device goes what was chosen or typed, or what is chosen next. @param to undefined: to whoever has the code */
  sendTo(to: PageDevice | undefined): void {
    const { view } = this.shown;
    this.to = to;
    this.toNear = undefined;
    if (to) this.#sendOrChoose(view);
    else this.shown.changed();
  }

  /** The same to a device nearby, where the words of a code are typed. */
  sendToNear(near: NearDevice): void {
    this.to = undefined;
    this.toNear = near;
    this.#sendOrChoose(this.shown.view);
  }

  #sendOrChoose(view: View): void {
    if (view.at === 'staging') return this.#send(view.items);
    if (view.at === 'home' && this.draft !== '') return this.#send({ text: this.draft });
    this.shown.changed();
    // Of a text nothing is to be chosen.
    document.getElementById('files')?.click();
  }

  /** Back to the beginning, where this device is the one that is sent to. */
  sendMore(to: PageDevice): void {
    this.back();
    this.to = to;
    this.shown.changed();
  }

  /** Nobody came for what is sent to a trusted device: it goes to whoever has the code. */
  sendByCode(): void {
    const { view } = this.shown;
    if (view.at !== 'transfer' || !view.sent) return;
    this.stop();
    this.#send(view.sent);
  }

  /** The trusted device that the other side is, or has just become: it is known by the pair that was made for it. */
  knownPeer({ device, pair }: Transferring): PageDevice | undefined {
    const its = device?.id ?? pair?.id;
    return this.known.list.find(({ id }) => id === its);
  }

  /** Rejects if the name cannot be used, or there are too many. */
  async remember(pair: OwnPair, name: string): Promise<void> {
    const { view } = this.shown;
    if (view.at !== 'transfer') return;
    const { peer } = view.running;
    const found = deviceKind(peer);
    const kind = found === 'phone' || found === 'terminal' ? found : 'computer';
    if (peer?.key !== undefined) await this.known.remember(pair, { name, kind, key: peer.key });
  }

  /** Goes on with something of which a part is here. */
  async goOn(code: string, kept: Kept): Promise<void> {
    const { folder } = kept;
    if (folder) {
      const { at } = this.shown.view;
      if (!(await this.#mayStillWrite(folder)) || this.shown.view.at !== at) return;
    }
    this.receive(code, kept, folder);
  }

  /** The person is asked, who may have forbidden it since, and told what follows. */
  async #mayStillWrite(folder: FileSystemDirectoryHandle): Promise<boolean> {
    if (await mayWrite(folder)) return true;
    this.shown.note({ kind: 'error', text: say('kept.forbidden') });
    return false;
  }

  /**
   * @param before what is gone on with: it is not asked about if the person said yes to the very same offer
   * @param into the folder that the person picked for it then
   */
  receive(code: string, before?: Accepted, into?: FileSystemDirectoryHandle): void {
    address.keep(code);
    this.#receive({ code }, before, into);
  }

  /** What a trusted device has for this page. The rest as of `receive`. */
  receiveFrom(device: PageDevice, before?: Accepted, into?: FileSystemDirectoryHandle): void {
    this.known.answered(device);
    this.#leave();
    this.#receive({ device }, before, into);
  }

  /** What a device nearby has for this page, with the code whose words were typed here. */
  receiveNear(call: NearCall, code: string): void {
    this.near?.here.answered(call);
    this.#leave();
    address.keep(code);
    this.#receive({ code, near: call.from });
  }

  #receive(
    from: { code: string; near?: NearDevice } | { device: PageDevice },
    before?: Accepted,
    into?: FileSystemDirectoryHandle,
  ): void {
    const { code, device } = { code: undefined, device: undefined, ...from };
    let streamed = false;
    let accepted: OfferSummary | undefined;
    const begin = (engine: PageEngine, signal: AbortSignal) => {
      const spend = () => {
        if (code === undefined) return;
        address.clear(code);
        if (accepted) engine.forgetAccepted(code, accepted);
      };
      const reception = engine.receive({
        ...{ server: location.origin, signal, share: this.share },
        ...(device ? { device: device.id } : { code, pair: this.#newPair(engine) }),
        accept: async (offer) => {
          const again =
            before !== undefined &&
            isSameOffer(offer, before) &&
            // Something kept says little of the offer that it came from.
            ('names' in before || (code !== undefined && engine.isAccepted(code, offer)));
          const said: Answer = again || (await this.#ask(offer));
          // What is in the folder already goes on there, also from a sender that had to be asked about.
          const answer = said === true && into && before && isSameOffer(offer, before) ? into : said;
          if (!answer) return false;
          await Promise.race([this.#looked, after(LOOK_DEADLINE)]);
          const folder = typeof answer === 'object' ? answer : undefined;
          const store: ReceiveInto = folder ?? (this.able.opfs ? 'kept' : 'stream');
          if (code !== undefined) address.name(code, firstName(offer));
          const { view } = this.shown;
          if (view.at === 'transfer')
            this.shown.patch({ accepted: offer, running: { ...view.running, ...(folder && { folder }) } });
          streamed = store === 'stream' && offer.kind !== 'text';
          if (code !== undefined && store !== 'stream') engine.rememberAccepted(code, offer);
          accepted = offer;
          return store;
        },
      });
      reception.done.then(
        async () => {
          spend();
          const arrived = await reception.kept;
          if (this.#transfer !== reception) return;
          const goes = arrived !== undefined && isOneFile(arrived);
          this.shown.patch({
            ...{ kept: arrived, streamed: streamed && !arrived, serving: !over },
            ...(goes && { saved: true, note: { kind: 'done', text: say('save.byItself') } }),
          });
          if (goes) void this.saver.byItself(arrived);
          else if (arrived) takeBack(arrived);
        },
        (error) => {
          if (!(error instanceof BeelineError && SPENT.has(error.code))) return;
          spend();
          if (this.#transfer === reception) this.shown.patch({ code: undefined });
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
    };
    this.#begin(begun('receive', device?.name), begin, from);
  }

  /** The same once more: what was sent, or what its code is still good for. */
  async again(): Promise<void> {
    const { view } = this.shown;
    if (view.at !== 'transfer') return;
    // Not the address's code: another link may have been opened there meanwhile, to which nobody has said yes.
    const { sent, code, running, device, near } = view;
    // The person chooses another one, as an answer to the same question.
    const gone = running.error?.reason === 'PICKED_FOLDER_GONE';
    const { accepted, folder } = gone ? {} : { accepted: view.accepted, folder: running.folder };
    if (folder) {
      if (!(await this.#mayStillWrite(folder))) return;
      // Pressed twice, or left while the person was asked.
      const { view: now } = this.shown;
      if (now.at !== 'transfer' || now.running !== running) return;
    }
    this.to = sent && device;
    this.toNear = sent && near;
    if (sent) this.#send(sent);
    else if (device) this.receiveFrom(device, accepted, folder);
    else if (code !== undefined) this.receive(code, accepted, folder);
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

  /** Yes, and straight into a folder that the person picks now. */
  async answerFolder(): Promise<void> {
    const answer = this.#answer;
    // At once: a browser shows its dialog only as the answer to a click.
    const folder = await pickFolder().catch((thrown) => this.shown.fault(thrown));
    // Meanwhile the offer may have gone, or another one come.
    if (!folder || !answer || this.#answer !== answer) return;
    this.#answer = undefined;
    this.shown.patch({ offer: undefined });
    answer(folder);
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
    const left = this.#leave();
    this.shown.show(home());
    // What is kept of it may be removed a moment after the list is shown. So the list is made again then.
    if (view.at !== 'transfer' || view.running.error || view.running.done) return;
    const again = () => this.shown.view.at === 'home' && this.shown.show(home());
    left?.done.then(again, again);
  }

  /** @returns what was shown, and is not any more */
  #leave(): Transfer | undefined {
    const { view } = this.shown;
    const left = this.#transfer;
    this.#transfer = undefined;
    if (view.at !== 'transfer') return left;
    // Nobody would see that it still gives, and what has not begun is not to begin.
    if (view.serving || !left) this.stop();
    if (view.running.done && view.sent && 'text' in view.sent) this.draft = '';
    return left;
  }

  /** Makes room for what another program gives, unless something runs that nothing may take the place of: then it says so. */
  #mayTake(): boolean {
    if (mustStay(this.shown.view)) {
      this.shown.note({ kind: 'error', text: say('drop.busy') });
      return false;
    }
    this.#leave();
    return true;
  }

  async #loadNear(): Promise<void> {
    const part = await import('./near/index.ts');
    const here = await part.NearHere.load(() => this.shown.changed());
    this.near = { ...part, here };
    this.shown.changed();
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
    const { to, toNear } = this;
    const wanted = toNear ? 1 : this.wanted;
    const server = location.origin;
    this.to = undefined;
    this.toNear = undefined;
    if (to)
      return this.#begin(
        begun('send', to.name),
        (engine, signal) => engine.send(what, { server, signal, device: to.id }),
        { sent: what, device: to },
      );
    this.#begin(
      wanted === 1 ? begun('send') : begunFor(wanted),
      (engine, signal) =>
        engine.send(what, {
          ...{ server, signal, receivers: wanted },
          ...(wanted === 1 && { pair: this.#newPair(engine) }),
        }),
      { sent: what, ...(toNear && { near: toNear }) },
    );
  }

  /** @param start not called if the person goes back before it can be */
  #begin(
    first: TransferShown,
    start: (engine: PageEngine, signal: AbortSignal) => Transfer,
    of: Pick<Transferring, 'sent' | 'code' | 'device' | 'near'>,
  ): void {
    this.#task = undefined;
    this.#transfer = undefined;
    // What this takes the place of would go on unseen, or begin once the engine is there.
    if (mustStay(this.shown.view)) this.stop();
    this.#answer?.(false);
    this.#answer = undefined;
    const stop = new AbortController();
    const { signal } = stop;
    this.#stop = stop;
    const { sent } = of;
    const fail = (thrown: unknown) => this.#backTo(sent && !('text' in sent) ? sent : [], faultNote(thrown));
    this.shown.show({ at: 'transfer', running: first, ...of });
    withEngine(
      (engine) => {
        if (signal.aborted) return;
        try {
          this.#follow(start(engine, signal), first, of);
        } catch (thrown) {
          fail(thrown);
        }
      },
      (thrown) => signal.aborted || fail(thrown),
    );
  }

  #follow(
    transfer: Transfer,
    first: TransferShown,
    of: Pick<Transferring, 'sent' | 'code' | 'device' | 'near'>,
  ): void {
    this.#transfer = transfer;
    this.shown.show({ at: 'transfer', running: { ...first, state: transfer.state }, ...of });
    const sends = of.sent !== undefined;
    transfer.subscribe((event) => {
      if (this.#transfer !== transfer || this.shown.view.at !== 'transfer') return;
      const running = nextOfAll(this.shown.view.running, event);
      if (of.near && sends) this.near?.here.follow(of.near, running);
      const often = event.event === 'progress' || event.event === 'lane';
      if (running.several && often) return this.shown.patchSoon({ running });
      const over = event.event === 'error' || event.event === 'done';
      // Whoever ended it, nobody waits for an answer any more.
      if (over) this.#answer?.(false);
      this.shown.patch({ running, ...(over && { offer: undefined, note: undefined }) });
    });
    const { device, near } = of;
    // Also where it was left, and nothing of it is heard here.
    const uncall = () => sends && near && this.near?.here.over();
    transfer.done.then(uncall, uncall);
    transfer.done.then(() => device && this.known.met(device)).catch(() => {});
    const pair = this.#pair;
    this.#pair = undefined;
    void pair?.then((made) => made && this.#transfer === transfer && this.shown.patch({ pair: made }));
  }

  /** By which the other side of the transfer that begins may remember this one. Not of a page whose server is gone tomorrow. */
  #newPair(engine: PageEngine): Promise<OwnPair | undefined> {
    this.#pair = this.receiving ? Promise.resolve(undefined) : engine.newPair();
    return this.#pair;
  }

  #ask(offer: OfferSummary): Promise<Answer> {
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
