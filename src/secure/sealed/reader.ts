/** What comes in on a sealed lane: records opened in order, and data held for an owner that has paused, within the credit. */

import { decodeGrant, type Credit } from '../../base/credit.ts';
import { BeelineError } from '../../base/errors.ts';
import type { Opener } from './cipher.ts';
import { BATCH, RECORD_COST, RecordParser, type RecordType, type SealedRecord } from './record.ts';

/** Grants that wait to be opened: an honest reader gives no more in a whole window. */
const MAX_GRANTS = 16;

export interface SealedReaderOwner {
  /** The other side has the key. Comes first. */
  greeted(): void;
  /** There is no more. @param clean the other side said so itself, and all has been delivered */
  ended(clean: boolean): void;
  /** @param error what the other side did, or somebody on the way */
  fail(error: unknown): void;
}

export class SealedReader {
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

  /** Before its bytes are stored; that the record is genuine shows later. */
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
