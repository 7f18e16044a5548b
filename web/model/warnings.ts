/** What the engine warns of, in the words of the page. Pure. */
import { escapeName, type TransferEvent } from '../../src/browser/light.ts';
import { sayIfAny } from '../words/index.ts';

type Warning = Extract<TransferEvent, { event: 'warning' }>;

export interface WarningShown extends Pick<Warning, 'reason' | 'message' | 'values' | 'path'> {
  /** The number of the one of several receivers that it is about. */
  readonly receiver?: number;
}

/**
 * Cut where names are, which come from elsewhere. Undefined where the catalogue has none: in English, and for a reason that this page
 * does not know.
 * @param shown makes of a name what keeps it from turning the words around it
 */
export function warningWords<T>(
  { reason, values = {}, path }: WarningShown,
  shown: (name: string) => T,
): (string | T)[] | undefined {
  const { like = '', count = 0 } = values;
  const slots = Object.entries({ ...values, path: path ?? '' }).map(
    ([slot, value]) => [slot, typeof value === 'number' ? value : shown(escapeName(value))] as const,
  );
  const key = `warning.${[reason, like].filter(Boolean).join('.')}`;
  return sayIfAny<T>(key, { ...Object.fromEntries(slots), n: Number(count) });
}

/** The engine's own sentence, which is English. */
export function warningMessage({ message, path }: WarningShown): string {
  // Most sentences name it themselves.
  const named = path === undefined || message.includes(`'${escapeName(path)}'`);
  return escapeName(named ? message : `${path}: ${message}`);
}
