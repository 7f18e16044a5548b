/** What a session gives to each of its transports on Node. */
import type { SecureContext } from 'node:tls';
import type { BeelineError } from '../base/errors.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { Address } from '../wire/candidate.ts';
import type { Ahead } from './tcp/ahead.ts';
import type { RelayUse, Role, TransportKind } from './transport.ts';

/** Threads that have TCP lanes, beside the one of the session. */
export interface LaneThreads {
  /** Their ports, at every address of this machine that the session's own listens on. */
  readonly ports: readonly number[];
  /** Calls back when there are others than before. */
  onPorts(run: () => void): void;
  /** Opens a lane in one of them, as `dial` of TCP. Undefined: they are not there. */
  readonly dial: ((to: Address, pin: string, signal: AbortSignal) => Promise<Pipe>) | undefined;
}

export interface Surroundings {
  readonly role: Role;
  readonly relay: RelayUse;
  /** This side's certificate and key. */
  readonly context: SecureContext;
  /** Hex SHA-256 of the peer's certificate, as of now. */
  pin(): string;
  /** This process's half of the key of sealed lanes: 64 hex digits. */
  readonly seal: string;
  /** This machine's addresses, the most important first. */
  hosts(): readonly string[];
  /** The TCP port that lanes may come in on; 0: none. */
  tcpPort(): number;
  /** Absent: all lanes are in this thread. */
  readonly threads?: LaneThreads | undefined;
  /** A connection that was opened before the pin was known, if there is one: a lane, in place of one that is dialled. */
  readonly ahead?: (() => Pick<Ahead, 'opened' | 'take'> | undefined) | undefined;
  /** Whether a lane leads straight to the peer, and has a short round trip. Absent: nobody can say. */
  readonly near?: (() => boolean) | undefined;
  /** Whether one more address that the peer named may be dialled now. A peer must not make this side flood a third party. */
  mayDial(): boolean;
  /** A pipe came in. Its other end has proved that it has the certificate with this fingerprint. */
  onPipe(pipe: Pipe, fingerprint: string): void;
  /** The paths have changed. Call it at once, because a lane may wait for a path. */
  onPaths(): void;
  /** The description has changed, and perhaps the paths too. */
  onChange(): void;
  /** Something is missing here that this transport needs to reach the peer. The error says what. */
  onLack(error: BeelineError): void;
  readonly log:
    | { debug(fields: object, message: string): void; info(fields: object, message: string): void }
    | undefined;
}

export type NodeTransport = TransportKind<Surroundings>;
