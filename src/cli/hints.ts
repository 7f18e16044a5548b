/** What to type in the command about an error of the library, whose own texts know no flags. */
import type { BeelineError, Reason } from '../base/errors.ts';

const ELSEWHERE = '--to chooses the folder.';
const PORTS = '--port chooses the port (for STUN: --stun-port, or --no-stun to do without).';
const TRUSTED = '`beeline trust` lists those that are.';
const KEY_SHOWN = '`beeline trust` shows it on the other device.';
const CERTIFICATE = 'The file is that of --tls-cert.';
const KEY = 'The file is that of --tls-key.';

/** One sentence each, which stands behind the error's own. */
export const HINTS: { readonly [R in Reason]?: string } = {
  NOBODY_ON_LAN:
    'If they are not, or it keeps machines apart, use --at HOST:PORT or --server URL, as the sender shows.',
  NO_MEETING_PLACE: 'Say where the sender is: --at HOST:PORT or --server URL.',
  SEVERAL_SENDERS: '--at HOST:PORT says it.',
  CODES_TAKEN: '--code CODE says it.',
  STUN_UNNAMED: 'Give one with --server.',
  STDOUT_NEEDS_ONE_FILE: 'Receive with --to DIR.',
  DEVICE_UNKNOWN: TRUSTED,
  DEVICE_KEY_MALFORMED: KEY_SHOWN,
  DEVICE_KEY_UNUSABLE: KEY_SHOWN,
  PRIVATE_FOLDER_OPEN: '--config-dir names it.',
  STUN_NO_PORT: PORTS,
  STUN_SAME_PORT: PORTS,
  PORT_IN_USE: PORTS,
  PORT_FORBIDDEN: PORTS,
  ADDRESS_NOT_HERE: 'Check --host.',
  HOST_UNKNOWN: 'Check --host.',
  CERTIFICATE_MALFORMED: CERTIFICATE,
  CERTIFICATE_UNUSABLE: CERTIFICATE,
  CERTIFICATE_KEY_ENCRYPTED: KEY,
  CERTIFICATE_KEY_MALFORMED: KEY,
  CERTIFICATE_KEY_OTHER: 'The files are those of --tls-cert and --tls-key.',
  CERTIFICATE_MISSING: 'The files are those of --tls-cert and --tls-key.',
  CERTIFICATE_UNREADABLE: 'The files are those of --tls-cert and --tls-key.',
  FILES_EXIST: 'Choose with --overwrite skip, rename, replace or update.',
  DESTINATION_NO_FOLDER: "Choose a folder with --to, or '--to -' for one file.",
  LINK_IN_THE_WAY: ELSEWHERE,
  LINK_LEADS_OUT: 'It receives with --links all. Send with --links follow to send what it points to.',
  LINK_LEFT_OUT: 'Receive with --links all to have it.',
  OTHER_FILE_SYSTEM: ELSEWHERE,
  FILE_TOO_LARGE: ELSEWHERE,
  DISK_READ_ONLY: ELSEWHERE,
  DISK_FORBIDDEN: ELSEWHERE,
  DISK_NOT_PERMITTED: ELSEWHERE,
};

/** An error's, or a warning's, sentence for somebody at the command. */
export function withHint({
  message,
  reason,
}: Pick<BeelineError, 'message'> & { reason?: Reason | undefined }): string {
  const hint = reason && HINTS[reason];
  return hint === undefined ? message : `${message} ${hint}`;
}
