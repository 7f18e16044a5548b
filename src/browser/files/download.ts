/** What is kept here, as downloads: for browsers that cannot write into a folder, and for people who want just that. */

import { archiveName, type ZipMember, zipLength, zipStream } from '../../archive/zip.ts';
import { fault } from '../../base/errors.ts';
import { lastPart } from '../../offer/names.ts';
import { startDownload, stopped } from './download-stream.ts';
import type { Kept, KeptFile } from './kept.ts';

/** Bytes read at a time. */
const PIECE = 1024 * 1024;
/** Milliseconds that an address stays good: a browser takes it up with the click, some only after a question. */
const GOOD = 600_000;

/**
 * One file as it is; several as one ZIP that is made while it is downloaded; or, without a service worker, one download
 * each. Resolves once the browser has taken a ZIP to its end; of the others it is not told: remove nothing at once.
 * @param signal ends a ZIP that is under way; what a browser has begun to save of single files it saves
 * @throws BeelineError USAGE (not complete), WRITE_FAILED, CANCELLED (by the signal).
 */
export async function saveAsDownloads(kept: Kept, signal?: AbortSignal): Promise<void> {
  if (!kept.complete) throw fault('KEPT_INCOMPLETE');
  unlessStopped(signal);
  const { files, folders } = kept;
  if (files.length === 1) return downloadFile(files[0]!, signal);
  const body = zipStream(members(kept));
  const paths = [...folders, ...files.map(({ path }) => path)];
  const size = zipLength(files, folders);
  const started = await startDownload({ name: archiveName(paths), size, body, signal }).catch((error) => {
    if (files.length === 0 || signal?.aborted) throw error;
  });
  if (started) return started.done;
  for (const file of files) await downloadFile(file, signal);
}

async function* members({ files, folders }: Kept): AsyncGenerator<ZipMember> {
  for (const path of folders) yield { path, size: 0, mtime: Date.now() };
  for (const file of files) yield { ...file, content: pieces(await file.blob()) };
}

/** Larger ones than `Blob.stream` gives. */
function pieces(blob: Blob): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        if (at >= blob.size) return controller.close();
        controller.enqueue(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()));
        at += PIECE;
      },
    },
    { highWaterMark: 0 },
  );
}

async function downloadFile(file: KeptFile, signal: AbortSignal | undefined): Promise<void> {
  const blob = await file.blob();
  unlessStopped(signal);
  const address = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = address;
  link.download = lastPart(file.path);
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), GOOD);
}

function unlessStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw stopped();
}
