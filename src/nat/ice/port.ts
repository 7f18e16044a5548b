/** What ICE knows of a UDP port and of the streams over it; src/lanes/udx has them. */
import type { Duplex } from 'node:stream';
import type { Address } from '../../wire/candidate.ts';

export interface UdpPort {
  readonly port: number;
  /** Fire and forget: a network that is not there is a packet that is lost. */
  send(bytes: Uint8Array, to: Address): void;
  /** @param id ours, which packets to us carry. @param remoteId the other side's. Both of 31 bits. */
  stream(id: number, remoteId: number, to: Address): PairStream;
  close(): Promise<void>;
}

/** A stream over a pair of addresses, which dies with it. */
export interface PairStream extends Duplex {
  readonly id: number;
  readonly remoteId: number;
  /** Ends it at once, whatever was under way: its path is dead. */
  kill(): void;
}
