/** One connection's conversation with the server: first it hosts or joins, then it talks to the other side. */
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import {
  type ClientMessage,
  decodeClientMessage,
  encodeRendezvous,
  type RefusalCode,
  type ServerMessage,
} from '../wire/rendezvous.ts';
import type { Limits } from './limits.ts';
import type { Mailbox, Side, Sitter } from './mailbox.ts';

/** What a transport gives: whole texts out, and an end. Neither method may throw. */
export interface Connection {
  readonly address: string;
  /** Of this very process. */
  readonly local?: boolean;
  send(text: string): void;
  close(): void;
}

/** What a seat asks of all mailboxes of the server (mailboxes.ts). */
export interface Registry {
  readonly limits: Readonly<Limits>;
  /** Milliseconds that never jump. */
  clock(): number;
  /** @throws BeelineError CROWDED, SERVER or REFUSED. */
  host(seat: Seat, nameplate: string | undefined, token: string | undefined): Mailbox;
  /** @throws BeelineError NO_PEER, CROWDED or SERVER. */
  join(seat: Seat, nameplate: string, token: string | undefined): Mailbox;
  end(mailbox: Mailbox, error: BeelineError): void;
  endIfExpired(mailbox: Mailbox): boolean;
}

const REFUSALS: readonly RefusalCode[] = ['NO_PEER', 'CROWDED', 'SERVER', 'VERSION', 'PROTOCOL', 'REFUSED'];

export class Seat implements Sitter {
  readonly key: string;
  readonly address: string;
  readonly local: boolean;
  readonly #registry: Registry;
  readonly #connection: Connection;
  readonly #since: number;
  readonly #gone: () => void;
  #place: { side: Side; mailbox: Mailbox } | undefined;
  #over = false;

  /** @param gone is called once, when this connection no longer counts. */
  constructor(registry: Registry, connection: Connection, key: string, gone: () => void) {
    this.#registry = registry;
    this.#connection = connection;
    this.#since = registry.clock();
    this.#gone = gone;
    this.key = key;
    this.address = connection.address;
    this.local = connection.local === true;
  }

  /** The connection received a text. Never throws: what is wrong with it is told to the other end. */
  receive(text: string): void {
    if (this.#over) return;
    try {
      this.#obey(decodeClientMessage(text));
    } catch (thrown) {
      this.refuse(asBeelineError(thrown, 'SERVER'));
    }
  }

  /** The connection is gone: its place is free at once. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone();
    this.#place?.mailbox.rise(this.#place.side, this, this.#registry.clock());
  }

  tell(message: ServerMessage): void {
    if (!this.#over) this.#connection.send(encodeRendezvous(message));
  }

  refuse(error: BeelineError): void {
    const code = REFUSALS.find((known) => known === error.code) ?? 'SERVER';
    this.tell({ t: 'refused', code, reason: error.reason, message: error.message });
    this.#close();
  }

  replaced(): void {
    this.#close();
  }

  checkHello(now: number): void {
    if (!this.#place && now - this.#since >= this.#registry.limits.helloDeadline)
      this.refuse(fault('SERVER_BUSY', { what: 'This connection asked for nothing and was closed.' }));
  }

  #close(): void {
    if (this.#over) return;
    this.closed();
    this.#connection.close();
  }

  #obey(message: ClientMessage): void {
    if (message.t === 'host' || message.t === 'join') this.#sit(message);
    else this.#speak(message);
  }

  #sit(message: ClientMessage & { t: 'host' | 'join' }): void {
    if (this.#place) throw fault('CLIENT_MISBEHAVES', { what: 'has a nameplate already' });
    // Set only after success: a refused newcomer must not free the place of the one who has it.
    this.#place =
      message.t === 'host'
        ? { side: 'host', mailbox: this.#registry.host(this, message.nameplate, message.token) }
        : { side: 'guest', mailbox: this.#registry.join(this, message.nameplate, message.token) };
  }

  #speak(message: ClientMessage & { t: 'send' | 'drop' | 'leave' }): void {
    if (!this.#place) throw fault('CLIENT_MISBEHAVES', { what: 'must host or join first' });
    const { side, mailbox } = this.#place;
    mailbox.charge();
    if (message.t === 'send') mailbox.relay(side, message.body);
    else if (message.t === 'leave') this.#leave(side, mailbox);
    else if (side === 'host') mailbox.dropGuest();
    else throw fault('CLIENT_MISBEHAVES', { what: 'is not the host, who alone can put the other side out' });
    this.#registry.endIfExpired(mailbox);
  }

  #leave(side: Side, mailbox: Mailbox): void {
    this.#close();
    if (side === 'host') this.#registry.end(mailbox, fault('HOST_LEFT'));
  }
}
