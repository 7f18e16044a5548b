/**
 * Files and folders as one ZIP, which is made while it is read: a stream like stdin, of which the receiver gets one file. The same archive
 * as that of `serve` and of `send --http`. Links are no members.
 */
import { archiveName } from '../archive/zip.ts';
import { MIN_CHUNK } from '../base/limits.ts';
import { archiveOf } from '../http/serving/archive.ts';
import type { Source } from '../sync/ports.ts';
import { StreamSource } from './files/stream-source.ts';
import { asReadable } from './items.ts';
import { OfferTree } from './serving/offer-tree.ts';

export class ZipSource extends StreamSource {
  readonly #files: Source;

  /** @param name absent: that of what is sent, or `beeline.zip` */
  constructor(files: Source, { name, sha256 }: { name?: string | undefined; sha256?: boolean | undefined }) {
    const tree = new OfferTree(files);
    const folder = tree.top.kind === 'folder' ? tree.top : tree.root;
    const stream = asReadable(archiveOf(tree, folder, 'zip'));
    const newest = files.entries.reduce((most, { mtime }) => Math.max(most, mtime), 0);
    super(stream, name ?? archiveName(files.entries.map(({ path }) => path)), {
      ...{ chunkSize: MIN_CHUNK, sha256: sha256 ?? false, modified: new Date(newest / 1000) },
    });
    this.#files = files;
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#files.close();
  }
}
