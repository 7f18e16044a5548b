/** A value that comes later, and what waits for it in order: messages may arrive before who understands them. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  /** Calls back once the value is there; first come, first served. */
  whenReady(use: (value: T) => void): void {
    void this.promise.then(use);
  }
}
