/** Texts on a stream of bytes: each has its length before it, in UTF-8 bytes, as 32 bits, the highest first. */
import { concat, utf8Encode } from '../../base/bytes.ts';
import { fault } from '../../base/errors.ts';
import { MAX_RENDEZVOUS_TEXT } from '../../wire/rendezvous.ts';

const HEADER_BYTES = 4;

export function encodeText(text: string): Uint8Array {
  const body = utf8Encode(text);
  const frame = new Uint8Array(HEADER_BYTES + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, HEADER_BYTES);
  return frame;
}

/** Reads texts from whatever pieces they come in. It never holds more than the longest text and one piece. */
export class TextReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #rest = new Uint8Array();

  /** @throws BeelineError PROTOCOL for what is no text, or a longer one than any message is. Nothing may follow then. */
  read(bytes: Uint8Array): string[] {
    let all = this.#rest.length === 0 ? bytes : concat(this.#rest, bytes);
    const texts: string[] = [];
    while (all.length >= HEADER_BYTES) {
      const length = new DataView(all.buffer, all.byteOffset, HEADER_BYTES).getUint32(0);
      if (length === 0 || length > MAX_RENDEZVOUS_TEXT)
        throw fault('MEETING_STREAM_MALFORMED', { what: `announced a text of ${length} bytes` });
      const end = HEADER_BYTES + length;
      if (all.length < end) break;
      texts.push(this.#text(all.subarray(HEADER_BYTES, end)));
      all = all.subarray(end);
    }
    this.#rest = all.slice();
    return texts;
  }

  #text(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw fault('MEETING_STREAM_MALFORMED', { what: 'sent what is no UTF-8' });
    }
  }
}
