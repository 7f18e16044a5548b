/** Another name where one is taken: ' (2)' before the extension, cut to what one name may be long. */
import { utf8Encode } from '../../base/bytes.ts';
import { MAX_COMPONENT } from '../../base/limits.ts';

/** @param path only its last part changes */
export function numbered(path: string, n: number): string {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot) : '';
  const suffix = ` (${n})${extension}`;
  const letters = [...name.slice(0, name.length - extension.length)];
  while (letters.length > 1 && utf8Encode(letters.join('') + suffix).length > MAX_COMPONENT) letters.pop();
  return path.slice(0, slash) + letters.join('') + suffix;
}
