/** JSON of one line that is safe to look at in a terminal, for output and for files that people open. */
// JSON itself escapes only C0 and lone surrogates. DEL, C1, bidi and invisible characters in a file name would still
// reach the terminal of someone who just looks at the output; as \u escapes they mean the same to every parser.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** One line, without the line feed. */
export function jsonLine(value: object): string {
  return escapeJson(JSON.stringify(value));
}

/** What JSON writes as it is: printable ASCII without quotation mark and backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A text as such JSON. */
export function jsonText(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : escapeJson(JSON.stringify(text));
}

/** The same JSON, with escapes for characters that are invisible or steer a terminal. @param json without line feeds */
export function escapeJson(json: string): string {
  return json.replace(UNSAFE, (found) => {
    let text = '';
    for (let i = 0; i < found.length; i++) text += `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`;
    return text;
  });
}
