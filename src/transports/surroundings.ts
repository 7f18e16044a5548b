/** What a session gives to each of its transports on Node. */
import type { SecureContext } from 'node:tls';
import type { BeelineError } from '../base/errors.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { RelayUse, Role, TransportKind } from './transport.ts';

export interface Surroundings {
  readonly role: Role;
  readonly relay: RelayUse;
  /** This side's certificate and key. */
  readonly context: SecureContext;
  /** Hex SHA-256 of the peer's certificate, as of now. */
  pin(): string;
  /** This process's half of the key of sealed lanes: 64 hex digits. */
  readonly seal: string;
  /** This machine's addresses, those that matter most first. */
  hosts(): readonly string[];
  /** The TCP port that lanes may come in on; 0: none. */
  tcpPort(): number;
  /** Whether one more address of the peer's choosing may be dialled now: a peer's word must not make this side flood a third. */
  mayDial(): boolean;
  /** Somebody proved on it to hold the certificate with this fingerprint. */
  onPipe(pipe: Pipe, fingerprint: string): void;
  /** There is another path, or one less: at once, for a lane may wait for it. */
  onPaths(): void;
  /** What is described is another than before; so may the paths be. */
  onChange(): void;
  /** Something that is missing here makes a way to the peer impossible: why. */
  onLack(error: BeelineError): void;
  readonly log:
    | { debug(fields: object, message: string): void; info(fields: object, message: string): void }
    | undefined;
}

export type NodeTransport = TransportKind<Surroundings>;
