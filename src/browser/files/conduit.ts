/** Pieces of files from one side that has them to one that wants them: one at a time, so that the slower sets the pace. */
import type { BeelineError } from '../../base/errors.ts';

export interface Piece {
  /** Index into the manifest's entries. */
  entry: number;
  bytes: Uint8Array<ArrayBuffer>;
}

export class Conduit {
  #piece: Piece | undefined;
  /** Of the piece that is offered. */
  #taken: { resolve: () => void; reject: (error: BeelineError) => void } | undefined;
  #wanted: { resolve: () => void; reject: (error: BeelineError) => void } | undefined;
  #ended = false;
  #failure: BeelineError | undefined;

  /** Resolves once it is taken; not before the one put earlier. Rejects once the conduit has failed. */
  async put(piece: Piece): Promise<void> {
    if (this.#failure) throw this.#failure;
    this.#piece = piece;
    this.#wanted?.resolve();
    await new Promise<void>((resolve, reject) => {
      this.#taken = { resolve, reject };
    });
  }

  /** The next piece, left where it is; undefined at the end. */
  async peek(): Promise<Piece | undefined> {
    while (!this.#piece && !this.#ended && !this.#failure)
      await new Promise<void>((resolve, reject) => {
        this.#wanted = { resolve, reject };
      });
    this.#wanted = undefined;
    if (this.#failure) throw this.#failure;
    return this.#piece;
  }

  async take(): Promise<Piece | undefined> {
    const piece = await this.peek();
    this.#piece = undefined;
    this.#taken?.resolve();
    this.#taken = undefined;
    return piece;
  }

  /** Nothing more will be put. */
  end(): void {
    this.#ended = true;
    this.#wanted?.resolve();
  }

  /** Both sides are told; whatever is in it is gone. */
  fail(error: BeelineError): void {
    this.#failure ??= error;
    this.#piece = undefined;
    this.#taken?.reject(this.#failure);
    this.#wanted?.reject(this.#failure);
  }
}
