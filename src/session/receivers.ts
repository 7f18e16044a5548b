/**
 * The receivers of one offer: a session for each. Who comes is let in while there is room, one who comes back finds its session
 * again, and the whole ends when all that are wanted have ended.
 */
import { Alarm } from '../base/clock.ts';
import { type BeelineError, type ErrorCode, fault, retold } from '../base/errors.ts';
import { MAX_RECIPIENTS } from '../base/limits.ts';
import { escapeName } from '../base/printable.ts';
import { nameOfPlace } from '../identity/return-secret.ts';
import { isFinal } from '../sync/machine.ts';
import type { Hello, Refusal } from '../wire/signal.ts';
import type { ReceiverResult, Result } from './api.ts';
import { warningEvent } from './cause.ts';
import { DeliveryError } from './delivery.ts';
import { Guesses } from './guesses.ts';
import { Lobby } from './lobby.ts';
import { CHOSEN } from './meaning.ts';
import type { Known, Platform } from './ports.ts';
import type { Session, SessionEnd } from './session.ts';
import type { Running, SessionOwner } from './transfer.ts';

/** How many wrong guesses burn a code. The code for several receivers has three words. */
const GUESSES_OF_ONE = 1;
const GUESSES_OF_SEVERAL = 3;
/** Between two looks at whether one who came once more still gets something. */
const VISIT_MS = 60_000;

/** Ends of the whole that its person chose. */
const STOPPED: ReadonlySet<ErrorCode> = new Set(['INTERRUPTED', 'CANCELLED']);

/** Those who meet under one secret. */
export interface Group {
  readonly lobby: Lobby;
  /** How many are wanted. */
  readonly most: number;
  /** The trusted device that it is for, by its name. */
  readonly device: string | undefined;
  /** The session that waits for the next one. */
  spare: Session | undefined;
  readonly sessions: Set<Session>;
  /** How many have ended for good. */
  ended: number;
  /** The places of those who have everything. */
  readonly served: Set<string>;
  /** Nobody new is let in. */
  closed: boolean;
  /** Nobody can come at all: its code is burnt, or its mailbox is gone. */
  unreachable: boolean;
  /** For the next session. */
  readonly soon: Alarm;
}

export interface ReceiversPorts {
  platform: Platform;
  /** Whoever comes now can still have all of it: not of a stream that has begun. */
  joinable: () => boolean;
  /** Makes what a session needs and opens it. */
  open: (session: Session, group: Group) => void;
  /** What a session has moved so far. */
  moved: (session: Session) => Moved;
  /** A session has ended that had a receiver, or that is the only one. Returns what it moved. */
  ended: (session: Session, end: SessionEnd) => Moved;
  /** All have ended: makes a record of those who have everything. Never rejects. */
  keep: () => Promise<Kept>;
}

/** Of the place of one who comes. */
type Standing = Session | 'visits' | 'served' | 'new';

/** How much a receiver has got. */
export type Moved = Pick<ReceiverResult, 'bytes' | 'resumed' | 'seconds'>;

/** Where the record is, if there is one, and hex of the root over what they have. */
type Kept = { receipt?: string; root?: string };

export class Receivers implements SessionOwner {
  readonly #transfer: Running;
  readonly #ports: ReceiversPorts;
  readonly #groups: Group[] = [];
  /** Of those who have everything. */
  readonly #results: Result[] = [];
  /** All who were there. */
  readonly #told: ReceiverResult[] = [];
  #concluded = false;
  /** Somebody was receiving when the whole was ended from here. */
  #cut = false;
  /** Why one of those that were wanted does not have it: a person chose so, or it failed. */
  #declined: BeelineError | undefined;
  #error: BeelineError | undefined;

  /** @param several more than one receiver is wanted, in one group or in several */
  constructor(transfer: Running, several: boolean, ports: ReceiversPorts) {
    this.#transfer = transfer;
    this.#ports = ports;
    transfer.owner = this;
    transfer.several = several;
  }

  /** Those who will meet under one more secret. Its session waits from now on. @param most infinite: any number */
  group(most: number, way: Known['secret']['way'], device?: string): Group {
    const transfer = this.#transfer;
    const { clock, pake } = this.#ports.platform;
    const guesses = new Guesses(
      way === 'code' ? (most > 1 ? GUESSES_OF_SEVERAL : GUESSES_OF_ONE) : Number.POSITIVE_INFINITY,
    );
    const group: Group = {
      lobby: new Lobby({
        ...{ role: 'sender', clock, pake, guesses, log: transfer.log },
        emit: (event) => transfer.events.emit(event),
        seat: (hello) => this.#seat(group, hello, guesses.burnt),
        placeNamed: (name) => this.#placeNamed(group, name),
        strangers: (present) => {
          for (const session of group.sessions) if (!session.attended) session.present(present);
        },
        failed: (error) => this.#failed(group, error, guesses.burnt),
        lost: (error) => this.#unreachable(group, error),
      }),
      ...{ most, device },
      spare: undefined,
      sessions: new Set(),
      ended: 0,
      served: new Set(),
      ...{ closed: false, unreachable: false, soon: new Alarm(clock) },
    };
    this.#groups.push(group);
    // The first session has been there since the transfer began.
    this.#spare(group, this.#groups.length === 1 ? transfer.session : this.#another());
    transfer.cleanup.push(() => {
      group.soon.clear();
      group.lobby.close();
    });
    return group;
  }

  /** Nobody new is let in any more: whoever is under way goes on, and may be started again. */
  admitNoMore(): void {
    if (!this.#busy && this.#results.length === 0 && !this.#error)
      return this.#transfer.fail(fault('NOBODY_CAME'));
    for (const group of this.#groups) this.#shut(group);
    this.#conclude();
  }

  idle(): void {
    this.#conclude();
  }

  /** Somebody has had all of it by a link, and counts as one of those that are wanted. */
  byLink(address: string, result: Result): void {
    if (this.#concluded || this.#transfer.ends) return;
    const { bytes, resumed, seconds } = result;
    this.#results.push(result);
    if (this.#told.length < MAX_RECIPIENTS)
      this.#told.push({ ...{ peer: 0, fingerprint: '', address, ok: true }, bytes, resumed, seconds });
    const group = this.#groups.find(({ closed }) => !closed);
    if (group && ++group.ended >= group.most) this.#shut(group);
    this.#conclude();
  }

  ended(session: Session, end: SessionEnd): void {
    const group = this.#groups.find(({ sessions }) => sessions.has(session));
    group?.sessions.delete(session);
    // Its place at the mailbox is for others; with one receiver the mailbox itself ends.
    group?.lobby.leave(session, this.#transfer.several ? 'out' : undefined);
    if (group?.spare === session) group.spare = undefined;
    if (session.proven || !this.#transfer.several) {
      const moved = this.#ports.ended(session, end);
      const counts = !session.again || this.#countsOnceMore(group, end, moved);
      if (session.proven && counts) this.#record(session, end, moved);
      if (session.proven && this.#transfer.several && group) {
        if (counts) this.#count(group, session, end);
        this.#tellEnd(session, end, moved, !counts);
        if (group.ended >= group.most) this.#shut(group);
        else this.#restock(group);
      }
    }
    if (!this.#transfer.several || !group) return void this.#finish(end);
    this.#conclude();
  }

  /** Who was sent something had not kept what it had: it counts as anybody else, if that takes nobody's place. */
  #countsOnceMore(group: Group | undefined, end: SessionEnd, { bytes, resumed }: Moved): boolean {
    return 'result' in end && bytes > resumed && group !== undefined && this.#taken(group) < group.most;
  }

  #record({ id, peer }: Session, end: SessionEnd, moved: Moved): void {
    const error = 'error' in end ? end.error : undefined;
    if (this.#told.length < MAX_RECIPIENTS)
      this.#told.push({ peer: id, ...peer, ok: !error, ...moved, ...(error && { error }) });
  }

  #count(group: Group, { place }: Session, end: SessionEnd): void {
    const error = 'error' in end ? end.error : undefined;
    const chosen = error !== undefined && CHOSEN.has(error.code);
    if (!error || chosen) group.ended++;
    if ('result' in end) this.#results.push(end.result);
    else this.#error ??= end.error;
    if (chosen) this.#declined ??= error;
    if (error && error.code === this.#transfer.failure?.code) this.#cut = true;
    if (!error && place !== undefined && group.served.size < MAX_RECIPIENTS) group.served.add(place);
  }

  #tellEnd({ id, peer }: Session, end: SessionEnd, { bytes, seconds }: Moved, again: boolean): void {
    const error = 'error' in end ? end.error : undefined;
    const { fingerprint, name } = peer;
    this.#transfer.events.emit({
      ...{ event: 'ended', peer: id, fingerprint, ...(name !== undefined && { name }) },
      ...{ ok: !error, ...(again && { again }), bytes, seconds },
      ...(error && {
        code: error.code,
        ...(error.reason && { reason: error.reason }),
        message: error.message,
      }),
    });
  }

  /** Some session has a receiver. */
  get #busy(): boolean {
    for (const { proven } of this.#transfer.sessions) if (proven) return true;
    return false;
  }

  /** Somebody is waited for who has not had everything before: one who may still come, or one who is there. */
  get #waits(): boolean {
    if (this.#groups.some(({ closed }) => !closed)) return true;
    return [...this.#transfer.sessions].some(({ proven, again }) => proven && !again);
  }

  /** A session that has ended still counts until its end is told, unless its receiver may come again. */
  #taken({ sessions, ended, spare }: Group): number {
    let taken = ended;
    for (const session of sessions) {
      const { over, failure, again } = session;
      if (session !== spare && !again && (!over || !failure || CHOSEN.has(failure.code))) taken++;
    }
    return taken;
  }

  /** Ends the whole if nothing is left to wait for. */
  #conclude(): void {
    const transfer = this.#transfer;
    if (this.#busy || (!transfer.ends && this.#groups.some(({ closed }) => !closed))) return;
    // Nobody comes any more for those that still wait.
    for (const session of [...transfer.sessions]) session.cancel();
    if (transfer.sessions.size > 0) return;
    void this.#finish(this.#end());
  }

  /** Of the whole, when each has ended. */
  #end(): SessionEnd {
    const results = this.#results;
    const [first] = results;
    const done = results.length;
    const wanted = this.#groups.reduce((sum, { most }) => sum + most, 0);
    const { failure } = this.#transfer;
    // With any number, the person here says when it is enough: one success will do.
    const enough = wanted === Number.POSITIVE_INFINITY ? 1 : wanted;
    const stopped = failure && STOPPED.has(failure.code) && enough < wanted && !this.#cut;
    if (failure && !(stopped && first)) return { error: failure };
    const error = this.#declined ?? this.#error;
    if (!first) return { error: error ?? fault('NOBODY_CAME') };
    if (done >= enough) return { result: this.#whole(first) };
    if (!error) return { error: fault('TOO_FEW_CAME', { done, wanted }) };
    return { error: retold(error, `${done} of ${wanted} received it. ${error.message}`) };
  }

  #whole(first: Result): Result {
    const whole = { ...first, resumed: 0 };
    for (const { bytes, resumed, seconds } of this.#results) {
      whole.bytes = Math.max(whole.bytes, bytes);
      whole.resumed += resumed;
      whole.seconds = Math.max(whole.seconds, seconds);
    }
    return whole;
  }

  /** Who has everything goes on record, and the person is told. */
  async #finish(end: SessionEnd): Promise<void> {
    if (this.#concluded) return;
    this.#concluded = true;
    const receivers = this.#told;
    const { receipt, root } = await this.#ports.keep();
    if ('result' in end) {
      const kept = { ...(receipt !== undefined && { receipt }), ...(root !== undefined && { root }) };
      return this.#transfer.end({ result: { ...end.result, ...kept, receivers } });
    }
    const { error } = end;
    if (!this.#transfer.several || receivers.length === 0) return this.#transfer.end({ error });
    return this.#transfer.end({ error: new DeliveryError(error, { receivers, receipt }) });
  }

  /** The place that has this name, of somebody who was here: also while it is still believed to be. */
  #placeNamed({ sessions, served }: Group, name: string): string | undefined {
    const named = (place: string | undefined) => place !== undefined && nameOfPlace(place) === name;
    for (const { place, over, failure } of sessions) if (!(over && failure) && named(place)) return place;
    for (const place of served) if (named(place)) return place;
    return undefined;
  }

  /**
   * What is known of the place of one who comes: its session, if it finds that again; `served`, if it has everything, and `visits` while
   * it is here once more. docs/decisions.md has the table of all cases.
   */
  #known({ sessions, served }: Group, { place, fingerprint }: Hello, burnt: boolean): Standing {
    if (place === undefined) return 'new';
    let has = served.has(place);
    let visits = false;
    for (const session of sessions) {
      if (session.place !== place) continue;
      const { over, finished, again, attended, connected, pin } = session;
      // A process that has not heard that it has everything comes back to the session that told it. A new one has to compare.
      if (over || (finished && pin !== fingerprint)) has ||= finished;
      // Under a burnt code nobody else has proved this place: it is back before the server has noticed that it was gone.
      else if (!attended || (burnt && !connected)) return session;
      else visits ||= again;
    }
    if (!has) return 'new';
    return visits ? 'visits' : 'served';
  }

  /** Whose session one has that has proved itself: its own again, the one that waits, or that of one who is gone. */
  #seat(group: Group, hello: Hello, burnt: boolean): Session | Refusal {
    const known = this.#known(group, hello, burnt);
    const own = typeof known === 'object' ? known : undefined;
    if (!this.#transfer.several) return burnt && !own ? 'BURNT' : this.#transfer.session;
    if (this.#transfer.ends) return 'ENDED';
    // Who says that it is another's peer would speak for that one.
    if (!this.#transfer.mayPin(own, hello.fingerprint)) return 'FULL';
    if (own) return own;
    if (known === 'visits') return 'FULL';
    if (known === 'served') return this.#visit(group);
    if (burnt) return 'BURNT';
    const next = this.#stock(group);
    if (next) {
      group.spare = undefined;
      this.#restock(group);
      return next;
    }
    const there = [...group.sessions].filter(({ over, finished, again }) => !over && !finished && !again);
    // Nobody but that one device has its secret.
    if (group.most === 1 && there[0]) return there[0];
    return group.closed ? 'CLOSED' : (there.find(({ deserted }) => deserted) ?? 'FULL');
  }

  /**
   * A session for one who has everything already, and was killed before it knew, or is just started again. It finds all of it in its
   * place. It keeps nobody's place. Nor is it waited for: it ends when it goes and was sent nothing; and after a minute in which nothing
   * came to it, if it is away or nobody else is waited for.
   */
  #visit(group: Group): Session | Refusal {
    if (!this.#waits || !this.#ports.joinable()) return 'CLOSED';
    const session = this.#another(true);
    group.sessions.add(session);
    const had = fault('HAD_IT_BEFORE');
    const soon = new Alarm(session.clock);
    session.cleanup.push(() => soon.clear());
    let most = 0;
    const look = () => {
      const { bytes } = this.#ports.moved(session);
      if (bytes <= most && !(session.connected && this.#waits)) return session.fail(had);
      most = Math.max(most, bytes);
      soon.set(VISIT_MS, look);
    };
    soon.set(VISIT_MS, look);
    session.fleeting = () => {
      const { bytes, resumed } = this.#ports.moved(session);
      return bytes > resumed ? undefined : had;
    };
    this.#opened(session, group);
    return session;
  }

  /** Makes a session wait for the next one, if more are wanted. It does so a moment later: somebody is just being answered. */
  #restock(group: Group): void {
    group.soon.set(0, () => void this.#stock(group));
  }

  /** The session that waits for the next one; undefined if nobody else is wanted. */
  #stock(group: Group): Session | undefined {
    if (this.#transfer.ends || group.closed || group.spare) return group.closed ? undefined : group.spare;
    if (this.#taken(group) >= group.most) return undefined;
    if (!this.#ports.joinable()) {
      this.#shut(group);
      this.#conclude();
      return undefined;
    }
    const session = this.#another();
    this.#spare(group, session);
    this.#opened(session, group);
    return session;
  }

  #opened(session: Session, group: Group): void {
    try {
      this.#ports.open(session, group);
    } catch (thrown) {
      session.fail(thrown);
    }
  }

  #another(again = false): Session {
    const session = this.#transfer.another(again);
    session.dispatch('start');
    return session;
  }

  #spare(group: Group, session: Session): void {
    group.spare = session;
    group.sessions.add(session);
    session.watch((_, to) => {
      // Whoever has proved nothing is told at once that there is nothing here.
      if (isFinal(to) && (!this.#transfer.several || this.#transfer.ends)) group.lobby.refuse('ENDED');
    });
  }

  #shut(group: Group): void {
    group.closed = true;
    group.lobby.dismiss('CLOSED');
    this.#dismissSpare(group);
  }

  /** With one receiver, the session that waited for it is the one that serves it. */
  #dismissSpare({ spare }: Group): void {
    if (spare?.proven === false) spare.cancel();
  }

  /** Somebody who has proved nothing failed. */
  #failed(group: Group, error: BeelineError, burnt: boolean): void {
    if (!this.#transfer.several) return this.#transfer.session.failUnlessProven(error);
    if (burnt) return this.#unreachable(group, error);
    // A stranger ends nothing; of a wrong guess the person is to know.
    if (error.code === 'WRONG_CODE') this.#transfer.events.emit(warningEvent(error));
    else this.#transfer.log?.warn({ code: error.code }, 'refused on the rendezvous');
  }

  /** Nobody new can come: whoever is connected needs no rendezvous. */
  #unreachable(group: Group, error: BeelineError): void {
    if (!this.#transfer.several) return this.#transfer.session.failUnlessProven(error);
    // Where all have been that were wanted, nothing is lost.
    if (this.#transfer.ends || group.unreachable || group.ended >= group.most) return;
    this.#error ??= error;
    group.closed = true;
    group.unreachable = true;
    const all = this.#groups.every(({ closed }) => closed);
    if (all && !this.#busy && this.#results.length === 0) return this.#transfer.fail(error);
    // A burnt code says so itself.
    const burnt = error.reason === 'CODE_GUESSED_OUT';
    this.#transfer.events.emit(warningEvent(burnt ? error : this.#placeLost(group, error)));
    this.#dismissSpare(group);
    this.#conclude();
  }

  /** Of several devices the others still can come. */
  #placeLost({ device }: Group, cause: BeelineError): BeelineError {
    const why = cause.message;
    if (device === undefined || this.#groups.length === 1) return fault('PLACE_LOST', { why }, { cause });
    return fault('DEVICE_PLACE_LOST', { device: escapeName(device), why }, { cause });
  }
}
