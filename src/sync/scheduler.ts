/**
 * Who is asked for what next, over all peers and their lanes. Pure: lanes are whatever tells them apart, time is given. Every lane keeps as many blocks asked for as its
 * measured rate would carry in HORIZON_S, so a fast or long path is kept full and a slow one never holds much back.
 * A lane that dies gives its blocks back. Near the end an idle lane also asks for what another owes, but only if that
 * one is silent, or measurably slower: lanes that share a link would only make it carry the same bytes twice.
 */
import { BLOCK_BYTES } from '../base/limits.ts';
import type { BlockRange } from '../wire/messages.ts';
import type { Chunks, Claim, Holder } from './chunks.ts';

/**
 * Seconds of a lane's own rate to keep asked for: many round trips, since a path whose sender runs dry now and then is
 * never probed for more. Asked for is not yet in memory, nor on the way: the sender keeps a list.
 */
const HORIZON_S = 3;
/** The same where others fetch too: what is asked for early, at a rate that others then share, comes late, and nobody else is asked for it. */
const CROWD_HORIZON_S = 1;
/** Blocks to keep asked for on a lane that has brought nothing yet, at least, and at most (32 MiB). */
const FIRST_BLOCKS = 16;
const MIN_BLOCKS = 4;
const MAX_BLOCKS = 2048;
/** A window is refilled once this part of it has come, so that requests are few and large, and the sender never runs dry. In a crowd later. */
const REFILL = 1 / 4;
const CROWD_REFILL = 1 / 2;
/**
 * Round trips of what all lanes carry that may be asked for, where that is more than a side usually has buffers for: one is on the way, one waits where a
 * loss holds it back until it is sent again, and a path that is probed for more is asked for more.
 */
const ROUND_TRIPS = 5;
/** Chunks whose hash is asked for on a lane: the sender reads each of them whole for it. */
const MAX_HASHES = 32;
/** Of these, at most, for chunks that holders have: they must not keep blocks from being asked for. */
const AHEAD_HASHES = 8;
/** A rate is measured over at least so long, and so many blocks or a second: bytes come in bursts. */
const SAMPLE_S = 0.05;
const SAMPLE_BLOCKS = 8;
const LONG_SAMPLE_S = 1;
/** An idle lane takes over from one that would need longer than this for what it still owes ... */
const SLOW_S = 0.5;
/** ... if it is so many times as fast, ... */
const FASTER = 2;
/** ... or if the other has brought nothing for so long, ... */
const SILENT_S = 1.5;
/** ... and, where many lanes share a slow link, for so many turns of a block each, but no longer than the longest. */
const SILENT_TURNS = 4;
const LONGEST_SILENT_S = 8;
/** In a crowd no lane of the origin is asked for what another owes before that has been silent for so long: each byte of its line is everybody's. */
const CROWD_SILENT_S = 4;
/** An idle lane that has found nothing to take over looks again so much later, however often it could. */
const IDLE_S = 0.05;
/** The origin is asked for what holders have only if they are so many times slower together than its lane. */
const MUCH_SLOWER = 4;
/** Blocks that are asked for twice bring at most so many seconds of all lanes' rate, at least MIN_BLOCKS. */
const DOUBLED_S = 0.5;

/** Blocks of a chunk, or its hash, that a lane owes. */
interface Owed extends BlockRange {
  readonly what: Claim['what'];
  /** All began anew since it was asked for: when it comes, it counts for nothing. */
  void: boolean;
}

interface LaneState {
  /** Whose it is: a holder's, or the origin's. */
  holder: Holder | undefined;
  /** Oldest first. */
  owed: Owed[];
  /** How many blocks and hashes that makes. */
  blocks: number;
  hashes: number;
  /** Bytes a second, smoothed; 0 before the first. */
  rate: number;
  /** Bytes that came since `sampled`, for the next measurement. */
  came: number;
  sampled: number;
  lastArrival: number;
  /** When it was last asked while it owed nothing; undefined once the first of that has come. */
  asked: number | undefined;
  /** Seconds from then to the first of it, the least that was seen: a round trip, and what the peer needs to read it. */
  answers: number;
  /** When it last said that it does not bring something. */
  forgone: number;
  /** When there was nothing to take over from another. */
  looked: number;
  /** Since when it owes nothing. */
  idleSince: number | undefined;
  /** Nothing more is asked for on it. */
  retired: boolean;
}

export class Scheduler<Lane = number> {
  readonly #chunks: Chunks;
  readonly #shared: () => boolean;
  readonly #lanes = new Map<Lane, LaneState>();
  /** Blocks to ask for in one piece. */
  readonly #most: number;
  /** When a holder brought something last, or said that it has something. */
  #helped = Number.NEGATIVE_INFINITY;
  /** That is too long ago. */
  #starving = false;

  /**
   * @param shared others fetch from the origin too, as of now
   * @param most blocks to ask for in one piece at most
   */
  constructor(chunks: Chunks, shared: () => boolean, most = MAX_BLOCKS) {
    this.#chunks = chunks;
    this.#shared = shared;
    this.#most = most;
  }

  /** @param holder the other receiver that it leads to; undefined: it leads to the origin */
  addLane(lane: Lane, now: number, holder?: Holder): void {
    this.#lanes.set(lane, {
      holder,
      owed: [],
      blocks: 0,
      hashes: 0,
      rate: 0,
      came: 0,
      sampled: now,
      lastArrival: now,
      asked: undefined,
      answers: Number.POSITIVE_INFINITY,
      forgone: Number.NEGATIVE_INFINITY,
      looked: Number.NEGATIVE_INFINITY,
      idleSince: undefined,
      retired: false,
    });
  }

  /** What it owes becomes askable again. */
  removeLane(lane: Lane): void {
    const state = this.#lanes.get(lane);
    if (!state) return;
    this.#lanes.delete(lane);
    for (const owed of state.owed) {
      if (owed.void) continue;
      if (owed.what === 'hash') this.#chunks.unclaimHash(owed.index);
      else this.#chunks.unclaim(owed);
    }
  }

  /** It will not bring these blocks, which are all or the rest of what it was asked for at once. Undefined if it was not. */
  forgo(lane: Lane, { index, from, to }: BlockRange, now: number): { void: boolean } | undefined {
    const state = this.#lanes.get(lane);
    const at = state?.owed.findIndex(
      (owed) => owed.what === 'blocks' && owed.index === index && owed.from === from && owed.to === to,
    );
    if (!state || at === undefined || at < 0) return undefined;
    const [owed] = state.owed.splice(at, 1);
    this.#count(state);
    state.forgone = now;
    if (!owed!.void) this.#chunks.unclaim(owed!);
    return owed;
  }

  /** Some lane of a holder owes blocks that are of use. */
  awaits(holder: Holder): boolean {
    for (const state of this.#lanes.values())
      if (
        state.holder === holder &&
        state.owed.some((owed) => !owed.void && !this.#chunks.closed(owed.index))
      )
        return true;
    return false;
  }

  /** What it owes still comes; nothing more is asked for on it. True if it is worth waiting for that. */
  retire(lane: Lane): boolean {
    const state = this.#lanes.get(lane);
    if (state) state.retired = true;
    return state !== undefined && !this.spent(lane);
  }

  /** True once a retired lane owes nothing that somebody else does not bring too. */
  spent(lane: Lane): boolean {
    const state = this.#lanes.get(lane);
    return state?.retired === true && !state.owed.some((owed) => this.#needed(owed));
  }

  /** All is looked at anew: what is owed is still to come, and counts for nothing. */
  voidAll(): void {
    for (const state of this.#lanes.values()) for (const owed of state.owed) owed.void = true;
  }

  /** A stream has ended: what lies past its end never comes. */
  ended(chunks: number): void {
    for (const state of this.#lanes.values()) {
      state.owed = state.owed.filter(({ index }) => index < chunks);
      this.#count(state);
    }
  }

  /** True if nothing is owed on the lane. */
  idle(lane: Lane): boolean {
    const state = this.#lanes.get(lane);
    return state?.owed.length === 0 && !state.retired;
  }

  /** Takes back blocks that were claimed on a lane and not asked for yet, if nobody needs them or the lane is gone. */
  withdraw(lane: Lane, { index, from, to }: BlockRange): boolean {
    const state = this.#lanes.get(lane);
    if (!state) return true;
    const at = state.owed.findIndex(
      (owed) => owed.what === 'blocks' && owed.index === index && owed.from === from && owed.to === to,
    );
    const owed = state.owed[at];
    if (!owed || !(owed.void || this.#chunks.closed(index))) return false;
    state.owed.splice(at, 1);
    this.#count(state);
    return true;
  }

  /** What to ask for on a lane now; empty when its window is full or nothing is left. */
  ask(lane: Lane, now: number): Claim[] {
    const state = this.#lanes.get(lane);
    const claims: Claim[] = [];
    if (!state || state.retired || state.holder?.paused) return claims;
    const owe = (claim: Claim) => {
      if (claim.what === 'hash') {
        state.hashes++;
        state.owed.push({ ...claim, from: 0, to: 0, void: false });
      } else {
        state.blocks += claim.to - claim.from;
        state.owed.push({ ...claim, void: false });
      }
      claims.push(claim);
    };
    // These are small, and answered before all blocks: they wait for no room.
    while (!state.holder && state.hashes < AHEAD_HASHES) {
      const claim = this.#chunks.claimHash();
      if (!claim) break;
      owe(claim);
    }
    const window = this.#window(state);
    const refill = this.#shared() ? CROWD_REFILL : REFILL;
    if (state.blocks > (1 - refill) * window || state.hashes >= MAX_HASHES / 2) return claims;
    // One that is asked again and again, and brings nothing of it, is as good as silent.
    if (state.owed.length === 0 && (!state.holder || now - state.forgone > SILENT_S)) {
      state.lastArrival = now;
      state.sampled = now;
      state.came = 0;
    }
    const { holder } = state;
    const idle = state.owed.length === 0;
    const all = !holder && this.#chunks.crowd && this.#othersLag(state, now);
    while (state.blocks < window && state.hashes < MAX_HASHES) {
      const most = Math.min(window - state.blocks, this.#most);
      const claim =
        this.#chunks.claim(most, holder, all) ??
        (state.owed.length === 0 ? this.#takeOver(lane, now) : undefined);
      if (!claim) break;
      owe(claim);
    }
    if (state.owed.length === 0) state.idleSince ??= now;
    else state.idleSince = undefined;
    if (idle) state.asked = claims.length > 0 ? now : undefined;
    return claims;
  }

  /**
   * These blocks begin to come on a lane.
   * @returns undefined if they were not asked for on it; `void` if nobody waits for them any more
   */
  begins(lane: Lane, { index, from, to }: BlockRange): { void: boolean } | undefined {
    const state = this.#lanes.get(lane);
    return state?.owed.find(
      (owed) => owed.what === 'blocks' && owed.index === index && owed.from === from && owed.to >= to,
    );
  }

  /** Some bytes came on a lane: it is not silent. */
  heard(lane: Lane, now: number): void {
    const state = this.#lanes.get(lane);
    if (state) state.lastArrival = now;
  }

  /** Blocks of a chunk have come on a lane, up to `to`, with so many bytes. */
  came(lane: Lane, index: number, to: number, bytes: number, now: number): void {
    const state = this.#lanes.get(lane);
    if (!state) return;
    // With a limit, ranges of one chunk may be asked for in another order than they were claimed in.
    const at = state.owed.findIndex(
      (owed) => owed.what === 'blocks' && owed.index === index && owed.from < to && to <= owed.to,
    );
    const owed = state.owed[at];
    if (!owed) return;
    state.blocks -= Math.min(to, owed.to) - owed.from;
    owed.from = to;
    if (owed.from >= owed.to) state.owed.splice(at, 1);
    if (state.holder) {
      state.holder.brought += 1;
      this.news(now);
    }
    this.#measure(state, bytes, now);
  }

  /**
   * A chunk's hash came on a lane; or, in answer to the range that begins with a block, that it is all zeros.
   * @returns as `begins`
   */
  answered(
    lane: Lane,
    what: Claim['what'],
    index: number,
    from: number,
    now: number,
  ): { void: boolean; from: number; to: number } | undefined {
    const state = this.#lanes.get(lane);
    const found = state?.owed.find(
      (owed) => owed.what === what && owed.index === index && owed.from === from,
    );
    if (!state || !found) return undefined;
    state.owed.splice(state.owed.indexOf(found), 1);
    this.#count(state);
    if (what === 'blocks') {
      if (state.holder) state.holder.brought += 1;
      this.#measure(state, 0, now);
    } else state.lastArrival = now;
    return found;
  }

  /** The stream's last chunk is shorter than it could be known to be: the rest of it never comes. */
  shortened(index: number, blocks: number): void {
    for (const state of this.#lanes.values()) {
      for (const owed of state.owed) if (owed.index === index) owed.to = Math.min(owed.to, blocks);
      state.owed = state.owed.filter((owed) => owed.what === 'hash' || owed.from < owed.to);
      this.#count(state);
    }
  }

  /** Of all lanes together. */
  get #rate(): number {
    let all = 0;
    for (const { rate } of this.#lanes.values()) all += rate;
    return all;
  }

  /** In so many seconds each lane brings a few blocks, if they share what comes; undefined while nobody has brought anything. */
  get turns(): number | undefined {
    const all = this.#rate;
    return all === 0 ? undefined : (SILENT_TURNS * this.#lanes.size * BLOCK_BYTES) / all;
  }

  /** Blocks to keep asked for on a lane: of a new one the others' rates tell what to begin with. */
  #window({ rate }: LaneState): number {
    const shared = this.#shared();
    const longest = shared ? CROWD_HORIZON_S : HORIZON_S;
    const all = this.#rate;
    // In a crowd what is asked for ahead is kept from others.
    const ahead = shared ? 0 : this.#ahead(all);
    // What all lanes together may be asked for is shared out by what they bring: otherwise one that could be asked first would leave none for the others.
    const horizon = all === 0 ? longest : Math.min(longest, this.#chunks.widen(ahead) / all);
    if (rate > 0) return blocksFor(rate, horizon);
    const known = [...this.#lanes.values()].filter((lane) => lane.rate > 0);
    if (known.length === 0) return FIRST_BLOCKS;
    const mean = known.reduce((sum, lane) => sum + lane.rate, 0) / known.length;
    return Math.min(FIRST_BLOCKS, blocksFor(mean, horizon));
  }

  /** Bytes that a path takes which is kept full at this rate of all lanes. */
  #ahead(all: number): number {
    let answers = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) answers = Math.min(answers, lane.answers);
    return Number.isFinite(answers) ? ROUND_TRIPS * answers * all : 0;
  }

  #count(state: LaneState): void {
    state.blocks = state.owed.reduce((sum, { from, to }) => sum + to - from, 0);
    state.hashes = state.owed.filter(({ what }) => what === 'hash').length;
  }

  #measure(state: LaneState, bytes: number, now: number): void {
    state.lastArrival = now;
    if (state.asked !== undefined) {
      state.answers = Math.min(state.answers, now - state.asked);
      state.asked = undefined;
    }
    state.came += bytes;
    const elapsed = now - state.sampled;
    if (elapsed < (state.came < SAMPLE_BLOCKS * BLOCK_BYTES ? LONG_SAMPLE_S : SAMPLE_S)) return;
    const rate = state.came / elapsed;
    state.sampled = now;
    state.came = 0;
    // Up at once, so that a path is soon asked for all it has; down slowly, since bytes come in bursts.
    if (rate > state.rate) state.rate = state.rate === 0 ? rate : (state.rate + rate) / 2;
    else state.rate = 0.8 * state.rate + 0.2 * rate;
  }

  #needed(owed: Owed): boolean {
    if (owed.void) return false;
    if (owed.what === 'hash') return this.#chunks.comparing(owed.index);
    for (let block = owed.from; block < owed.to; block++)
      if (this.#chunks.hangsOn(owed.index, block)) return true;
    return false;
  }

  /** A holder has something new. */
  news(now: number): void {
    this.#helped = now;
    this.#starving = false;
  }

  /**
   * Whether the origin is to be asked on this lane, which has nothing else to do, for what holders have or what was given to others:
   * since these would need long for what is missing, or since nothing comes of them.
   */
  #othersLag(mine: LaneState, now: number): boolean {
    let rate = 0;
    let origin = 0;
    let [there, asked] = [false, false];
    for (const { holder, rate: brought, lastArrival, retired, owed } of this.#lanes.values()) {
      if (!holder) origin += brought;
      if (!holder || holder.paused || retired) continue;
      if (owed.length > 0 && now - lastArrival > SILENT_S) continue;
      there = true;
      if (owed.length === 0) continue;
      // Nobody knows yet.
      if (brought === 0) return false;
      asked = true;
      rate += brought;
    }
    if (!there) return true;
    if (asked && MUCH_SLOWER * rate < mine.rate) return true;
    // What others were given by the origin reaches them as fast as its share reaches this side.
    const { chunkSize } = this.#chunks.offer.space;
    const patience = HORIZON_S + (origin === 0 ? 0 : (2 * chunkSize) / origin);
    if (mine.idleSince !== undefined && now - Math.max(this.#helped, mine.idleSince) > patience)
      this.#starving = true;
    return this.#starving;
  }

  #takeOver(lane: Lane, now: number): Claim | undefined {
    const state = this.#lanes.get(lane)!;
    if (now - state.looked < IDLE_S) return undefined;
    const claim = this.#double(lane, now);
    if (!claim) state.looked = now;
    return claim;
  }

  /** Near the end: the last blocks that the slowest other lane would bring. */
  #double(lane: Lane, now: number): Claim | undefined {
    const mine = this.#lanes.get(lane)!;
    const all = this.#rate;
    const patience = Math.min(LONGEST_SILENT_S, this.turns ?? 0);
    const shared = this.#shared();
    const room = Math.max(MIN_BLOCKS, Math.floor((DOUBLED_S * all) / BLOCK_BYTES)) - this.#chunks.doubled;
    if (room <= 0) return undefined;
    let slowest: LaneState | undefined;
    let longest = SLOW_S;
    for (const [id, other] of this.#lanes) {
      // What one lane to a holder does not bring the other may not either: the origin brings it.
      if (id === lane || other.blocks === 0 || (mine.holder && other.holder === mine.holder)) continue;
      const waited = now - other.lastArrival;
      const spares = shared && !mine.holder && !other.holder;
      const silent = waited > Math.max(spares ? CROWD_SILENT_S : SILENT_S, patience);
      if (!silent && (spares || mine.rate < FASTER * other.rate)) continue;
      if (!silent && other.rate === 0 && !other.holder) continue;
      const seconds = silent || other.rate === 0 ? waited : (other.blocks * BLOCK_BYTES) / other.rate;
      // One that has nothing left that it alone would bring hides no other.
      if (seconds <= longest || !other.owed.some((owed) => this.#needed(owed))) continue;
      longest = seconds;
      slowest = other;
    }
    if (!slowest) return undefined;
    // Not more than this lane brings while the other brings the rest.
    const most = Math.max(MIN_BLOCKS, Math.floor((mine.rate * longest) / 3 / BLOCK_BYTES));
    for (let i = slowest.owed.length - 1; i >= 0; i--) {
      const owed = slowest.owed[i]!;
      if (owed.void) continue;
      if (owed.what === 'hash') {
        if (!mine.holder && this.#chunks.comparing(owed.index)) return { what: 'hash', index: owed.index };
        continue;
      }
      const range = this.#chunks.double(owed, Math.min(most, this.#most, room), mine.holder);
      if (range) return { what: 'blocks', ...range, spare: false };
    }
    return undefined;
  }
}

/** Blocks that come in so many seconds at a rate. */
function blocksFor(rate: number, seconds: number): number {
  return Math.min(MAX_BLOCKS, Math.max(MIN_BLOCKS, Math.ceil((rate * seconds) / BLOCK_BYTES)));
}
