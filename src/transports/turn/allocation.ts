/**
 * A TCP port at a TURN server that leads here (RFC 6062, on RFC 8656's basics): the peer dials it like any address, with
 * TLS from end to end, and every connection that it makes becomes a pipe. It works where UDP does not.
 */
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { familyOf, spelled } from '../../base/addresses.ts';
import { Alarm, atMost, every, onAbort, realClock } from '../../base/clock.ts';
import { asBeelineError, type BeelineError, fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE, MAX_LANES } from '../../base/limits.ts';
import { readXorAddress, xorAddress } from '../../nat/stun/attributes.ts';
import { ATTRIBUTE, attributeOf, METHOD, type StunMessage } from '../../nat/stun/message.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { tlsServer } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { TurnServer } from '../../wire/rendezvous.ts';
import { ControlConnection, type ControlOptions, Credential, connectTurn } from './control.ts';
import { boundedLookup, type TurnTarget, turnTargets } from './server.ts';

export interface TurnOptions {
  server: TurnServer;
  /** The host of the rendezvous server that named it, which bounds where this side goes. */
  rendezvous: string;
  /** This session's certificate, for the TLS with the peer. */
  context: SecureContext;
  /** A peer connected and proved to hold the certificate with this fingerprint; keep the pipe or destroy it. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** The allocation is gone, and nobody can connect by it any more; once, and not after `close`. */
  onLost: (error: BeelineError) => void;
  log?: { debug(fields: object, message: string): void };
  /** Like `close`. */
  signal: AbortSignal;
  /** Milliseconds; other than TIMING in tests. */
  timing?: Partial<TurnTiming>;
}

export interface TurnTiming {
  /** For each answer of the server, and each connection to it. */
  answer: number;
  /** Between two renewals of permissions. */
  renew: number;
  /** At most, between two refreshes. They come at half of what the server grants, if that is less. */
  refresh: number;
  /** For the server's answer that it has ended the allocation. */
  close: number;
}

const MINUTE = 60_000;

const TIMING: Readonly<TurnTiming> = {
  answer: LANE_OPEN_DEADLINE,
  renew: 4 * MINUTE,
  refresh: 30 * MINUTE,
  close: 2_000,
};

/** Addresses allowed at once; the one asked for longest ago makes room. */
export const MAX_PERMISSIONS = 16;

interface PermissionOptions {
  /** Of the addresses that the allocation can talk to. */
  family: 4 | 6;
  /** Installs or renews one permission at the server. */
  ask: (host: string) => Promise<void>;
  /** Milliseconds between renewals. */
  renew: number;
  /** The server refused this address, or did not answer. */
  refused: (host: string, error: unknown) => void;
}

/** Who may connect to the relayed address: permissions, which the server forgets after 5 minutes (RFC 8656, 9). */
class Permissions {
  readonly #options: PermissionOptions;
  /** Addresses whose permission is asked for or renewed, the one asked for longest ago first. */
  readonly #wanted = new Map<string, Promise<void>>();
  readonly #endRenewals: () => void;

  constructor(options: PermissionOptions) {
    this.#options = options;
    this.#endRenewals = every(realClock, options.renew, () => {
      for (const host of this.#wanted.keys()) this.#ask(host);
    });
  }

  /** Resolves once the server has answered for each. What is no address of the right family is left out. */
  async permit(hosts: readonly string[]): Promise<void> {
    const addresses = hosts.flatMap((host) => spelled(host) ?? []);
    const fitting = addresses.filter((address) => familyOf(address) === this.#options.family);
    const distinct = [...new Set(fitting)].slice(0, MAX_PERMISSIONS);
    for (const host of distinct) {
      const asked = this.#wanted.get(host);
      this.#wanted.delete(host);
      if (asked) this.#wanted.set(host, asked);
      else this.#ask(host);
    }
    for (const host of [...this.#wanted.keys()].slice(0, -MAX_PERMISSIONS)) this.#wanted.delete(host);
    await Promise.all(distinct.map((host) => this.#wanted.get(host)));
  }

  stop(): void {
    this.#endRenewals();
    this.#wanted.clear();
  }

  #ask(host: string): void {
    const { ask, refused } = this.#options;
    const asked = ask(host).catch((error: unknown) => {
      // It is not renewed any more, but may be asked for again. A later renewal stays.
      if (this.#wanted.get(host) === asked) this.#wanted.delete(host);
      refused(host, error);
    });
    this.#wanted.set(host, asked);
  }
}

interface DataOptions extends Pick<ControlOptions, 'name' | 'credential' | 'answer'> {
  target: TurnTarget;
  /** IP address of the very server that the control connection leads to. */
  address: string;
  /** CONNECTION-ID of the ConnectionAttempt. */
  id: Uint8Array;
  /** Resolves once the credential's nonce is known to be fresh. */
  fresh: Promise<void>;
  signal: AbortSignal;
}

/**
 * A second connection to the server, bound to the peer's: a byte stream to and from the peer, paused.
 * @throws BeelineError as `ControlConnection.request`; nothing is left open then.
 */
export async function bindConnection(options: DataOptions): Promise<Socket> {
  const { target, address, id, fresh, signal, answer } = options;
  const opening = connectTurn(target, { address, deadline: answer, signal });
  // coturn checks this request by the control connection's nonce, and forgets the peer's connection when that is
  // stale: there is no second try. So a nonce is proven fresh meanwhile, which costs no round trip of its own.
  const [opened, proven] = await Promise.allSettled([opening, fresh]);
  if (opened.status === 'rejected') throw opened.reason;
  const socket = opened.value;
  if (proven.status === 'rejected') {
    socket.destroy();
    throw proven.reason;
  }
  const control = new ControlConnection(socket, { ...options, credential: options.credential.copy() });
  const forget = onAbort(signal, () => control.destroy());
  try {
    const attributes = [{ type: ATTRIBUTE.connectionId, value: id }];
    await control.request(METHOD.connectionBind, () => attributes, true);
    return control.release();
  } catch (thrown) {
    control.destroy();
    throw thrown;
  } finally {
    forget();
  }
}

/** Connections by one allocation at once, those still being made included. */
export const MAX_CONNECTIONS = MAX_LANES / 4;
/** Seconds, where the server does not say (RFC 8656, 3.2). */
const DEFAULT_LIFETIME = 600;
/** Milliseconds: refreshes come no faster, whatever lifetime a server grants. */
const MIN_REFRESH = 1_000;

interface Granted {
  options: TurnOptions;
  timing: TurnTiming;
  target: TurnTarget;
  /** IP address of the server. */
  address: string;
  credential: Credential;
  control: ControlConnection;
  relayed: Address;
  mapped: Address;
}

/** It stands: refreshed in time, its permissions renewed, its peers' connections taken. */
export class Allocation {
  /** At the server: what the peer dials. */
  readonly relayed: Address;
  /** This side as the server sees it. */
  readonly mapped: Address;
  readonly #granted: Granted;
  readonly #permissions: Permissions;
  /** One for each connection; aborted to end it. */
  readonly #open = new Set<AbortController>();
  readonly #next = new Alarm(realClock);
  #forget = () => {};
  #refreshing: Promise<void> | undefined;
  #over = false;
  #closing: Promise<void> | undefined;

  /** @param answer to the request for the allocation */
  constructor(granted: Granted, answer: StunMessage) {
    const { options, timing, relayed, mapped } = granted;
    this.#granted = granted;
    this.relayed = relayed;
    this.mapped = mapped;
    this.#permissions = new Permissions({
      family: familyOf(relayed.host)!,
      ask: (host) => this.#ask(host),
      renew: timing.renew,
      refused: (host, error) => this.#log({ host, reason: String(error) }, 'no TURN permission'),
    });
    this.#plan(answer);
    this.#forget = onAbort(options.signal, () => void this.close());
  }

  /**
   * Lets connections from these IP addresses come, besides those permitted before, until `close`: the first 16 of the
   * relayed address's family. Resolves once the server has answered for each; those that it refuses are only logged.
   */
  permit(hosts: string[]): Promise<void> {
    return this.#over ? Promise.resolve() : this.#permissions.permit(hosts);
  }

  /** Asks the server now whether it still stands; `onLost` if it says no, or nothing for 10 seconds. */
  check(): void {
    if (!this.#over) this.#refresh().catch(() => {});
  }

  /** Ends it, and all that came by it. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The server's own messages. Nothing proves them, so only sensible ones are taken. */
  indicated(message: StunMessage): void {
    if (this.#over || message.method !== METHOD.connectionAttempt) return;
    const id = attributeOf(message, ATTRIBUTE.connectionId);
    const peer = readXorAddress(attributeOf(message, ATTRIBUTE.xorPeerAddress), message.transaction);
    // One too many is not taken. The server drops it after 30 s (RFC 6062, 5.3).
    if (id?.length === 4 && peer && this.#open.size < MAX_CONNECTIONS) void this.#take(id, peer);
  }

  /** The control connection is lost, or the server forgot the allocation: nobody can connect any more. */
  lose(error: BeelineError): void {
    if (this.#over) return;
    this.#stop();
    this.#granted.control.destroy();
    this.#granted.options.onLost(error);
  }

  async #take(id: Uint8Array, peer: Address): Promise<void> {
    const { options, timing, target, credential, address } = this.#granted;
    const life = new AbortController();
    const { signal } = life;
    const remote = formatAddress(peer);
    this.#open.add(life);
    try {
      const name = formatAddress(target);
      const fresh = this.#refresh();
      const bind = { name, target, address, id, fresh, credential, answer: timing.answer, signal };
      const socket = await bindConnection(bind);
      socket.once('close', () => this.#open.delete(life));
      onAbort(signal, () => socket.destroy());
      const over = {
        kind: 'turn',
        relayed: true,
        local: formatAddress(this.relayed),
        remote,
        signal,
      } as const;
      const { pipe, fingerprint } = await tlsServer(socket, { ...over, context: options.context });
      options.onPipe(pipe, fingerprint);
    } catch (thrown) {
      this.#open.delete(life);
      this.#log({ remote, reason: asBeelineError(thrown).message }, 'a connection by TURN failed');
    }
  }

  async #ask(host: string): Promise<void> {
    const { control } = this.#granted;
    // The port does not matter: permissions are for addresses (RFC 8656, 9).
    await control.request(METHOD.createPermission, (transaction) => [
      { type: ATTRIBUTE.xorPeerAddress, value: xorAddress({ host, port: 0 }, transaction) },
    ]);
  }

  /** One at a time. Who needs one meanwhile shares it. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#refreshNow().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refreshNow(): Promise<void> {
    try {
      this.#plan(await this.#granted.control.request(METHOD.refresh, () => []));
    } catch (thrown) {
      const error = asBeelineError(thrown);
      this.lose(error);
      throw error;
    }
  }

  #plan(answer: StunMessage): void {
    if (this.#over) return;
    const value = attributeOf(answer, ATTRIBUTE.lifetime);
    const lifetime = value?.length === 4 ? Buffer.from(value).readUInt32BE() : DEFAULT_LIFETIME;
    const wait = Math.min(Math.max((lifetime * 1000) / 2, MIN_REFRESH), this.#granted.timing.refresh);
    this.#next.set(wait, () => this.#refresh().catch(() => {}));
  }

  async #close(): Promise<void> {
    const { control, timing } = this.#granted;
    const standing = !this.#over;
    this.#stop();
    for (const life of this.#open) life.abort();
    this.#open.clear();
    if (standing) {
      const lifetime = [{ type: ATTRIBUTE.lifetime, value: new Uint8Array(4) }];
      await atMost(
        realClock,
        timing.close,
        control.request(METHOD.refresh, () => lifetime),
      );
    }
    control.destroy();
  }

  #stop(): void {
    this.#over = true;
    this.#next.clear();
    this.#permissions.stop();
    this.#forget();
  }

  #log(fields: object, message: string): void {
    this.#granted.options.log?.debug(fields, message);
  }
}

/** IANA's number of TCP, in the first of four bytes (RFC 6062, 4.1). */
const TRANSPORT_TCP = Uint8Array.of(6, 0, 0, 0);
/**
 * Tries the server's URLs one after the other.
 * @throws BeelineError of the first: NO_PATH or TIMEOUT (not reached), SERVER (it refused), AUTHENTICATION, PROTOCOL
 */
export async function allocate(options: TurnOptions): Promise<Allocation> {
  let failure = fault('TURN_UNNAMED');
  for (const [index, target] of turnTargets(options.server.urls).entries()) {
    try {
      return await allocateAt(target, options);
    } catch (thrown) {
      const error = asBeelineError(thrown);
      options.log?.debug({ server: formatAddress(target), reason: error.message }, 'no TURN allocation');
      if (index === 0) failure = error;
      if (options.signal.aborted) throw error;
    }
  }
  throw failure;
}

async function allocateAt(target: TurnTarget, options: TurnOptions): Promise<Allocation> {
  const { signal, server } = options;
  const timing = { ...TIMING, ...options.timing };
  const name = formatAddress(target);
  const lookup = await boundedLookup(target, options.rendezvous);
  const socket = await connectTurn(target, { lookup, deadline: timing.answer, signal });
  const credential = new Credential(server);
  let allocation: Allocation | undefined;
  const control = new ControlConnection(socket, {
    name,
    credential,
    answer: timing.answer,
    indication: (message) => allocation?.indicated(message),
    closed: (error) => allocation?.lose(error),
  });
  const forget = onAbort(signal, () => control.destroy());
  try {
    const attribute = { type: ATTRIBUTE.requestedTransport, value: TRANSPORT_TCP };
    const answer = await control.request(METHOD.allocate, () => [attribute]);
    const relayed = readXorAddress(attributeOf(answer, ATTRIBUTE.xorRelayedAddress), answer.transaction);
    const mapped = readXorAddress(attributeOf(answer, ATTRIBUTE.xorMappedAddress), answer.transaction);
    if (socket.destroyed) throw fault('TURN_CLOSED', { name });
    if (!relayed || !mapped) throw fault('TURN_MALFORMED', { name, what: 'gives an address that is none' });
    // Later connections must reach the same server, which a name may not lead to again.
    const address = socket.remoteAddress ?? target.host;
    const granted = { options, timing, target, address, credential, control, relayed, mapped };
    allocation = new Allocation(granted, answer);
    return allocation;
  } catch (thrown) {
    control.destroy();
    throw thrown;
  } finally {
    forget();
  }
}
