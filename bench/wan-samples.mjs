/** How far a transfer is at which time, and the goodput between two times. */

/** Milliseconds between two looks at a file. */
const LOOK = 100;

/** Samples [second, bytes] since it was made. */
export class Samples {
  #began = performance.now();
  #all = [[0, 0]];

  get seconds() {
    return (performance.now() - this.#began) / 1000;
  }

  add(bytes) {
    this.#all.push([this.seconds, bytes]);
  }

  /** Calls `look` for the bytes so far, ten times a second, until what it returns is called. */
  watch(look) {
    const timer = setInterval(() => this.add(look()), LOOK);
    return () => clearInterval(timer);
  }

  /** Bytes at a second, between the two samples around it. */
  at(second) {
    const next = this.#all.findIndex(([time]) => time >= second);
    if (next < 0) return this.#all.at(-1)[1];
    if (next === 0) return this.#all[0][1];
    const [[t0, b0], [t1, b1]] = this.#all.slice(next - 1, next + 1);
    return t1 === t0 ? b1 : b0 + ((b1 - b0) * (second - t0)) / (t1 - t0);
  }

  /** 10^6 bits a second. */
  goodput(from, to) {
    return ((this.at(to) - this.at(from)) * 8) / 1e6 / (to - from);
  }

  /** Seconds until the first byte; undefined when none came. */
  get firstByte() {
    return this.#all.find(([, bytes]) => bytes > 0)?.[0];
  }

  /** Mbit/s of every second. */
  series(seconds) {
    return Array.from(
      { length: Math.floor(seconds) },
      (_, i) => Math.round(this.goodput(i, i + 1) * 10) / 10,
    );
  }
}
