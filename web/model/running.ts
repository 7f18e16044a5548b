/** What is known of a transfer, from its events. Pure: every event makes a new value. */

import {
  type ErrorCode,
  escapeName,
  isOfOther,
  type OfferSummary,
  type State,
  type TransferEvent,
} from '../../src/browser/light.ts';
import { type History, longer, NO_HISTORY } from './history.ts';
import type { OpenLane } from './paths.ts';
import type { SeveralShown } from './several.ts';
import type { WarningShown } from './warnings.ts';

/** Warnings kept for the person; a hostile sender could cause any number. */
const MAX_WARNINGS = 50;

export interface ContentsShown {
  kind: OfferSummary['kind'];
  files: number;
  folders: number;
  links: number;
  /** null: not known yet, as of a stream. */
  bytes: number | null;
}

type Swarm = Pick<Extract<TransferEvent, { event: 'swarm' }>, 'from' | 'to' | 'up' | 'down'>;

export interface TransferShown {
  readonly role: 'send' | 'receive';
  /** A sender's who has several receivers: the rest is then said of all together. */
  readonly several?: SeveralShown;
  readonly state: State;
  /** Who made the latest change of state, and why: a sentence, and what kind of failure. */
  readonly by?: 'self' | 'peer';
  readonly reason?: string;
  readonly why?: ErrorCode;
  /** The server was lost, and is looked for, or was found again. */
  readonly server?: 'away' | 'back';
  /** The sender's, once the server has given it a place. */
  readonly code?: string;
  /** The two were connected at some time. */
  readonly connected: boolean;
  /** Bytes have moved, or at least were counted. */
  readonly moving: boolean;
  /** `agent` is what its program calls itself. */
  readonly peer?: { fingerprint: string; name?: string; agent?: string; key?: string };
  /** The trusted device that it is with, without a code. */
  readonly device?: string;
  readonly contents?: ContentsShown;
  readonly bytes: number;
  readonly total: number | null;
  /** Bytes a second. */
  readonly rate: number;
  /** Seconds left. */
  readonly eta: number | null;
  /** Files that are whole. */
  readonly files: number;
  readonly file?: string;
  /** Bytes of that file in all, and across. */
  readonly fileSize?: number;
  readonly fileBytes?: number;
  /** Names at the top that are whole, as they are shown. There are few. */
  readonly whole: ReadonlySet<string>;
  /** How fast it went, from the beginning. */
  readonly history: History;
  readonly lanes: ReadonlyMap<number, OpenLane>;
  readonly byKind: Readonly<Record<string, number>>;
  /** Seconds for which nothing has come from the other side, though it is connected. */
  readonly silent?: number;
  readonly resumed: number;
  /** At a receiver: with how many others it exchanges what it has, and what has gone each way. */
  readonly swarm?: Swarm;
  /** The folder that the person picked: what is received goes straight there. */
  readonly folder?: FileSystemDirectoryHandle;
  readonly text?: string;
  readonly warnings: readonly WarningShown[];
  readonly error?: { code: string; reason?: string; message: string };
  readonly done?: { files: number; bytes: number; resumed: number; seconds: number; root: string };
}

/** What is said of a rate while nothing is to move. */
export const STILL = { rate: 0, eta: null, byKind: {}, silent: undefined } as const;

const mayMove = (state: State): boolean => state === 'transferring';

/** @param device the name of the trusted device that it is with, without a code */
export function begun(role: TransferShown['role'], device?: string): TransferShown {
  return {
    role,
    device,
    state: 'idle',
    connected: false,
    moving: false,
    bytes: 0,
    total: null,
    rate: 0,
    eta: null,
    files: 0,
    whole: new Set(),
    history: NO_HISTORY,
    lanes: new Map(),
    byKind: {},
    resumed: 0,
    warnings: [],
  };
}

export function next(running: TransferShown, event: TransferEvent): TransferShown {
  // A receiver is shown how it goes with the sender.
  if (isOfOther(running.role, event) && event.event !== 'warning') return running;
  switch (event.event) {
    case 'code':
      return { ...running, code: event.code };
    case 'state': {
      const { to, by, reason, code: why } = event;
      const still = !mayMove(to);
      const connected = running.connected || to === 'transferring';
      return {
        ...running,
        state: to,
        by,
        reason,
        why,
        connected,
        ...(still && STILL),
      };
    }
    case 'server':
      return { ...running, server: event.reachable ? 'back' : 'away' };
    case 'peer': {
      const { fingerprint, name, agent, key } = event;
      return { ...running, peer: { fingerprint, name, agent, key } };
    }
    case 'manifest': {
      const { kind, files, folders, links, bytes } = event;
      return { ...running, contents: { kind, files, folders, links, bytes }, total: bytes };
    }
    case 'resumed':
      return { ...running, resumed: event.bytes, bytes: event.bytes };
    case 'lane': {
      const lanes = new Map(running.lanes);
      const { id, kind, relayed = false } = event;
      if (event.status === 'open') lanes.set(id, { kind, relayed });
      else lanes.delete(id);
      return { ...running, lanes };
    }
    case 'progress': {
      const { event: _, peer: _peer, by, silent, ...now } = event;
      // What was under way when it was paused still arrives, and is counted without a rate.
      const still = !mayMove(running.state);
      const history = still ? running.history : longer(running.history, event.rate);
      return { ...running, moving: true, ...now, byKind: by, silent, history, ...(still && STILL) };
    }
    case 'whole':
      return { ...running, whole: new Set([...running.whole, ...event.names.map(escapeName)]) };
    case 'warning':
      return warned(running, event);
    case 'swarm':
      return { ...running, swarm: event };
    case 'text':
      return { ...running, text: event.text };
    case 'done':
      return { ...running, done: event, bytes: event.bytes, total: event.bytes, files: event.files };
    case 'error':
      return { ...running, error: { code: event.code, reason: event.reason, message: event.message } };
    // Nothing that a page shows.
    default:
      return running;
  }
}

export function warned(running: TransferShown, warning: WarningShown): TransferShown {
  if (running.warnings.length >= MAX_WARNINGS) return running;
  return { ...running, warnings: [...running.warnings, warning] };
}

/** How far something of a list is. `moves` with the part, 0 to 1, where that is known. */
export interface RowState {
  state?: 'whole' | 'moves' | undefined;
  part?: number | undefined;
}

/** What of a list is here, or there, already. @param row the name of a folder ends in '/'; an offer's names come escaped */
export function withState<T extends { name: string }>(row: T, running: TransferShown): T & RowState {
  const { fileSize = 0, fileBytes = 0, whole, done, several } = running;
  if (done) return { ...row, state: 'whole' };
  if (several) return row;
  const name = escapeName(row.name);
  if (whole.has(name)) return { ...row, state: 'whole' };
  const file = running.file === undefined ? '' : escapeName(running.file);
  if (file === name) return { ...row, state: 'moves', part: fileSize > 0 ? fileBytes / fileSize : undefined };
  return name.endsWith('/') && file.startsWith(name) ? { ...row, state: 'moves' } : row;
}

/** 0 to 100, and 100 only when all is there; undefined without a total. */
export function percent({ bytes, total }: { bytes: number; total: number | null }): number | undefined {
  if (total === null) return undefined;
  if (bytes >= total) return 100;
  return Math.min(99, Math.floor((bytes / total) * 100));
}
