/**
 * How a browser takes a served file. It comes from our address, but is somebody's: nothing in it may run there. What a browser only shows
 * may open in it; a page, a drawing or anything else that could have a script in it is downloaded.
 */
import contentDisposition from 'content-disposition';
import { contentType } from 'mime-types';

/** What browsers show by themselves, and run nothing of. An SVG is a document with scripts. */
const SHOWN = /^(?:image\/(?!svg)|audio\/|video\/|application\/pdf$|text\/plain$)/;
const UNKNOWN = 'application/octet-stream';

/** Even if a browser were to show it as a page: no script, no form, no other origin, and no origin of its own. */
const FILE_POLICY =
  "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** Browsers show a PDF in a program of their own, which a sandbox keeps from starting. */
const PDF_POLICY =
  "default-src 'none'; object-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export interface Presentation {
  type: string;
  disposition: string;
  policy: string;
}

/** @param save the person wants it on the disk, whatever it is */
export function presentationOf(name: string, save: boolean): Presentation {
  const type = contentType(extensionOf(name)) || UNKNOWN;
  const plain = type.split(';', 1)[0]!;
  const shown = !save && SHOWN.test(plain);
  return {
    type,
    disposition: dispositionOf(name, shown ? 'inline' : 'attachment'),
    policy: plain === 'application/pdf' ? PDF_POLICY : FILE_POLICY,
  };
}

/** `mime-types` takes a name without a dot for an extension. */
function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot) : '.unknown';
}

/** The name in ASCII for old clients, and whole in the form of RFC 8187 beside it, if it is more than that. */
export function dispositionOf(name: string, type: 'inline' | 'attachment'): string {
  // Half of a surrogate pair has no UTF-8, and what is behind a backslash would be taken for the name.
  const whole = name.replace(/\p{Cs}/gu, '\ufffd').replaceAll('\\', '_');
  return contentDisposition(whole, { type, fallback: whole.replace(/[^\x20-\x7e]|%(?=[0-9a-f]{2})/gi, '_') });
}
