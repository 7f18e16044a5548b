/** The failure of a sender with several receivers, of whom some may have everything. */
import { BeelineError } from '../base/errors.ts';
import type { ReceiverResult } from './api.ts';

/**
 * `done` of a sender with several receivers rejects with this once it had any. It is the first failure, or the end of the whole, with
 * how it went for each.
 */
export class DeliveryError extends BeelineError {
  readonly receivers: readonly ReceiverResult[];
  /** Where the receipt for those who have everything was written. */
  readonly receipt: string | undefined;

  constructor(
    cause: BeelineError,
    { receivers, receipt }: { receivers: readonly ReceiverResult[]; receipt: string | undefined },
  ) {
    super(cause.code, cause.message, { reason: cause.reason, paths: cause.paths, cause });
    this.receivers = receivers;
    this.receipt = receipt;
  }
}
