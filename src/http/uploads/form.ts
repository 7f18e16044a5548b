/** Files of an HTML form (RFC 7578), for browsers without script and `curl -F`. One after the other, as they stand in it. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { isCut, refusalOf, UploadRefusal } from './refusal.ts';
import type { Uploads } from './uploads.ts';

const MAX_FILES = 10_000;
const MAX_FIELDS = 100;
const MAX_FIELD_BYTES = 4096;

/** What became of one file of a form. */
export interface FormAnswer {
  /** As it is called here now, or as it was called if it was refused. */
  name: string;
  refusal?: UploadRefusal;
}

/**
 * @returns what became of each file. A connection that is cut leaves whole what was whole.
 * @throws UploadRefusal for what is no form; what the stream throws
 */
export async function takeForm(
  incoming: IncomingMessage,
  uploads: Uploads,
  from: string,
): Promise<FormAnswer[]> {
  const type = incoming.headers['content-type'] ?? '';
  const answers: FormAnswer[] = [];
  /** Files that are not in place yet. All but the last have come whole, since a form has one after the other. */
  const taking = new Set<Promise<void>>();
  let last: Promise<void> = Promise.resolve();
  let current: BusboyFileStream | undefined;
  const busboy = parserOf(type);
  busboy.on('file', (_field, stream, filename) => {
    // A field for which nobody chose a file.
    if (!filename) return void stream.resume();
    current = stream;
    // It may be cut off before anybody reads it, or after: whoever reads it is told by what it reads.
    stream.on('error', () => {});
    const answer: FormAnswer = { name: filename };
    answers.push(answer);
    const taken = last.then(async () => {
      try {
        // What is refused in the middle is read to its end, since other files may come behind it.
        const body = stream.iterator({ destroyOnReturn: false });
        answer.name = await takeStream({ path: filename, size: undefined }, body, uploads, from);
      } catch (thrown) {
        answer.refusal = refusalOf(thrown);
        stream.resume();
      }
      taking.delete(taken);
    });
    last = taken;
    taking.add(taken);
  });
  busboy.on('filesLimit', () => {
    const refusal = new UploadRefusal(413, `A form may have at most ${MAX_FILES} files.`);
    answers.push({ name: 'All files after that', refusal });
  });
  async function* pieces() {
    for await (const piece of incoming) {
      yield piece;
      while (taking.size > 1) await Promise.race(taking);
    }
  }
  try {
    await pipeline(pieces, busboy);
  } catch (error) {
    current?.destroy(error instanceof Error ? error : undefined);
    await last;
    throw isCut(error) ? error : new UploadRefusal(400, 'The form is malformed.');
  }
  await last;
  return answers;
}

function parserOf(type: string): BusboyInstance {
  try {
    if (/^multipart\/form-data *;/i.test(type))
      return new Busboy({
        headers: { 'content-type': type },
        limits: { files: MAX_FILES, fields: MAX_FIELDS, fieldSize: MAX_FIELD_BYTES, headerPairs: 64 },
      });
  } catch {
    // It names no boundary.
  }
  throw new UploadRefusal(415, 'A form with files (multipart/form-data) is expected here.');
}

/** One file of which nothing is kept if it does not come whole. @returns where it stands @throws UploadRefusal */
export async function takeStream(
  file: { path: string; size: number | undefined },
  stream: AsyncIterable<Uint8Array>,
  uploads: Uploads,
  from: string,
): Promise<string> {
  const id = randomBytes(16).toString('hex');
  await uploads.begin({ id, ...file }, from, 'discard');
  try {
    const here = file.size === 0 ? 0 : await uploads.write(id, stream);
    if (file.size === undefined) return await uploads.end(id);
    if (here < file.size) throw new UploadRefusal(400, 'Fewer bytes came than were announced.');
    return uploads.nameOf(id) ?? file.path;
  } catch (error) {
    await uploads.remove(id);
    throw error;
  }
}
