/** A pipe sealed with keys of its own over one that nobody trusts. Made by the handshake, which feeds it what comes in. */
import { Alarm, realClock } from '../../base/clock.ts';
import { Credit, decodeGrant, encodeGrant } from '../../base/credit.ts';
import { type BeelineError, fault, faultFrom } from '../../base/errors.ts';
import type { Pipe } from '../pipe.ts';
import {
  BATCH,
  HEADER_LENGTH,
  type LaneKeys,
  MAX_PLAIN,
  Opener,
  RECORD_COST,
  RecordParser,
  type RecordType,
  type SealedRecord,
  Sealer,
} from './records.ts';

/** For the last record to leave. */
const CLOSING_MS = 2_000;

export class SealedPipe implements Pipe {
  readonly kind: string;
  readonly relayed: boolean;
  readonly local: string;
  readonly remote: string;
  /** The other side has proved that it has the keys; rejects if the pipe ends before. */
  readonly greeted: Promise<void>;
  #refuse: (error: BeelineError) => void = () => {};
  readonly #inner: Pipe;
  readonly #writer: SealedWriter;
  readonly #reader: SealedReader;
  #started: { data: (bytes: Uint8Array) => void; closed: (error?: Error) => void } | undefined;
  #end: { error: Error | undefined } | undefined;
  readonly #closing = new Alarm(realClock);
  /** Why the pipe below ended, if it said so. */
  #cause: Error | undefined;

  /** @param side whose key this end seals with */
  constructor(inner: Pipe, keys: LaneKeys, side: keyof LaneKeys) {
    this.kind = inner.kind;
    this.relayed = inner.relayed ?? false;
    this.local = inner.local;
    this.remote = inner.remote;
    this.#inner = inner;
    const fail = (error: unknown) => this.#over(faultFrom(error, 'LANE_WRITE_FAILED'));
    const credit = new Credit((total) => this.#writer.control('grant', encodeGrant(total)));
    this.#writer = new SealedWriter(inner, new Sealer(keys[side]), credit, fail);
    const opener = new Opener(keys[side === 'client' ? 'server' : 'client']);
    let greeted = () => {};
    this.greeted = new Promise((resolve, reject) => {
      greeted = resolve;
      this.#refuse = reject;
    });
    // Nobody awaits it after the handshake.
    this.greeted.catch(() => {});
    this.#reader = new SealedReader(opener, credit, {
      greeted: () => greeted(),
      ended: (clean) =>
        this.#over(clean ? undefined : faultFrom(this.#cause ?? fault('LANE_CUT_OFF'), 'LANE_WRITE_FAILED')),
      fail,
    });
  }

  /** Proves that this side has the keys. */
  greet(): void {
    this.#writer.control('hello');
  }

  /** From the pipe below. */
  feed(bytes: Uint8Array): void {
    this.#reader.feed(bytes);
  }

  /** The pipe below has closed. */
  cut(cause?: Error): void {
    this.#cause = cause;
    if (this.#closing.waits) this.#over();
    else this.#reader.cut();
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.#writer.write(bytes, done);
  }

  start(data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void {
    this.#started = { data, closed };
    if (this.#end) this.#report();
    else this.#reader.flow(data);
  }

  pause(): void {
    this.#reader.pause();
  }

  resume(): void {
    if (this.#started && !this.#end && !this.#closing.waits) this.#reader.flow(this.#started.data);
  }

  /** A clean end if no write was under way: the other side learns that nothing was cut off. */
  destroy(error?: Error): void {
    if (this.#end || this.#closing.waits) return;
    if (error || this.#writer.busy) return this.#over(error);
    this.#closing.set(CLOSING_MS, () => this.#over());
    this.#reader.close();
    this.#writer.control('end');
    void this.#writer.flushed().then(() => this.#over());
  }

  #over(error?: Error): void {
    if (this.#end) return;
    this.#end = { error };
    this.#refuse(faultFrom(error ?? fault('LANE_CUT_OFF'), 'LANE_WRITE_FAILED'));
    this.#closing.clear();
    this.#reader.close();
    this.#writer.close(error);
    this.#inner.destroy(error);
    if (this.#started) this.#report();
  }

  /** A turn later, so that the caller of `destroy` is called back only after it. */
  #report(): void {
    queueMicrotask(() => this.#started?.closed(this.#end?.error));
  }
}

/** Grants that wait to be opened: an honest reader gives no more in a whole window. */
const MAX_GRANTS = 16;

interface SealedReaderOwner {
  /** The other side has the key. Comes first. */
  greeted(): void;
  /** No more comes. @param clean the other side said so itself, and all has been delivered */
  ended(clean: boolean): void;
  /** @param error what the other side did, or somebody on the way */
  fail(error: unknown): void;
}

/** What comes in: records opened in order, and data held for an owner that has paused, within the credit. */
class SealedReader {
  readonly #opener: Opener;
  readonly #credit: Credit;
  readonly #owner: SealedReaderOwner;
  readonly #parser: RecordParser;
  /** Not opened yet; then opened and not taken. */
  #sealed: SealedRecord[] = [];
  #held: Uint8Array[] = [];
  #grants = 0;
  #last: RecordType | undefined;
  #running = false;
  /** The pipe below has ended; the other side said before that it would. */
  #cut = false;
  #clean = false;
  #over = false;
  #data: ((bytes: Uint8Array) => void) | undefined;
  #delivering = false;

  constructor(opener: Opener, credit: Credit, owner: SealedReaderOwner) {
    this.#opener = opener;
    this.#credit = credit;
    this.#owner = owner;
    this.#parser = new RecordParser(
      (type, length) => this.#admit(type, length),
      (record) => this.#sealed.push(record),
    );
  }

  feed(bytes: Uint8Array): void {
    if (this.#over || this.#cut) return;
    try {
      this.#parser.feed(bytes);
      void this.#run();
    } catch (thrown) {
      this.#owner.fail(thrown);
    }
  }

  /** No more comes: what is here is still opened, since the end may be among it. */
  cut(): void {
    this.#cut = true;
    void this.#run();
  }

  /** Delivers from now on. */
  flow(data: (bytes: Uint8Array) => void): void {
    this.#data = data;
    this.#deliver();
  }

  pause(): void {
    this.#data = undefined;
  }

  close(): void {
    this.#over = true;
    this.#sealed = [];
    this.#held = [];
    this.#data = undefined;
  }

  /** Called before its bytes are stored. Whether the record is genuine is known only later. */
  #admit(type: RecordType, length: number): void {
    if (this.#last === 'end') throw outOfTurn();
    if ((type === 'hello') !== (this.#last === undefined)) throw outOfTurn();
    if (type === 'data') this.#credit.arrived(length + RECORD_COST);
    if (type === 'grant' && ++this.#grants > MAX_GRANTS) throw outOfTurn();
    this.#last = type;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#sealed.length > 0) {
        const batch = this.#sealed.splice(0, BATCH);
        const opened = await Promise.all(batch.map((record) => this.#opener.open(record)));
        if (this.#over) return;
        batch.forEach(({ type }, i) => {
          this.#take(type, opened[i]!);
        });
      }
    } catch (thrown) {
      this.#owner.fail(thrown);
      return;
    } finally {
      this.#running = false;
    }
    this.#deliver();
  }

  #take(type: RecordType, plain: Uint8Array): void {
    if (this.#over) return;
    if (type === 'data') {
      this.#held.push(plain);
      this.#deliver();
    } else if (type === 'grant') {
      this.#grants--;
      this.#credit.hear(decodeGrant(plain));
    } else if (type === 'hello') this.#owner.greeted();
    else this.#clean = true;
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    while (this.#data && this.#held.length > 0) {
      const bytes = this.#held.shift()!;
      this.#data(bytes);
      this.#credit.took(bytes.length + RECORD_COST);
    }
    this.#delivering = false;
    if (this.#over || this.#running || this.#sealed.length > 0) return;
    if (this.#clean && this.#held.length === 0) this.#owner.ended(true);
    else if (this.#cut && !this.#clean) this.#owner.ended(false);
  }
}

function outOfTurn(): BeelineError {
  return fault('PEER_MALFORMED', { what: 'a record on a sealed lane that does not belong there' });
}

interface Plain {
  type: RecordType;
  bytes: Uint8Array;
}

type Done = (error?: Error | null) => void;

/** What leaves: the owner's bytes, as far as there is credit for them, and control records ahead of them. */
class SealedWriter {
  readonly #inner: Pipe;
  readonly #sealer: Sealer;
  readonly #credit: Credit;
  readonly #fail: (error: unknown) => void;
  /** Not behind data: if a grant waited for credit, both sides could wait for ever. */
  readonly #control: Plain[] = [];
  #write: { bytes: Uint8Array; at: number; done: Done } | undefined;
  /** Bytes of it that credit was given for, or is asked for. */
  #cleared = 0;
  #asked = false;
  #running = false;
  #idle: (() => void)[] = [];
  /** The end is the last that is said. An owner may close the pipe as it takes bytes, and for those a grant would follow. */
  #ending = false;
  /** Records of the batch that is being written, put together; free again when the pipe below has taken them. */
  #scratch = new Uint8Array(0);
  #over = false;

  /** @param fail the pipe below, or the key, takes no more */
  constructor(inner: Pipe, sealer: Sealer, credit: Credit, fail: (error: unknown) => void) {
    this.#inner = inner;
    this.#sealer = sealer;
    this.#credit = credit;
    this.#fail = fail;
  }

  /** The owner is in the middle of a write. */
  get busy(): boolean {
    return this.#write !== undefined;
  }

  /** As a pipe's; calls back when all is sealed and the pipe below has begun with the last of it. */
  write(bytes: Uint8Array, done: Done): void {
    if (this.#over || this.#ending) return void queueMicrotask(() => done(fault('LANE_CLOSED')));
    this.#write = { bytes, at: 0, done };
    this.#clear();
    // Also for what needs no credit: nothing at all.
    void this.#run();
  }

  control(type: RecordType, bytes: Uint8Array = new Uint8Array(0)): void {
    if (this.#over || this.#ending) return;
    this.#ending = type === 'end';
    this.#control.push({ type, bytes });
    void this.#run();
  }

  /** Resolves when the pipe below has taken all that there is, or takes no more. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#running) this.#idle.push(resolve);
      else resolve();
    });
  }

  close(error: Error = fault('LANE_CLOSED')): void {
    if (this.#over) return;
    this.#over = true;
    this.#credit.close();
    const write = this.#write;
    this.#write = undefined;
    if (write) queueMicrotask(() => write.done(error));
  }

  #clear(): void {
    if (!this.#write || this.#asked || this.#cleared > 0) return;
    const { bytes, at } = this.#write;
    const length = Math.min(bytes.length - at, BATCH * MAX_PLAIN);
    if (length === 0) return;
    this.#asked = true;
    this.#credit.spend(length + Math.ceil(length / MAX_PLAIN) * RECORD_COST, () => {
      this.#asked = false;
      this.#cleared = length;
      void this.#run();
    });
  }

  /** While one batch is under way in the pipe below, the next is sealed. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      let sent = Promise.resolve();
      while (!this.#over) {
        const batch = this.#next();
        if (batch.length === 0) {
          await sent;
          this.#advance();
          if (this.#control.length === 0 && this.#cleared === 0) break;
          continue;
        }
        const records = await Promise.all(batch.map(({ type, bytes }) => this.#sealer.seal(type, bytes)));
        await sent;
        if (this.#over) break;
        sent = this.#send(records);
        // It is awaited later.
        sent.catch(() => {});
        this.#advance();
      }
    } catch (thrown) {
      this.#fail(thrown);
    }
    this.#running = false;
    for (const idle of this.#idle.splice(0)) idle();
  }

  /** What is to be sealed now: control first, and of the write what has credit. */
  #next(): Plain[] {
    const batch = this.#control.splice(0, BATCH);
    const write = this.#write;
    while (write && this.#cleared > 0) {
      const bytes = write.bytes.subarray(write.at, write.at + Math.min(this.#cleared, MAX_PLAIN));
      write.at += bytes.length;
      this.#cleared -= bytes.length;
      batch.push({ type: 'data', bytes });
    }
    return batch;
  }

  /** All that was taken of the write is sealed and handed on. */
  #advance(): void {
    const write = this.#write;
    if (!write) return;
    if (write.at < write.bytes.length) return this.#clear();
    this.#write = undefined;
    write.done();
  }

  #send(records: SealedRecord[]): Promise<void> {
    const length = records.reduce((sum, { body }) => sum + HEADER_LENGTH + body.length, 0);
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length);
    let at = 0;
    for (const { header, body } of records) {
      this.#scratch.set(header, at);
      this.#scratch.set(body, at + HEADER_LENGTH);
      at += HEADER_LENGTH + body.length;
    }
    return new Promise((resolve, reject) => {
      this.#inner.write(this.#scratch.subarray(0, length), (error) => (error ? reject(error) : resolve()));
    });
  }
}
