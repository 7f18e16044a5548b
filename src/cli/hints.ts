/** What to type in the command about an error of the library, whose own texts know no flags. */
import type { BeelineError, Reason } from '../base/errors.ts';

const ELSEWHERE = 'To receive into another folder, use --to.';
const PORT = '--port chooses another one.';
const PORTS = '--port chooses it. A `beeline server` also has --stun-port and --no-stun.';
const TRUSTED = '`beeline trust` lists the trusted devices.';
const KEY_SHOWN = 'To see the key, run `beeline trust` on the other device.';
const OWN_CERTIFICATE =
  'If it is your own, or of your own authority: set NODE_EXTRA_CA_CERTS to its file (PEM), and try again.';
const CERTIFICATE = 'Check the file that --tls-cert names.';
const KEY = 'Check the file that --tls-key names.';
const BOTH = 'Check the files that --tls-cert and --tls-key name.';

/** One sentence for each reason, put behind the error's own. */
export const HINTS: { readonly [R in Reason]?: string } = {
  NOBODY_ON_LAN:
    'If they are on different networks, or the network keeps machines apart, use --at HOST:PORT or --server URL.',
  NOBODY_ANYWHERE: 'If one side has --no-dht, or no UDP, use --at HOST:PORT or --server URL.',
  DHT_SILENT: 'The other ways are --at HOST:PORT and --server URL. --no-dht does not try this one.',
  ONLY_AT_PORT: 'The receiver runs with --at HOST:PORT. To choose the port, use --port here.',
  NO_MEETING_PLACE: 'Say where the sender is: --at HOST:PORT or --server URL.',
  SEVERAL_SENDERS: 'To choose one, use --at HOST:PORT.',
  CODE_TOO_SHORT: 'Without --code, Beeline makes one.',
  CODES_TAKEN: 'To choose a code, use --code CODE.',
  NOTHING_TO_SERVE: 'Name at least one path.',
  NOTHING_TO_SEND: 'Name at least one path.',
  STUN_UNNAMED: 'To name one, use --server.',
  STDOUT_NEEDS_ONE_FILE: 'Receive with --to DIR.',
  PEER_DECLINED: 'If nobody there said so: a rule for this device may have (`beeline trust` there shows it).',
  NO_DEVICES: 'To pair two, run `beeline trust` on both: it shows the key to add on the other one.',
  LISTENS_ALREADY: 'Stop that one first, or use another --config-dir.',
  SERVER_CANNOT_WATCH: 'Update the server, or leave out --server for the local network.',
  DEVICE_UNKNOWN: TRUSTED,
  DEVICE_KEY_MALFORMED: KEY_SHOWN,
  DEVICE_KEY_UNUSABLE: KEY_SHOWN,
  PRIVATE_FOLDER_OPEN: 'To choose the folder, use --config-dir.',
  STUN_NO_PORT: PORTS,
  STUN_SAME_PORT: PORTS,
  PORT_IN_USE: PORT,
  PORT_FORBIDDEN: PORT,
  ADDRESS_NOT_HERE: 'Check --host; of `beeline send`, check --at.',
  HOST_UNKNOWN: 'Check --host.',
  SERVER_CERTIFICATE: OWN_CERTIFICATE,
  CERTIFICATE_MALFORMED: CERTIFICATE,
  CERTIFICATE_UNUSABLE: CERTIFICATE,
  CERTIFICATE_KEY_ENCRYPTED: KEY,
  CERTIFICATE_KEY_MALFORMED: KEY,
  CERTIFICATE_KEY_OTHER: BOTH,
  CERTIFICATE_MISSING: BOTH,
  CERTIFICATE_UNREADABLE: BOTH,
  HTTP_CERTIFICATE: `${OWN_CERTIFICATE} Of one that \`beeline serve --tls\` made, use the line for curl that it shows.`,
  HTTP_PAGE: 'If you want the page itself, name it with --name. A link to receive by ends in # and a code.',
  HTTP_LEADS_INSIDE: 'To allow it, use --allow-private.',
  FILES_EXIST: 'Choose with --overwrite skip, rename, replace or update.',
  DESTINATION_NO_FOLDER: "Choose a folder with --to, or '--to -' for one file.",
  LINK_IN_THE_WAY: ELSEWHERE,
  LINK_LEADS_OUT: 'The receiver gets it with --links all. To send what it points to, use --links follow.',
  LINK_NOT_IN_ZIP: 'To send what it points to, use --links follow.',
  LINK_LEFT_OUT: 'To receive it too, use --links all.',
  OTHER_FILE_SYSTEM: ELSEWHERE,
  FILE_TOO_LARGE: ELSEWHERE,
  DISK_READ_ONLY: ELSEWHERE,
  DISK_FORBIDDEN: ELSEWHERE,
  DISK_NOT_PERMITTED: ELSEWHERE,
};

/** The sentence of an error or a warning, with its hint. */
export function withHint({
  message,
  reason,
}: Pick<BeelineError, 'message'> & { reason?: Reason | undefined }): string {
  const hint = reason && HINTS[reason];
  return hint === undefined ? message : `${message} ${hint}`;
}
