/** The failure of a sender with several receivers, of whom some may have everything. */
import { BeelineError } from '../base/errors.ts';
import type { ReceiverResult } from './api.ts';

/**
 * What `done` of a sender with several receivers rejects with once it had any: the first that failed, or the end of the whole, with how
 * it went for each.
 */
export class DeliveryError extends BeelineError {
  readonly receivers: readonly ReceiverResult[];
  /** Where the receipt was written, of those who have everything. */
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
