/** What a client is told when its upload is not taken: a status and a sentence, with nothing of this machine in it. */
import { BeelineError, codeOf, type ErrorCode } from '../../base/errors.ts';

export class UploadRefusal extends Error {
  override readonly name = 'UploadRefusal';
  readonly status: number;

  /** @param words for the person, one sentence */
  constructor(status: number, words: string) {
    super(words);
    this.status = status;
  }
}

/** RFC 9110, 15; RFC 4918, 11.3 (423) and 11.5 (507). */
const BY_CODE: Partial<Record<ErrorCode, readonly [status: number, words: string]>> = {
  UNSAFE_NAME: [400, 'This name cannot be used here.'],
  PROTOCOL: [400, 'More bytes came than were announced.'],
  EXISTS: [409, 'Something with this name is there already.'],
  LOCKED: [423, 'Somebody is at work on this upload.'],
  DISK_FULL: [507, 'There is no room left.'],
};

/** How Node says that a request ended early. */
const CUT: ReadonlySet<string> = new Set(['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR', 'EPIPE']);

/** The client went away, or its connection did. */
export const isCut = (thrown: unknown): boolean => CUT.has(codeOf(thrown));

/** What is said of anything thrown. The log says more. */
export function refusalOf(thrown: unknown): UploadRefusal {
  if (thrown instanceof UploadRefusal) return thrown;
  if (isCut(thrown)) return new UploadRefusal(400, 'The connection was cut off.');
  const known = thrown instanceof BeelineError ? BY_CODE[thrown.code] : undefined;
  if (known) return new UploadRefusal(...known);
  return new UploadRefusal(500, 'It could not be stored. The one who runs this inbox sees why.');
}
