/**
 * The storage worker's files in memory, with a disk behind them: a crash takes what was not synced, block by block, and
 * tears what was being written.
 */
import type { KeptFileName } from '../../src/browser/files/opfs.ts';
import type { StorageCalls } from '../../src/browser/files/storage.worker.ts';
import { fileCalls, type SyncFile } from '../../src/browser/files/sync-file.ts';

const BLOCK_BYTES = 512;

export class MemoryFile implements SyncFile {
  bytes: Uint8Array = new Uint8Array();
  durable: Uint8Array = new Uint8Array();

  read(into: Uint8Array, { at }: { at: number }): number {
    const part = this.bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, { at }: { at: number }): number {
    if (at + bytes.length > this.bytes.length) this.truncate(at + bytes.length);
    this.bytes.set(bytes, at);
    return bytes.length;
  }

  flush(): void {
    this.durable = this.bytes.slice();
  }

  truncate(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, size));
    this.bytes = next;
  }

  getSize(): number {
    return this.bytes.length;
  }

  close(): void {}

  /** What is left of it: the length is the old or the new one, and each block too that both have. */
  crash(random: () => number): void {
    const [from, to] = [this.durable, this.bytes];
    const left = new Uint8Array(random() < 0.5 ? from.length : to.length);
    for (let at = 0; at < left.length; at += BLOCK_BYTES) {
      const source = at >= to.length || random() < 0.5 ? from : to;
      left.set(source.subarray(at, Math.min(at + BLOCK_BYTES, left.length)), at);
    }
    this.bytes = left;
    this.flush();
  }
}

export class StorageDouble {
  readonly files: Record<KeptFileName, MemoryFile> = {
    journal: new MemoryFile(),
    'journal.next': new MemoryFile(),
    data: new MemoryFile(),
  };
  /** Requests that are still answered; then the process is no more. */
  left = Number.POSITIVE_INFINITY;
  readonly calls: string[] = [];
  readonly #calls = fileCalls((name) => this.files[name]);

  readonly ask = async (call: keyof StorageCalls, ...args: unknown[]): Promise<never> => {
    if (--this.left < 0) throw new DOMException('crashed', 'AbortError');
    this.calls.push(call === 'zeros' ? call : `${call} ${args[0]}`);
    const answer = this.#calls[call as keyof ReturnType<typeof fileCalls>];
    if (!answer) throw new Error(`not asked in these tests: ${call}`);
    return (answer as (...args: unknown[]) => unknown)(...args) as never;
  };

  crash(random: () => number): void {
    for (const file of Object.values(this.files)) file.crash(random);
    this.left = Number.POSITIVE_INFINITY;
  }
}
