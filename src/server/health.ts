/** Whether the server lives, and whether it should get anybody new: `/healthz` and `/readyz`, for what watches it. */
import type { MadeAnswers } from './page.ts';

export const SHUTTING_DOWN = 'This server is shutting down.';

/** Why nobody new should be sent here now, in a sentence without anything of a client; undefined: there is no reason. */
export type ReadyCheck = () => string | undefined;

export class Health {
  readonly #checks: ReadyCheck[] = [];

  /** Each part of the server that can be out of service says so by one. */
  add(check: ReadyCheck): void {
    this.#checks.push(check);
  }

  /** The first reason that there is. */
  get unready(): string | undefined {
    for (const check of this.#checks) {
      const reason = check();
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  readonly answers: MadeAnswers = new Map([
    ['/healthz', () => ({ status: 200, text: 'ok\n' })],
    [
      '/readyz',
      () => {
        const { unready } = this;
        return unready === undefined
          ? { status: 200, text: 'ready\n' }
          : { status: 503, text: `${unready}\n` };
      },
    ],
  ]);
}
