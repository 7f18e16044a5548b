/**
 * What is kept of answers: a line in the log for each, numbers for metrics and the last word, and events for whoever watches. The secret of a
 * link is in none of them, nor is a password.
 */
import { harmless } from '../../base/callback.ts';
import { type ServerLog, SILENT, StrangersLog } from '../../server/log.ts';
import type { TransferEvent } from '../../session/api.ts';

/** One file or archive on its way to somebody. `path` is behind the link's secret; `bytes` are those of this answer. */
export type DownloadEvent = Extract<TransferEvent, { event: 'download' }>;

export interface ServingCounts {
  requests: number;
  /** Files and archives under way. */
  open: number;
  /** Whole files and archives that were had. */
  downloads: number;
  /** Of files and archives. */
  bytes: number;
}

export interface AnswerRecord {
  method: string;
  path: string;
  status: number;
  address: string;
  bytes: number;
  ms: number;
  /** It ended before it was complete. */
  broken: boolean;
}

export interface RecordsOptions {
  log?: ServerLog | undefined;
  onDownload?: ((event: DownloadEvent) => void) | undefined;
}

export class ServingRecords {
  readonly counts: ServingCounts = { requests: 0, open: 0, downloads: 0, bytes: 0 };
  readonly #log: ServerLog;
  readonly #strangers: StrangersLog;
  readonly #tell: (event: DownloadEvent) => void;
  #id = 0;

  constructor({ log = SILENT, onDownload = () => {} }: RecordsOptions) {
    this.#log = log;
    this.#strangers = new StrangersLog(log);
    this.#tell = harmless('`onDownload`', onDownload);
  }

  answered(record: AnswerRecord): void {
    this.counts.requests++;
    this.#log.info(record, 'answered');
  }

  /** Somebody whom nobody let in: of these lines there are only so many. */
  refused(address: string, status: number): void {
    this.counts.requests++;
    this.#strangers.warn({ address, status }, 'refused');
  }

  failed(path: string, error: unknown): void {
    this.#log.warn({ path, error }, 'a file could not be served');
  }

  /** @returns tells how it ended: all of it was handed to the system, or not; and whether it made a download whole */
  begin(
    facts: Pick<DownloadEvent, 'path' | 'address' | 'size' | 'bytes'>,
  ): (bytes: number, ok: boolean, whole: boolean) => void {
    const id = ++this.#id;
    this.counts.open++;
    this.#tell({ event: 'download', id, status: 'begun', ...facts });
    return (bytes, ok, whole) => {
      this.counts.open--;
      this.counts.bytes += bytes;
      if (whole) this.counts.downloads++;
      this.#tell({
        event: 'download',
        id,
        status: ok ? 'done' : 'failed',
        ...facts,
        bytes,
        ...(whole && { whole }),
      });
    };
  }
}
