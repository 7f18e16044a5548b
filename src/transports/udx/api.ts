/** What lanes over UDP are asked for, and offer. */
import type { SecureContext } from 'node:tls';
import type { Mapping } from '../../nat/ice/gather.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { Address } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';

export interface UdpOptions {
  role: 'sender' | 'receiver';
  context: SecureContext;
  /** Hex SHA-256 of the peer's certificate, when a lane is opened. */
  pin: () => string;
  /** 32 hex digits: the key of checks sent to us. */
  password: string;
  /** Receiver: the checked way to the peer; undefined when it is lost, and another when that is better. */
  onPath: (path: Path | undefined) => void;
  /** Sender: a lane came in. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** The world sees the port differently than `gather` said. */
  onMapping?: (mapping: Mapping) => void;
  log?: { debug(fields: object, message: string): void };
}

export interface UdpPeer {
  candidates: readonly Address[];
  password: string;
  symmetric: boolean;
}

export interface UdpAgent {
  readonly port: number;
  /** Asks STUN servers (two ports of one do) how the world sees the port, and keeps the mapping from then on. Never rejects. */
  gather(servers: readonly Address[], signal?: AbortSignal): Promise<Mapping>;
  /** What is known of the peer now, whole; checks begin, or begin again, at once. */
  peer(peer: UdpPeer): void;
  /** Ends its streams too. */
  close(): Promise<void>;
}
