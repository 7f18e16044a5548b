/** The name of a fetched file: by Content-Disposition (RFC 6266), else by the URL that it came from. One name, never a path. */
import contentDisposition from 'content-disposition';
import { nameProblem, STAGING_PREFIX } from '../../offer/names.ts';

/** What has no name of its own. */
export const NAMELESS = 'download';
const MAX_HEADER = 4096;

/** Undefined if nothing names it. @param disposition the header, if there is one */
export function fileNameOf(disposition: string | undefined, url: URL): string | undefined {
  return usable(fromDisposition(disposition)) ?? usable(fromUrl(url));
}

function fromDisposition(header: string | undefined): string | undefined {
  if (header === undefined || header.length > MAX_HEADER) return undefined;
  try {
    const { filename } = contentDisposition.parse(header).parameters;
    return filename === undefined ? undefined : asUtf8(filename);
  } catch {
    // Not by the grammar: the URL names the file.
    return undefined;
  }
}

/** Headers are Latin-1 by the letter, and UTF-8 where a server does not know that. */
function asUtf8(text: string): string {
  if (!/^[\0-\xff]*[\x80-\xff][\0-\xff]*$/.test(text)) return text;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'));
  } catch {
    return text;
  }
}

function fromUrl(url: URL): string {
  const last = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** What stands behind the last separator of any system; undefined if that is no name. */
function usable(given: string | undefined): string | undefined {
  const last = given?.split(/[/\\]/).at(-1)?.trim();
  // Hidden files steer programs: no server makes one.
  const name = last?.replace(/^\.+(?=[^.])/, (dots) => '_'.repeat(dots.length));
  if (name === undefined || nameProblem(name, 'posix') !== undefined) return undefined;
  return name.startsWith(STAGING_PREFIX) ? undefined : name;
}
