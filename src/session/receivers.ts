/**
 * The receivers of one offer: a session for each. Who comes is let in while there is room, one who comes back finds its session
 * again, and the whole ends when all that are wanted have ended.
 */
import { Alarm } from '../base/clock.ts';
import { type BeelineError, type ErrorCode, fault, retold } from '../base/errors.ts';
import { MAX_RECIPIENTS } from '../base/limits.ts';
import { nameOfPlace } from '../identity/return-secret.ts';
import { isFinal } from '../sync/machine.ts';
import type { Hello, Refusal } from '../wire/signal.ts';
import type { ReceiverResult, Result } from './api.ts';
import { warningEvent } from './cause.ts';
import { DeliveryError } from './delivery.ts';
import { Guesses } from './guesses.ts';
import { Lobby } from './lobby.ts';
import type { Known, Platform } from './ports.ts';
import type { Session, SessionEnd } from './session.ts';
import type { Running, SessionOwner } from './transfer.ts';

/** How many wrong guesses burn a code. The code for several receivers has three words. */
const GUESSES_OF_ONE = 1;
const GUESSES_OF_SEVERAL = 3;
/** Ends that a person chose. Each counts as the end of one receiver that was waited for. One that failed may come again. */
const CHOSEN: ReadonlySet<ErrorCode> = new Set(['REFUSED', 'CANCELLED']);

/** Ends of the whole that its person chose. */
const STOPPED: ReadonlySet<ErrorCode> = new Set(['INTERRUPTED', 'CANCELLED']);

/** Those who meet under one secret. */
export interface Group {
  readonly lobby: Lobby;
  /** How many are wanted. */
  readonly most: number;
  /** The session that waits for the next one. */
  spare: Session | undefined;
  readonly sessions: Set<Session>;
  /** How many have ended for good. */
  ended: number;
  /** The places of those who have everything. */
  readonly served: Set<string>;
  /** Sessions of those who had everything before, and have come once more. They take no place. */
  readonly again: Set<Session>;
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
  /** A session has ended that had a receiver, or that is the only one. Returns what it moved. */
  ended: (session: Session, end: SessionEnd) => Moved;
  /** All have ended: makes a record of those who have everything. Never rejects. */
  keep: () => Promise<Kept>;
}

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
  group(most: number, way: Known['secret']['way']): Group {
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
        placeNamed: (name) => this.#returning(group).find((place) => nameOfPlace(place) === name),
        returns: () => this.#returning(group).length > 0,
        strangers: (present) => {
          for (const session of group.sessions) if (!session.attended) session.present(present);
        },
        failed: (error) => this.#failed(group, error, guesses.burnt),
        lost: (error) => this.#unreachable(group, error),
      }),
      most,
      spare: undefined,
      sessions: new Set(),
      ended: 0,
      ...{ served: new Set<string>(), again: new Set<Session>() },
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

  ended(session: Session, end: SessionEnd): void {
    const group = this.#groups.find(({ sessions }) => sessions.has(session));
    const again = group?.again.has(session) === true;
    group?.sessions.delete(session);
    // Its place at the mailbox is for others; with one receiver the mailbox itself ends.
    group?.lobby.leave(session, this.#transfer.several ? 'out' : undefined);
    if (group?.spare === session) group.spare = undefined;
    if (session.proven || !this.#transfer.several) {
      const moved = this.#ports.ended(session, end);
      // Who was sent something had not kept what it had: it counts as anybody else.
      const counts = !again || ('result' in end && moved.bytes > moved.resumed);
      if (session.proven && counts) this.#record(session, end, moved);
      if (session.proven && this.#transfer.several && group) {
        if (counts) this.#count(group, session, end);
        this.#tellEnd(session, end, moved, !counts);
        if (group.ended >= group.most) this.#shut(group);
        else this.#restock(group);
      }
    }
    group?.again.delete(session);
    if (!this.#transfer.several || !group) return void this.#finish(end);
    this.#conclude();
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

  /** A session that has ended still counts until its end is told, unless its receiver may come again. */
  #taken({ sessions, ended, again }: Group): number {
    let taken = ended;
    for (const session of sessions) {
      const { over, failure } = session;
      if (!again.has(session) && (!over || !failure || CHOSEN.has(failure.code))) taken++;
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

  /** The places of those who are away and may come back. */
  #returning({ sessions }: Group): string[] {
    return [...sessions].flatMap(({ over, attended, place }) =>
      place === undefined || over || attended ? [] : [place],
    );
  }

  /** Whose session one has that has proved itself: its own again, the one that waits, or that of one who is gone. */
  #seat(group: Group, { place, fingerprint }: Hello, burnt: boolean): Session | Refusal {
    if (!this.#transfer.several) return this.#transfer.session;
    if (this.#transfer.ends) return 'ENDED';
    const { again, served } = group;
    const there = [...group.sessions].filter((session) => session !== group.spare && !session.over);
    const taken = there.filter((session) => !again.has(session));
    const own = taken.find((each) => place !== undefined && each.place === place && !each.attended);
    // Who says that it is another's peer would speak for that one.
    if (!this.#transfer.mayPin(own, fingerprint)) return 'FULL';
    if (own) return own;
    if (place !== undefined && served.has(place)) return this.#anew(group, there, place);
    if (burnt) return 'BURNT';
    const next = this.#stock(group);
    if (next) {
      group.spare = undefined;
      this.#restock(group);
      return next;
    }
    const gone = taken.find(({ deserted }) => deserted) ?? (group.most === 1 ? taken[0] : undefined);
    return gone ?? (group.closed ? 'CLOSED' : 'FULL');
  }

  /**
   * A session for one who has everything already, and was killed before it knew, or is just started again. It finds all of it in its
   * place. It keeps nobody's place, nor the whole waiting once it has gone.
   * @param there sessions of those who are here
   */
  #anew(group: Group, there: readonly Session[], place: string): Session | Refusal {
    const { again } = group;
    const waits =
      this.#groups.some(({ closed }) => !closed) || [...this.#transfer.sessions].some(({ proven }) => proven);
    if (!waits || !this.#ports.joinable()) return 'CLOSED';
    if (there.some((session) => again.has(session) && session.place === place)) return 'FULL';
    const session = this.#another();
    group.sessions.add(session);
    again.add(session);
    session.fleeting = fault('HAD_IT_BEFORE');
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

  #another(): Session {
    const session = this.#transfer.another();
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
    if (this.#transfer.ends || group.unreachable) return;
    this.#error ??= error;
    group.closed = true;
    group.unreachable = true;
    const all = this.#groups.every(({ closed }) => closed);
    if (all && !this.#busy && this.#results.length === 0) return this.#transfer.fail(error);
    this.#transfer.events.emit(warningEvent(error));
    this.#dismissSpare(group);
    this.#conclude();
  }
}
