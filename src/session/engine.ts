/** What a session drives and is made with. */
import type { Clock } from '../base/clock.ts';
import type { Landing, LanePort } from '../sync/ports.ts';
import type { BlocksHeader, Message } from '../wire/messages.ts';
import type { TransferOptions } from './api.ts';

/** The transfer engine of either side, as the session drives it. */
export interface Engine {
  /** What the other side has to say now, in words; they change when some of it comes. Undefined: nothing. */
  readonly awaits: string | undefined;
  addLane(lane: LanePort): void;
  removeLane(lane: LanePort): void;
  /** Receiver: asks for nothing more on it, and closes it when what was asked for has come. */
  retireLane?(lane: LanePort): void;
  message(lane: LanePort, message: Message): void;
  /** Receiver: blocks begin to come; says where their bytes go. */
  land?(lane: LanePort, header: BlocksHeader): Landing;
  /** Receiver: everything is here and checked; only the sender's last word is missing. */
  readonly arrived?: boolean;
  /** False once a new process on the other side could not go on, or be served from the beginning: a stream. */
  readonly restartable: boolean;
  /** The peer is a new process of the same secret. */
  restart(): void;
  hold(): void;
  pull(): void;
  stop(): void | Promise<void>;
}

export interface SessionOptions extends TransferOptions {
  role: 'sender' | 'receiver';
  clock: Clock;
}
