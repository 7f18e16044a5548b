/** Files that are written in place. Runs in the storage worker, since such handles exist only there. */
import type { KeptFileName } from './opfs.ts';

/** The part of FileSystemSyncAccessHandle that is used; its calls throw DOMExceptions. */
export interface SyncFile {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  truncate(bytes: number): void;
  getSize(): number;
  close(): void;
}

/** Bytes read or written by one call: writes of 2 MiB took ten times as long here (Linux 6.18, ext4). */
const BLOCK_BYTES = 1024 * 1024;

/** What can be asked of a transfer's files while they are held. */
export function fileCalls(file: (name: KeptFileName) => SyncFile) {
  return {
    /** As many bytes as there are from `at` on, at most `length`. */
    read(name: KeptFileName, at: number, length: number): ArrayBuffer {
      const into = new Uint8Array(length);
      let done = 0;
      for (let more = 1; more > 0 && done < length; done += more)
        more = file(name).read(into.subarray(done), { at: at + done });
      return into.buffer.slice(0, done);
    },
    /** The buffer comes back with the answer. */
    write(name: KeptFileName, at: number, length: number, buffer: ArrayBuffer): ArrayBuffer {
      writeFully(file(name), new Uint8Array(buffer, 0, length), at);
      return buffer;
    },
    /** Writes zeros to the data, and makes it longer if needed. A hole stays a hole. */
    zeros: (at: number, length: number): void => clear(file('data'), at, length),
    truncate: (name: KeptFileName, length: number): void => file(name).truncate(length),
    /** What was written to it is down. */
    sync: (name: KeptFileName): void => file(name).flush(),
  };
}

export function writeFully(file: SyncFile, bytes: Uint8Array, at: number): void {
  for (let done = 0, more = 1; done < bytes.length; done += more) {
    more = file.write(bytes.subarray(done, done + BLOCK_BYTES), { at: at + done });
    // If a browser writes nothing and gives no error, it has no room.
    if (more <= 0) throw new DOMException('Nothing more could be written.', 'QuotaExceededError');
  }
}

/** Zeros a range, since an earlier run may have written something else there. A hole stays a hole. */
export function clear(file: SyncFile, at: number, length: number): void {
  if (file.getSize() < at + length) file.truncate(at + length);
  const scratch = new Uint8Array(Math.min(BLOCK_BYTES, length));
  for (let done = 0; done < length; done += BLOCK_BYTES) {
    const part = scratch.subarray(0, Math.min(BLOCK_BYTES, length - done));
    part.fill(0);
    file.read(part, { at: at + done });
    if (part.every((byte) => byte === 0)) continue;
    part.fill(0);
    writeFully(file, part, at + done);
  }
}
