/** RFC 4648 base64url without padding. One byte string has exactly one text. */
const LONGEST_CALL = 8192;

export function toBase64Url(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += LONGEST_CALL)
    binary += String.fromCharCode(...bytes.subarray(at, at + LONGEST_CALL));
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** Undefined if the text is not what `toBase64Url` gives for some bytes. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  // Stray last bits are ignored by the decoder; two texts for one message would be one too many.
  return toBase64Url(bytes) === text ? bytes : undefined;
}
