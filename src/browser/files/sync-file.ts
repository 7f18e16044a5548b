/** Files that are written in place. Runs in the storage worker, where alone such handles exist. */

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

/** Less than `into` only at the end of the file. */
export function readFully(file: SyncFile, into: Uint8Array, at: number): number {
  let done = 0;
  for (let more = 1; more > 0 && done < into.length; done += more)
    more = file.read(into.subarray(done), { at: at + done });
  return done;
}

export function writeFully(file: SyncFile, bytes: Uint8Array, at: number): void {
  for (let done = 0, more = 1; done < bytes.length; done += more) {
    more = file.write(bytes.subarray(done, done + BLOCK_BYTES), { at: at + done });
    // A browser that writes nothing and says nothing has no room.
    if (more <= 0) throw new DOMException('Nothing more could be written.', 'QuotaExceededError');
  }
}

/** Zeros a range. What an earlier run wrote there may be something else; a hole that is one stays one. */
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
