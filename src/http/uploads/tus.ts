/**
 * Resumable uploads by tus 1.0 (https://tus.io/protocols/resumable-upload), for uppy, tus-js-client and the inbox's own page. The
 * protocol is `@tus/server`'s; what comes goes to the same place as every other upload.
 */
import type { Readable } from 'node:stream';
import { DataStore, Server, Upload } from '@tus/server';
import { forgetOldest } from '../../base/oldest.ts';
import { refusalOf, UploadRefusal } from './refusal.ts';
import { UNFINISHED_KEPT, type Uploads } from './uploads.ts';

/** Milliseconds before 1970 or after 9999 are no time of a file. */
const LATEST_MTIME = 253_402_300_800_000;

class Store extends DataStore {
  override extensions = ['creation', 'creation-with-upload', 'termination', 'expiration'];
  readonly #uploads: Uploads;
  /** As the client wrote it. */
  readonly #metadata = new Map<string, Upload['metadata']>();
  /** Who is about to send something of which. */
  readonly #senders = new Map<string, string>();

  constructor(uploads: Uploads) {
    super();
    this.#uploads = uploads;
  }

  override async create(upload: Upload): Promise<Upload> {
    const { id, size, metadata = {} } = upload;
    if (!Number.isSafeInteger(size)) throw told(new UploadRefusal(400, 'Upload-Length is out of range.'));
    const mtime = mtimeOf(metadata.mtime);
    await this.#uploads
      .begin({ id, path: pathOf(metadata), size, ...(mtime !== undefined && { mtime }) }, this.#from(id))
      .catch(tell);
    this.#metadata.set(id, metadata);
    forgetOldest(this.#metadata, MAX_REMEMBERED);
    return upload;
  }

  override async write(stream: Readable, id: string): Promise<number> {
    return this.#uploads.write(id, stream, this.#from(id)).catch(tell);
  }

  override async getUpload(id: string): Promise<Upload> {
    const found = await this.#uploads.look(id).catch(tell);
    if (!found) throw told(new UploadRefusal(404, 'There is no such upload.'));
    const { size, offset, created, path } = found;
    return new Upload({
      id,
      offset,
      ...(size !== undefined && { size }),
      // After a restart what is known of it is its name.
      metadata: this.#metadata.get(id) ?? { filename: path },
      creation_date: new Date(created).toISOString(),
    });
  }

  override async remove(id: string): Promise<void> {
    this.#metadata.delete(id);
    if (!(await this.#uploads.remove(id).catch(tell)))
      throw told(new UploadRefusal(404, 'There is no such upload.'));
  }

  override getExpiration(): number {
    return UNFINISHED_KEPT;
  }

  /** Told before `create` and `write`, which do not know it. */
  comes(id: string, from: string): void {
    this.#senders.set(id, from);
    forgetOldest(this.#senders, MAX_REMEMBERED);
  }

  #from(id: string): string | undefined {
    const from = this.#senders.get(id);
    this.#senders.delete(id);
    return from;
  }

  /** The inbox sweeps by itself. */
  override async deleteExpired(): Promise<number> {
    return 0;
  }
}

/** Uploads of which something is remembered. What a client wrote of one may be as long as a head: 16 KiB. */
const MAX_REMEMBERED = 1_000;

/**
 * @param mount the path of the requests, as far as they are tus's: without a `/` at its end
 * @returns what answers them. @param from who sent one, for people
 */
export function tusServer(
  uploads: Uploads,
  mount: string,
): (request: Request, from: string) => Promise<Response> {
  const datastore = new Store(uploads);
  const senders = new WeakMap<object, string>();
  const server = new Server({
    path: mount,
    datastore,
    onIncomingRequest: async (request, id) => datastore.comes(id, senders.get(request) ?? ''),
    // A path alone: whatever host and scheme a proxy has made of it.
    relativeLocation: true,
    // No page of another origin has anything to do here.
    allowedOrigins: [],
    ...(uploads.maxSize !== undefined && { maxSize: uploads.maxSize }),
    disableTerminationForFinishedUploads: true,
    onResponseError: (_, error) =>
      'status_code' in error ? error : { status_code: 500, body: `${refusalOf(error).message}\n` },
  });
  return (request, from) => {
    senders.set(request, from);
    return server.handleWeb(request);
  };
}

/** The path that a client wants: uppy writes the text `null` where there is no folder. */
function pathOf(metadata: Record<string, string | null>): string {
  const { relativePath, filename, name } = metadata;
  const folder = relativePath && relativePath !== 'null' ? relativePath : undefined;
  return (folder ?? filename ?? name ?? '').replace(/^\/+/, '');
}

/** Whole microseconds, of milliseconds as a page knows them. */
function mtimeOf(text: string | null | undefined): number | undefined {
  const time = text ? Number(text) : Number.NaN;
  return time > 0 && time < LATEST_MTIME ? Math.round(time) * 1000 : undefined;
}

function tell(thrown: unknown): never {
  throw told(refusalOf(thrown));
}

/** As `@tus/server` takes it. */
const told = ({ status, message }: UploadRefusal) => ({ status_code: status, body: `${message}\n` });
