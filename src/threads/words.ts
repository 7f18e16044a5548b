/**
 * What the threads of one process say to each other. Bytes of chunks lie in shared memory, so of these only the place is said;
 * everything else is copied, and small.
 */
import type { ErrorCode, Reason } from '../base/errors.ts';
import { BeelineError } from '../base/errors.ts';
import type { HashName } from '../offer/hashing.ts';
import type { Address } from '../wire/candidate.ts';
import type { BlocksHeader, Message } from '../wire/messages.ts';

/** What a worker is given when it begins. PEM. */
export interface Identity {
  cert: string;
  key: string;
}

/** To a worker. Pipes that it is to dial have positive numbers, those that came in to it negative ones. */
export type Order =
  | { do: 'dial'; pipe: number; to: Address; pin: string }
  /** @param strangers connections that have proved nothing yet, at most */
  | { do: 'listen'; host: string | undefined; strangers: number }
  | { do: 'start'; pipe: number }
  | { do: 'write'; pipe: number; bytes: Uint8Array }
  /** So many bytes of blocks were asked for. No others are taken. */
  | { do: 'ask'; pipe: number; bytes: number }
  /** So many bytes of messages and parts have been heard. */
  | { do: 'heard'; pipe: number; bytes: number }
  | { do: 'measured'; pipe: number; roundTripMs: number }
  | { do: 'pause'; pipe: number }
  | { do: 'resume'; pipe: number }
  /** Also of one that is being dialled. */
  | { do: 'close'; pipe: number }
  /** A buffer that came with blocks is not needed any more. */
  | { do: 'free'; whole: Uint8Array }
  | { do: 'hash'; job: number; hash: HashName; data: Uint8Array };

/** From a worker. */
export type News =
  | { is: 'open'; pipe: number; local: string; remote: string; openedInMs: number }
  | { is: 'came'; pipe: number; local: string; remote: string; fingerprint: string }
  | { is: 'unreached'; pipe: number; error: Told }
  | { is: 'listening'; port: number | undefined }
  | { is: 'wrote'; pipe: number; error: string | undefined; bearsLosses: boolean }
  /** @param bytes that came with it, to be said to have been heard */
  | { is: 'message'; pipe: number; message: Message; bytes: number }
  /** All bytes of a chunk: `whole` has HEADROOM bytes before them. */
  | { is: 'blocks'; pipe: number; header: BlocksHeader; whole: Uint8Array }
  /** The next bytes of blocks that come slowly, or not all of a chunk; `header` with the first of them. */
  | { is: 'part'; pipe: number; header: BlocksHeader | undefined; bytes: Uint8Array }
  | { is: 'bytes'; pipe: number; count: number }
  /** What came is not the protocol's. */
  | { is: 'wrong'; pipe: number; error: Told }
  | { is: 'closed'; pipe: number; error: string | undefined }
  | { is: 'hashed'; job: number; hash: Uint8Array | undefined };

/** An error on its way from one thread to another, which leaves its class behind. */
export interface Told {
  code: ErrorCode;
  message: string;
  reason: Reason | undefined;
}

export function told({ code, message, reason }: BeelineError): Told {
  return { code, message, reason };
}

export function heard({ code, message, reason }: Told): BeelineError {
  return new BeelineError(code, message, { reason });
}
