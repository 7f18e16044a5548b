/**
 * Which receivers of one offer the origin introduces to each other, and what it passes on between them until they are connected. Each
 * has a few neighbours. All of them stand in a ring, and those beside each other are neighbours: so a chunk can get from each to
 * each. The other neighbours are drawn by chance: so it gets there in a few steps.
 */
import type { Clock } from '../base/clock.ts';
import { MAX_NEIGHBOURS } from '../base/limits.ts';
import type { Message } from '../wire/messages.ts';
import { LatestWord, type NumberedWord } from './latest-word.ts';

/** Neighbours that a newcomer gets even if all others have as many as they may: then some of these part for it. */
const WANTED = 4;

interface Link {
  /** Who dials. */
  readonly dials: Member;
  /** What each of the two says to the other, by who says it. */
  readonly words: Map<Member, LatestWord>;
}

/** A receiver that gives to others. */
export interface Member {
  readonly id: number;
  /** On any of its lanes. */
  readonly tell: (message: Message) => void;
  readonly links: Map<Member, Link>;
  /** Those that it refused, or that refused it. */
  readonly refused: Set<Member>;
}

export class Introducer {
  readonly #clock: Clock;
  /** From 0 up to 1. */
  readonly #random: () => number;
  /** In the order of the ring. */
  readonly #ring: Member[] = [];
  /** Whose neighbours have changed. */
  readonly #changed = new Set<Member>();
  #ids = 0;
  #seq = 0;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** @param tell says it to the receiver, on any lane; if there is none, `standing` is for the next one */
  join(tell: Member['tell']): Member {
    const member: Member = { id: ++this.#ids, tell, links: new Map(), refused: new Set() };
    const at = Math.floor(this.#random() * this.#ring.length);
    this.#ring.splice(at, 0, member);
    for (const other of this.#beside(member)) this.#linkInRing(member, other);
    this.#fill(member);
    this.#part(member);
    this.#tell();
    return member;
  }

  /** It gives nothing any more, or is away for good. */
  leave(member: Member): void {
    const at = this.#ring.indexOf(member);
    if (at === -1) return;
    this.#ring.splice(at, 1);
    const left = [...member.links.keys()];
    for (const other of left) this.#unlink(member, other);
    for (const other of this.#ring) other.refused.delete(member);
    const next = this.#ring[at % this.#ring.length];
    if (next) for (const other of this.#beside(next)) this.#linkInRing(next, other);
    for (const other of left) this.#fill(other);
    this.#changed.delete(member);
    this.#tell();
  }

  /** It says this to a neighbour. What is meant for anybody else is dropped: they may have parted meanwhile. */
  say(from: Member, to: number, word: NumberedWord): void {
    const other = neighbour(from, to);
    if (other) from.links.get(other)!.words.get(from)!.take(word);
  }

  /** It could not reach this neighbour, or wants nothing of it: both get another one, if there is any. */
  refuse(from: Member, to: number): void {
    const other = neighbour(from, to);
    if (!other) return;
    this.#unlink(from, other);
    from.refused.add(other);
    other.refused.add(from);
    for (const each of [from, other]) this.#fill(each);
    this.#tell();
  }

  /** It was away and is back: those who could not reach it may do so now. Each remembers for itself whom it does not want. */
  returned(member: Member): void {
    if (member.refused.size === 0) return;
    for (const other of member.refused) other.refused.delete(member);
    member.refused.clear();
    this.#fill(member);
    this.#tell();
  }

  /** All that a member was told and that still holds: for a new lane. */
  standing(member: Member): Message[] {
    const words = [...member.links].flatMap(([other, { words }]) => {
      const word = words.get(other)!.word;
      return word ? [signal(other, word)] : [];
    });
    return [this.#members(member), ...words];
  }

  /** Those beside it in the ring. */
  #beside(member: Member): Member[] {
    const ring = this.#ring;
    const at = ring.indexOf(member);
    const beside = [ring[(at + 1) % ring.length]!, ring[(at + ring.length - 1) % ring.length]!];
    return beside.filter((other) => other !== member);
  }

  /** Links two that are beside each other. One that has as many as it may first parts from one that is not beside it. */
  #linkInRing(one: Member, other: Member): void {
    if (!strangers(one, other)) return;
    for (const each of [one, other]) {
      if (each.links.size < MAX_NEIGHBOURS) continue;
      const beside = new Set(this.#beside(each));
      this.#unlink(each, this.#any([...each.links.keys()].filter((known) => !beside.has(known)))!);
    }
    this.#link(one, other);
  }

  /** Makes it known to others that have room, by chance. */
  #fill(member: Member): void {
    const free = this.#ring.filter(
      (other) => other.links.size < MAX_NEIGHBOURS && other !== member && strangers(member, other),
    );
    while (member.links.size < MAX_NEIGHBOURS && free.length > 0) {
      const other = this.#any(free)!;
      free.splice(free.indexOf(other), 1);
      this.#link(member, other);
    }
  }

  /** Nobody has room: parts pairs that are not beside each other, and links it with both of each. */
  #part(member: Member): void {
    const others = this.#ring.filter((other) => other !== member && strangers(member, other));
    while (member.links.size < WANTED && others.length > 1) {
      const one = this.#any(others)!;
      others.splice(others.indexOf(one), 1);
      const beside = new Set(this.#beside(one));
      const other = this.#any(others.filter((each) => one.links.has(each) && !beside.has(each)));
      if (!other) continue;
      others.splice(others.indexOf(other), 1);
      this.#unlink(one, other);
      this.#link(member, one);
      this.#link(member, other);
    }
  }

  #any(of: readonly Member[]): Member | undefined {
    return of[Math.floor(this.#random() * of.length)];
  }

  #link(one: Member, other: Member): void {
    // One of them does, whichever: both are told the same.
    const dials = one.id > other.id ? one : other;
    const words = new Map<Member, LatestWord>();
    const passes = (from: Member, to: Member) =>
      new LatestWord(this.#clock, (word) => to.tell(signal(from, word)));
    words.set(one, passes(one, other)).set(other, passes(other, one));
    const link: Link = { dials, words };
    one.links.set(other, link);
    other.links.set(one, link);
    this.#changed.add(one).add(other);
  }

  #unlink(one: Member, other: Member): void {
    for (const word of one.links.get(other)?.words.values() ?? []) word.end();
    one.links.delete(other);
    other.links.delete(one);
    this.#changed.add(one).add(other);
  }

  #tell(): void {
    for (const member of this.#changed) member.tell(this.#members(member));
    this.#changed.clear();
  }

  #members(member: Member): Message {
    const all = [...member.links].map(([{ id }, { dials }]) => ({ id, dials: dials === member }));
    return { type: 'members', seq: ++this.#seq, all };
  }
}

function neighbour(of: Member, id: number): Member | undefined {
  for (const other of of.links.keys()) if (other.id === id) return other;
  return undefined;
}

function strangers(one: Member, other: Member): boolean {
  return !one.links.has(other) && !one.refused.has(other);
}

function signal({ id }: Member, { seq, body }: NumberedWord): Message {
  return { type: 'signal', member: id, seq, body };
}
