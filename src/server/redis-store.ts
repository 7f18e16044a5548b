/**
 * The store of several instances: Redis. One connection asks and writes, one listens. Whenever either was lost, this instance is another
 * one to the others afterwards: nobody knows what was said to it meanwhile. What it writes is written anew then, since Redis may have
 * forgotten it.
 *
 * Who writes to this Redis can end meetings and read addresses, but nothing that peers say. What it answers is checked all the same.
 */
import { randomBytes } from 'node:crypto';
import type { Redis, RedisOptions } from 'ioredis';
import * as v from 'valibot';
import { type BeelineError, fault } from '../base/errors.ts';
import { count, hex, only, text, tryJson } from '../base/json.ts';
import { NAMEPLATE } from '../wire/rendezvous.ts';
import type { ServerLog } from './log.ts';
import {
  type Counted,
  type HourCount,
  type LaneCarrier,
  MEETING_RECORD,
  type MeetingRecord,
  type MeetingStore,
  type NameplateClaim,
  type PairName,
  PLACE,
  type Place,
  REMEMBERED_MS,
  type StoreEvents,
  TICKET_MS,
} from './meeting-store.ts';
import { keyOf } from './places.ts';
import { INSTANCE_SCRIPTS, SCRIPTS, type ScriptName } from './redis-scripts.ts';
import { carrierUrl, redisTarget } from './redis-url.ts';

const HOUR_MS = 3_600_000;
/** Milliseconds between two signs of life, and without one until others take an instance for dead. */
const BEAT_MS = 1_000;
const LIVE_MS = 10_000;
/** What this instance has said to itself and not heard, so that a connection that brings nothing is noticed. */
const MOST_UNHEARD = LIVE_MS / BEAT_MS;
/** Milliseconds for an answer of Redis, and to be connected to it. An instance that is short of processor time must not lose Redis for it. */
const ANSWER_MS = 4_000;
const CONNECT_MS = 3_000;
/** Milliseconds that a server waits for Redis as it starts. It starts without, then. */
const START_MS = 5_000;
const LONGEST_PAUSE_MS = 2_000;
/** What waits for Redis: commands, and bytes of what is said to other instances. */
const MOST_COMMANDS = 100_000;
const MOST_BYTES = 16 * 1024 * 1024;
/** Of one message between instances, in UTF-16 units. */
const MAX_MESSAGE = 256 * 1024;
/** More instances than anybody runs are not looked at. */
const MOST_INSTANCES = 256;

/** Different things that are said of one time out of reach. */
const MOST_TOLD = 8;
/** Why it does not let a server in, for good. */
const DENIALS = [
  [
    /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/,
    'it does not let this server in. Check its password',
  ],
  [/^DENIED/, 'it is in its protected mode. Give it a password, or an address to listen on'],
  [/^ERR (DB index|invalid DB)/, 'it has no such database'],
] as const;

const ID = hex(8);
const ENVELOPE = only({ from: ID, message: v.unknown() });
const TICKET = only({ instance: ID, place: PLACE });
const INSTANCE = only({ url: text(256), load: count(Number.MAX_SAFE_INTEGER) });
const NUMBER = v.pipe(v.number(), v.integer());
const HIT = v.tuple([NUMBER, NUMBER]);
const PAIR_OF_TEXTS = v.tuple([v.string(), v.string()]);
const MEMBERS = v.array(PAIR_OF_TEXTS);
const NAMEPLATES = v.array(NAMEPLATE);

export interface RedisStoreOptions {
  /** `redis://[NAME:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS. */
  url: string;
  /** Where clients reach this instance and no other; absent: it carries no lanes. */
  publicUrl?: string | undefined;
  /** What this instance carries now. */
  load: () => number;
  log: ServerLog;
  /** Told the person who runs the server. */
  warn?: ((sentence: string) => void) | undefined;
}

interface Instance {
  url: string;
  load: number;
}

/**
 * Resolves when Redis has answered, or does not for now: an instance serves the meetings of others as soon as it can.
 * @throws BeelineError USAGE for a URL that is none, or if Redis does not let it in
 */
export async function openRedisStore(options: RedisStoreOptions): Promise<MeetingStore> {
  const { url } = options;
  const target = redisTarget(url);
  const { Redis } = await import('ioredis');
  const connection: RedisOptions = {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_MS,
    commandTimeout: ANSWER_MS,
    retryStrategy: (times) => Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(times, 6)),
    connectionName: 'beeline',
    protocol: 2,
  };
  const store = new RedisStore(new Redis(url, connection), new Redis(url, connection), target, options);
  await store.start();
  return store;
}

class RedisStore implements MeetingStore {
  readonly #redis: Redis;
  readonly #bus: Redis;
  readonly #where: string;
  readonly #prefix: string;
  readonly #options: RedisStoreOptions;
  #events: StoreEvents | undefined;
  /** Undefined while Redis is out of reach. */
  #id: string | undefined;
  #starting = true;
  #entering = false;
  /** How often a connection was lost. */
  #losses = 0;
  #unheard = 0;
  #over = false;
  /** What has been said of it since it went out of reach. */
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #others = new Map<string, Instance>();
  #commands = 0;
  #bytes = 0;
  /** When it has been within reach, or has not let this in. */
  #settled: (denied?: BeelineError) => void = () => {};

  constructor(
    redis: Redis,
    bus: Redis,
    target: { where: string; database: number },
    options: RedisStoreOptions,
  ) {
    this.#redis = redis;
    this.#bus = bus;
    this.#where = target.where;
    // Channels are of no database.
    this.#prefix = `beeline:${target.database}:`;
    this.#options = options;
    for (const each of [redis, bus]) {
      each.on('error', (error: Error) => this.#failed(error));
      each.on('close', () => {
        this.#losses++;
        this.#lost();
      });
      each.on('ready', () => void this.#enter());
    }
    bus.on('message', (channel: string, message: string) => this.#heard(channel, message));
  }

  async start(): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const settled = new Promise<BeelineError | undefined>((resolve) => {
      this.#settled = resolve;
      late = setTimeout(() => resolve(undefined), START_MS);
    });
    this.#timer = setInterval(() => void this.#beat(), BEAT_MS);
    this.#timer.unref();
    // What goes wrong is told by events.
    for (const each of [this.#redis, this.#bus]) each.connect().catch(() => {});
    const denied = await settled;
    this.#starting = false;
    clearTimeout(late);
    if (!denied) return;
    await this.close();
    throw denied;
  }

  get reachable(): boolean {
    return this.#id !== undefined;
  }

  attach(events: StoreEvents): void {
    this.#events = events;
  }

  async hit(what: Counted, address: string): Promise<HourCount> {
    const answer = await this.#ask('hit', [`h:${what}:${address}`], [HOUR_MS]);
    const [count, wait] = this.#checked(HIT, answer);
    return { count, wait };
  }

  async claim(nameplate: string): Promise<NameplateClaim> {
    const answer = await this.#ask('claim', [`m:${nameplate}`], [REMEMBERED_MS]);
    const [home, record] = this.#checked(PAIR_OF_TEXTS, answer);
    if (home !== '') return { here: false, home: this.#checked(ID, home) };
    return { here: true, record: tryJson(MEETING_RECORD, record) };
  }

  async claimFree(nameplates: readonly string[]): Promise<string | undefined> {
    const keys = nameplates.map((nameplate) => `m:${nameplate}`);
    const at = this.#checked(NUMBER, await this.#ask('claimFree', keys, [REMEMBERED_MS]));
    return nameplates[at - 1];
  }

  async find(nameplate: string): Promise<string | undefined> {
    const home = this.#checked(v.string(), await this.#ask('find', [`m:${nameplate}`], []));
    return home === '' ? undefined : this.#checked(ID, home);
  }

  async hosted(nameplates: readonly string[]): Promise<string[]> {
    const keys = nameplates.map((nameplate) => `m:${nameplate}`);
    const found = this.#checked(v.array(NUMBER), await this.#ask('hosted', keys, []));
    const all = found.flatMap((at) => nameplates[at - 1] ?? []);
    return this.#checked(NAMEPLATES, all);
  }

  keep(nameplate: string, record: MeetingRecord): void {
    const values = [REMEMBERED_MS, JSON.stringify(record), record.hosted ? 1 : 0];
    this.#write('keep', [`m:${nameplate}`], values, (mine) => {
      if (mine === 0) this.#events?.homeLost(nameplate);
    });
  }

  release(nameplate: string): void {
    this.#write('release', [`m:${nameplate}`], []);
  }

  remember(key: string, place: Place): void {
    this.#write('put', [`p:${key}`], [REMEMBERED_MS, JSON.stringify(place)]);
  }

  forget(key: string): void {
    this.#write('take', [`p:${key}`], []);
  }

  async placeOf(key: string): Promise<Place | undefined> {
    return tryJson(PLACE, this.#checked(v.string(), await this.#ask('get', [`p:${key}`], [])));
  }

  async carrier(pair: PairName): Promise<LaneCarrier | undefined> {
    const byLoad = [...this.#others].sort(([, a], [, b]) => a.load - b.load).map(([id]) => id);
    const answer = await this.#ask('carrier', [`c:${pair}`], [REMEMBERED_MS, ...byLoad]);
    const [id, instance] = this.#checked(PAIR_OF_TEXTS, answer);
    if (id === '') return undefined;
    if (id === this.#id) return { here: true };
    const known = tryJson(INSTANCE, instance);
    if (!known || !carrierUrl(known.url)) throw this.#away();
    // Until it says itself how much it has.
    const other = this.#others.get(id);
    if (other) other.load++;
    return { here: false, instance: this.#checked(ID, id), url: known.url };
  }

  hold(pair: PairName): void {
    this.#write('hold', [`c:${pair}`], [REMEMBERED_MS], (mine) => {
      if (mine === 0) this.#events?.pairLost(pair);
    });
  }

  async ticket(instance: string, place: Place): Promise<string> {
    const ticket = randomBytes(16).toString('hex');
    await this.#ask('put', [`t:${keyOf(ticket)}`], [TICKET_MS, JSON.stringify({ instance, place })]);
    return ticket;
  }

  async redeem(ticket: string): Promise<Place | undefined> {
    const found = await this.#ask('take', [`t:${keyOf(ticket)}`], []);
    const read = tryJson(TICKET, this.#checked(v.string(), found));
    return read && read.instance === this.#id ? read.place : undefined;
  }

  post(instance: string, message: object): boolean {
    return this.#say(`to:${instance}`, message, (listeners) => {
      // Its connection to Redis has ended: it has died, or is another instance by now.
      if (listeners === 0) this.#gone(instance);
    });
  }

  broadcast(message: object): void {
    this.#say('all', message);
  }

  /** Redis forgets by itself. */
  sweep(): void {}

  leave(): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    const id = this.#id;
    this.#id = undefined;
    if (id !== undefined) this.#evaluate('leave', this.#members(), [id]).catch(() => {});
  }

  async close(): Promise<void> {
    this.leave();
    const cut = setTimeout(() => this.#disconnect(), 1_000);
    await Promise.allSettled([this.#redis.quit(), this.#bus.quit()]);
    clearTimeout(cut);
    this.#disconnect();
  }

  #disconnect(): void {
    this.#redis.disconnect();
    this.#bus.disconnect();
  }

  /** Both connections are there: others may know of this instance. */
  async #enter(): Promise<void> {
    const [redis, bus] = [this.#redis, this.#bus];
    if (this.#over || this.#entering || this.#id || redis.status !== 'ready' || bus.status !== 'ready')
      return;
    this.#entering = true;
    const losses = this.#losses;
    const id = randomBytes(8).toString('hex');
    try {
      for (const { text } of Object.values(SCRIPTS)) await redis.script('LOAD', text);
      await bus.subscribe(`${this.#prefix}to:${id}`, `${this.#prefix}all`);
      this.#others = this.#membersOf(await this.#tellOf(id, true));
    } catch (error) {
      this.#entering = false;
      this.#failed(error as Error);
      return this.#reconnect();
    }
    this.#entering = false;
    if (this.#over) return;
    // What was subscribed to may be lost with a connection.
    if (this.#losses !== losses) return this.#reconnect();
    this.#id = id;
    this.#unheard = 0;
    this.#settled();
    if (this.#told.size > 0) {
      this.#options.log.info({ redis: this.#where }, 'Redis is within reach again');
      this.#options.warn?.('Redis is within reach again.');
    }
    this.#told.clear();
    this.#events?.back();
  }

  /** A sign of life, for which come the instances that live. */
  async #beat(): Promise<void> {
    const id = this.#id;
    if (id === undefined) return;
    try {
      const answer = await this.#tellOf(id, false);
      if (this.#id !== id) return;
      // Others have taken this instance for dead, or Redis has forgotten it.
      if (answer === 'lapsed') return this.#reconnect();
      const before = this.#others;
      this.#others = this.#membersOf(answer);
      for (const other of before.keys())
        if (other !== id && !this.#others.has(other)) this.#events?.gone(other);
      if (++this.#unheard > MOST_UNHEARD) throw new Error('SILENT');
      await this.#redis.publish(this.#channelOf(id), JSON.stringify({ from: id, message: {} }));
    } catch (error) {
      this.#failed(error as Error);
      this.#reconnect();
    }
  }

  async #tellOf(id: string, first: boolean): Promise<unknown> {
    const { publicUrl = '', load } = this.#options;
    const carries = publicUrl !== '';
    const instance = JSON.stringify({ url: publicUrl, load: load() });
    const values = [this.#channelOf(''), id, LIVE_MS, instance, carries ? 1 : 0, first ? 1 : 0];
    return this.#evaluate('beat', this.#members(), values);
  }

  #membersOf(answer: unknown): Map<string, Instance> {
    const all = this.#checked(MEMBERS, answer).slice(0, MOST_INSTANCES);
    return new Map(
      all.flatMap(([id, said]) => {
        const instance = tryJson(INSTANCE, said);
        return instance && v.is(ID, id) ? [[id, instance] as const] : [];
      }),
    );
  }

  #members(): string[] {
    return [`${this.#prefix}live`, `${this.#prefix}carriers`, `${this.#prefix}instances`];
  }

  #channelOf(instance: string): string {
    return `${this.#prefix}to:${instance}`;
  }

  #gone(instance: string): void {
    this.#others.delete(instance);
    this.#events?.gone(instance);
  }

  /** The connections cannot be trusted any more. */
  #reconnect(): void {
    if (this.#over) return;
    this.#lost();
    this.#redis.disconnect(true);
    this.#bus.disconnect(true);
  }

  #lost(): void {
    if (this.#id === undefined) return;
    this.#id = undefined;
    this.#others.clear();
    // What is subscribed to is the former instance's. A fresh connection has none.
    if (this.#bus.status === 'ready') this.#bus.disconnect(true);
    if (!this.#over) this.#events?.away();
  }

  #failed(error: Error): void {
    if (this.#over) return;
    const denied = DENIALS.find(([said]) => said.test(error.message));
    if (denied && this.#starting)
      return this.#settled(fault('REDIS_UNUSABLE', { why: `${denied[1]} (${this.#where})` }));
    const code = codeOf(error);
    if (this.#told.has(code) || this.#told.size >= MOST_TOLD) return;
    this.#told.add(code);
    this.#options.log.warn(
      { redis: this.#where, error: code },
      'Redis cannot be reached: nobody new can meet here until it can',
    );
    this.#options.warn?.(
      `Redis at ${this.#where} cannot be reached (${code}). Nobody new can meet here until it can.`,
    );
  }

  #heard(channel: string, said: string): void {
    if (this.#id === undefined || said.length > MAX_MESSAGE) return;
    if (channel !== `${this.#prefix}all` && channel !== this.#channelOf(this.#id)) return;
    const read = tryJson(ENVELOPE, said);
    if (!read) return;
    if (read.from !== this.#id) this.#events?.heard(read.from, read.message);
    else if (channel !== `${this.#prefix}all`) this.#unheard = 0;
  }

  #say(channel: string, message: object, said?: (listeners: number) => void): boolean {
    const id = this.#id;
    if (id === undefined) return false;
    const whole = JSON.stringify({ from: id, message });
    if (whole.length > MAX_MESSAGE || this.#bytes + whole.length > MOST_BYTES || !this.#room()) return false;
    this.#bytes += whole.length;
    this.#count(this.#redis.publish(this.#prefix + channel, whole))
      .then(
        (listeners) => {
          if (this.#id === id) said?.(listeners);
        },
        () => {},
      )
      .finally(() => {
        this.#bytes -= whole.length;
      });
    return true;
  }

  /** @throws BeelineError SERVER */
  async #ask(
    script: ScriptName,
    keys: readonly string[],
    values: readonly (string | number)[],
  ): Promise<unknown> {
    if (this.#id === undefined || !this.#room()) throw this.#away();
    try {
      return await this.#run(script, keys, values, this.#id);
    } catch (cause) {
      throw this.#away(cause);
    }
  }

  /** What is lost is written again when Redis is back. */
  #write(
    script: ScriptName,
    keys: readonly string[],
    values: readonly (string | number)[],
    done: (answer: unknown) => void = () => {},
  ): void {
    const id = this.#id;
    if (id === undefined) return;
    if (!this.#room()) {
      this.#failed(new Error('BACKLOG'));
      return this.#reconnect();
    }
    this.#run(script, keys, values, id).then(
      (answer) => {
        if (this.#id === id) done(answer);
      },
      () => {},
    );
  }

  #run(
    script: ScriptName,
    keys: readonly string[],
    values: readonly (string | number)[],
    id: string,
  ): Promise<unknown> {
    const own = keys.map((key) => this.#prefix + key);
    const ofInstances = INSTANCE_SCRIPTS.has(script);
    const all = ofInstances ? this.#members().concat(own) : own;
    const given = ofInstances ? [this.#channelOf(''), id].concat(values.map(String)) : values;
    return this.#count(this.#evaluate(script, all, given));
  }

  #evaluate(
    script: ScriptName,
    keys: readonly string[],
    values: readonly (string | number)[],
  ): Promise<unknown> {
    const words = [SCRIPTS[script].sha, keys.length] as (string | number)[];
    return this.#redis.call('EVALSHA', words.concat(keys, values));
  }

  #room(): boolean {
    return this.#commands < MOST_COMMANDS;
  }

  #count<T>(command: Promise<T>): Promise<T> {
    this.#commands++;
    return command.finally(() => {
      this.#commands--;
    });
  }

  /** @throws BeelineError SERVER for what none of ours has written */
  #checked<S extends v.GenericSchema>(schema: S, answer: unknown): v.InferOutput<S> {
    const { success, output } = v.safeParse(schema, answer);
    if (!success) throw this.#away();
    return output;
  }

  #away(cause?: unknown): BeelineError {
    return fault('SERVER_STORE_AWAY', {}, { cause });
  }
}

/** Its words may quote what was sent: a code is enough. */
function codeOf(error: NodeJS.ErrnoException): string {
  if (error.message === 'Command timed out') return 'TIMEOUT';
  const word = error.code ?? error.message.split(' ', 1)[0]!;
  return /^[A-Z_]{1,32}$/.test(word) ? word : 'ERROR';
}
