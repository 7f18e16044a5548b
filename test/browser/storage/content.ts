/** What is in the files of these tests: bytes that any place of any file can be checked against, made fast. */

/** A prime number of bytes, so that no chunk looks like another. */
const PERIOD = 1_048_573;
const NOISE = new Uint8Array(2 * PERIOD);
let state = 0x9e3779b9;
for (let i = 0; i < PERIOD; i++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  NOISE[i] = NOISE[i + PERIOD] = 1 + ((state >>> 24) % 255);
}

/** The bytes of a file from an offset on; none of them is zero. */
export function fill(entry: number, offset: number, into: Uint8Array): void {
  for (let done = 0; done < into.length; ) {
    const at = (offset + done + entry * 7919) % PERIOD;
    const length = Math.min(PERIOD, into.length - done);
    into.set(NOISE.subarray(at, at + length), done);
    done += length;
  }
}
