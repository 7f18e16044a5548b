/** An allocation that stands: refreshed in time, its permissions renewed, its peers' connections taken. */

import { familyOf } from '../../base/addresses.ts';
import { asBeelineError, type BeelineError } from '../../base/errors.ts';
import { MAX_LANES } from '../../base/limits.ts';
import { readXorAddress, xorAddress } from '../../nat/stun/attributes.ts';
import { ATTRIBUTE, attributeOf, METHOD, type StunMessage } from '../../nat/stun/message.ts';
import { tlsServer } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { ControlConnection } from './control.ts';
import type { Credential } from './credential.ts';
import { bindConnection } from './data.ts';
import type { TurnAllocation, TurnOptions, TurnTiming } from './options.ts';
import { Permissions } from './permissions.ts';
import type { TurnTarget } from './url.ts';

/** Connections by one allocation at once, those still being made included. */
export const MAX_CONNECTIONS = MAX_LANES / 4;
/** Seconds, where the server does not say (RFC 8656, 3.2). */
const DEFAULT_LIFETIME = 600;
/** Milliseconds: refreshes come no faster, whatever lifetime a server grants. */
const MIN_REFRESH = 1_000;

export interface Granted {
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

export class Standing implements TurnAllocation {
  readonly relayed: Address;
  readonly mapped: Address;
  readonly #granted: Granted;
  readonly #permissions: Permissions;
  /** One for each connection; aborted to end it. */
  readonly #open = new Set<AbortController>();
  readonly #abort = () => void this.close();
  #timer: NodeJS.Timeout | undefined;
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
    options.signal.addEventListener('abort', this.#abort);
    this.#plan(answer);
  }

  permit(hosts: string[]): Promise<void> {
    return this.#over ? Promise.resolve() : this.#permissions.permit(hosts);
  }

  check(): void {
    if (!this.#over) this.#refresh().catch(() => {});
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Messages of the server that nobody asked for; not proven by anything, so taken only as far as they make sense. */
  indicated(message: StunMessage): void {
    if (this.#over || message.method !== METHOD.connectionAttempt) return;
    const id = attributeOf(message, ATTRIBUTE.connectionId);
    const peer = readXorAddress(attributeOf(message, ATTRIBUTE.xorPeerAddress), message.transaction);
    // One too many is left to the server, which drops what nobody takes within 30 s (RFC 6062, 5.3).
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
      signal.addEventListener('abort', () => socket.destroy());
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

  /** One at a time; whoever needs one while it is under way shares it. */
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
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#refresh().catch(() => {}), wait);
  }

  async #close(): Promise<void> {
    const { control, timing } = this.#granted;
    const standing = !this.#over;
    this.#stop();
    for (const life of this.#open) life.abort();
    this.#open.clear();
    if (standing) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, timing.close);
      });
      const lifetime = [{ type: ATTRIBUTE.lifetime, value: new Uint8Array(4) }];
      await Promise.race([control.request(METHOD.refresh, () => lifetime).catch(() => {}), late]);
      clearTimeout(timer);
    }
    control.destroy();
  }

  #stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#permissions.stop();
    this.#granted.options.signal.removeEventListener('abort', this.#abort);
  }

  #log(fields: object, message: string): void {
    this.#granted.options.log?.debug(fields, message);
  }
}
