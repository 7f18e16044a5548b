/** What the engine warns of, in the words of the page. Pure. */
import { escapeName, type TransferEvent } from '../../src/browser/light.ts';
import { sayIfAny } from '../words/index.ts';

type Warning = Extract<TransferEvent, { event: 'warning' }>;

export interface WarningShown extends Pick<Warning, 'reason' | 'message' | 'values' | 'path'> {
  /** The number of the one of several receivers that it is about. */
  readonly receiver?: number;
}

/** Undefined where the catalogue has none: in English, and for a reason that this page does not know. */
export function warningWords({ reason, values = {}, path }: WarningShown): string | undefined {
  const { like = '', count = 0 } = values;
  const name = escapeName(path ?? '');
  return sayIfAny(`warning.${[reason, like].filter(Boolean).join('.')}`, { ...values, path: name, n: count });
}

/** The engine's own sentence, which is English. */
export function warningMessage({ message, path }: WarningShown): string {
  // Most sentences name it themselves.
  const named = path === undefined || message.includes(`'${escapeName(path)}'`);
  return escapeName(named ? message : `${path}: ${message}`);
}
