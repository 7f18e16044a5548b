/** The other end of one session, as a transfer knows it: what the session drives. */
import type { HashName } from '../offer/hashing.ts';
import type { Landing } from '../wire/framing.ts';
import type { BlocksHeader, Message } from '../wire/messages.ts';
import type { LanePort } from './ports.ts';

export interface Peer {
  /** What it has to say now, in words; they change when some of it comes. Undefined: nothing. */
  readonly awaits: string | undefined;
  /** Of the origin: with what to hash chunks, the best first, as this side's hello says it. */
  hashes?(): readonly HashName[];
  /** Of a receiver: its hello says so. Called before its first lane. */
  heard?(hashes: readonly HashName[]): void;
  addLane(lane: LanePort): void;
  removeLane(lane: LanePort): void;
  /** Asks for nothing more on it, and closes it when what was asked for has come. */
  retireLane?(lane: LanePort): void;
  /** A message came. Throws PROTOCOL, BAD_MANIFEST or VERSION for what no honest peer sends: drop the lane then. */
  message(lane: LanePort, message: Message): void;
  /** Blocks begin to come: says where their bytes go. Throws as `message`. Absent: it never sends any. */
  land?(lane: LanePort, header: BlocksHeader): Landing;
  /** Everything is here and checked; only the origin's last word is missing. */
  readonly arrived?: boolean;
  /** What it offers is so little that several lanes are not worth their handshakes. Undefined until that is known. */
  readonly slight?: boolean | undefined;
  /** Others fetch the same from it: they share its line. */
  readonly shared?: boolean;
  /** False once a new process of it could not go on, or be served from the beginning: a stream. */
  readonly restartable: boolean;
  /** It is a new process of the same secret. */
  restart(): void;
  /** Stops asking and serving; what is under way still lands. */
  rest(): void;
  /** Goes on with that. */
  run(): void;
  stop(): void | Promise<void>;
}
