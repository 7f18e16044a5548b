/**
 * The causes that share a code, each with a name of its own and its text: what programs compare and what people read, in one
 * place. `{slots}` are filled in where the error arises. docs/errors.md has the same list. The texts speak to any program; what
 * to type in the command is said by the command (`cli/hints.ts`).
 */
import type { ErrorCode } from './error-codes.ts';

/** Names are as stable as codes: never rename one, never reuse one. */
export const REASONS = {
  // NO_PATH: the other side as a whole
  NO_FIRST_LANE: ['NO_PATH', 'The other side is there, but no connection to it can be opened.'],
  PEER_AWAY: [
    'NO_PATH',
    'The connection was lost, and the other side did not come back within {time}.{more}',
  ],
  // The other side as a whole: what it does not say, says, or cannot prove
  PEER_SILENT: ['TIMEOUT', 'The other side is connected but does not send {what}.'],
  SENDER_MUTE: ['TIMEOUT', 'The sender is there but does not answer.'],
  STREAM_ENDED: ['PEER_FAILED', 'The other side ended, and a stream cannot be sent twice.'],
  SENDER_ENDED: ['PEER_FAILED', 'The sender ended before the two sides were connected.'],
  SENDER_INTERRUPTED: [
    'PEER_FAILED',
    'The sender was interrupted. What has arrived is kept: receive again with its new code to go on.',
  ],
  PEER_GAVE_UP: ['PEER_FAILED', 'The other side {what}.'],
  PEER_DECLINED: ['REFUSED', 'The other side declined.'],
  DECLINED_HERE: ['REFUSED', 'Declined here. Nothing was written.'],
  PEER_UNVERIFIED: ['VERIFICATION', 'The other side found that what arrived is not what was sent.'],
  PEER_OTHER_VERSION: ['VERSION', 'The other side speaks another protocol version: update the older one.'],
  CODE_WRONG: ['WRONG_CODE', 'The code was wrong, and is burned: nobody can try it again. {next}'],
  KEY_WRONG: ['WRONG_CODE', 'The two sides have different pre-shared keys.'],
  DEVICE_WRONG: ['WRONG_CODE', 'The other side is not the trusted device that it should be.'],
  HANDSHAKE_DISTURBED: [
    'AUTHENTICATION',
    'The connection to the sender was interrupted while the code was being checked, or somebody tries to guess it. Receive again; if this repeats, ask the sender for a new code.',
  ],
  UNREADABLE_THERE: ['UNREADABLE', "'{file}' could not be read on the other side."],
  CHANGED_THERE: ['SOURCE_CHANGED', "'{file}' changed while it was being sent on the other side."],
  SENT_INCOMPLETE: [
    'SOURCE_CHANGED',
    'Changed or vanished while being sent: {names}. Everything else arrived.',
  ],
  TEXT_TOO_LONG: ['USAGE', 'The text is longer than {most} bytes. Send it as a file.'],
  // NO_PATH: one lane
  LANE_CLOSED: ['NO_PATH', 'The lane is closed.'],
  LANE_OUTPACED: ['NO_PATH', 'Another path was faster.'],
  LANE_PATH_GONE: ['NO_PATH', "The lane's path is gone."],
  LANE_NETWORK_CHANGED: ['NO_PATH', 'The network of this machine has changed.'],
  LANE_CUT_OFF: ['NO_PATH', 'The lane was cut off by something on the way.'],
  LANE_KEY_USED_UP: [
    'NO_PATH',
    'One key has protected as much on this lane as it may. Another lane takes over.',
  ],
  LANE_FAILED: ['NO_PATH', 'The lane to {remote} ({kind}) failed.'],
  LANE_ENDED: ['NO_PATH', 'The lane to {remote} ({kind}) closed.'],
  LANE_WRITE_FAILED: ['NO_PATH', '{why}'],
  ADDRESS_UNREACHABLE: ['NO_PATH', 'Cannot reach {host}:{port}.'],
  ADDRESSES_PACED: ['NO_PATH', 'Too many addresses were tried just now.'],
  PORT_CARRIES_LANE: ['NO_PATH', 'Port {port} carries a lane already.'],
  UDP_NO_ENGINE: [
    'NO_PATH',
    'Lanes over UDP are not available here: the native part of udx-native cannot be loaded. Others are used.',
  ],
  UDP_NO_PORT: ['NO_PATH', 'No UDP port can be opened: {why}'],
  UDP_NO_WAY: ['NO_PATH', 'No path to the other side over UDP is free now.'],
  UDP_FULL: ['NO_PATH', '{remote} takes no more lanes over UDP.'],
  WEBRTC_PAUSED: ['NO_PATH', 'WebRTC did not work just now.'],
  WEBRTC_FULL: ['NO_PATH', 'No more than {most} WebRTC connections are opened at once.'],
  WEBRTC_MISSING: ['NO_PATH', 'WebRTC is not available here.'],
  WEBRTC_NOT_INSTALLED: [
    'NO_PATH',
    "The other side is a browser, and browsers cannot reach this side directly: the optional package node-datachannel is not installed here. Bytes go through the server's relay, if it has one.",
  ],
  WEBRTC_FAILED: ['NO_PATH', 'WebRTC does not work here: {why}'],
  WEBRTC_CLOSED: ['NO_PATH', 'The WebRTC connection was closed.'],
  WEBRTC_NO_WAY: ['NO_PATH', 'WebRTC found no way to the other side, or lost it.'],
  WEBRTC_NO_PATH_YET: ['NO_PATH', 'There is no way to the other side by WebRTC.'],
  WEBRTC_WRITE_FAILED: ['NO_PATH', 'Writing to a data channel failed: {why}'],

  // Other ends of a lane
  LANE_LATE: ['TIMEOUT', 'No lane to {remote} ({kind}) came up in time.'],
  LANE_SILENT: ['TIMEOUT', 'Nothing came on the lane for {seconds} seconds.'],
  LANE_STRANGER: ['AUTHENTICATION', 'Somebody else is at the other end of a lane: {what}.'],
  LANE_ALTERED: ['AUTHENTICATION', 'Something on the way altered what was sent. The lane was closed.'],
  WEBRTC_LATE: ['TIMEOUT', 'A WebRTC connection did not open in time.'],
  RELAY_LANE_LATE: ['TIMEOUT', 'The other side did not answer through the relay in time.'],
  // NO_PATH: relays
  RELAY_REFUSED: ['NO_PATH', "The server's relay gave no connection: {what}"],
  RELAY_FAILED: ['NO_PATH', "The connection through the server's relay failed: {what}"],
  RELAY_LANE_ENDED: ['NO_PATH', 'The lane through the server ended: {what}'],
  RELAY_LANE_STILLBORN: ['NO_PATH', 'A relayed lane closed before it began.'],
  RELAY_LANE_BROKEN: ['NO_PATH', '{why}'],
  RELAY_NO_PLACE: ['NO_PATH', 'This side has no place at the server at the moment.'],
  RELAY_NO_HELLO: ['NO_PATH', 'The other side has not said hello yet.'],
  RELAY_CLOSED: ['NO_PATH', 'The relay closed the connection.'],
  TURN_CLOSED: ['NO_PATH', 'The TURN server {name} closed the connection.'],
  TURN_NOT_NEEDED: ['NO_PATH', 'The TURN server {name} is not needed any more.'],
  TURN_UNREACHABLE: ['NO_PATH', 'Cannot connect to the TURN server {name}: {why}.'],

  TURN_UNNAMED: ['SERVER', 'The server names no TURN server in a way that works.'],
  TURN_FORBIDDEN: [
    'SERVER',
    'This side does not go to the TURN server {name}, which the server names: it is {why}.',
  ],
  TURN_REFUSED: ['SERVER', 'The TURN server {name} refused with {what}. {advice}'],
  TURN_LATE: ['TIMEOUT', 'The TURN server {name} did not answer in time.'],
  TURN_UNPROVEN: ['AUTHENTICATION', 'Somebody else may have answered in place of the TURN server {name}.'],
  TURN_MALFORMED: ['PROTOCOL', 'The TURN server {name} {what}.'],
  // NO_PATH: this machine's network, STUN, its router
  STUN_UNSENT: ['NO_PATH', 'Cannot send to {server}: {why}'],
  STUN_TCP_FAILED: ['NO_PATH', 'Cannot ask the STUN server at {server} over TCP: {what}.'],
  STUN_NO_SOCKET: ['NO_PATH', 'Cannot open a UDP socket: {why}'],
  STUN_SILENT: ['NO_PATH', 'No answer from the STUN ports of the server over {transport}.'],

  STUN_LATE: [
    'TIMEOUT',
    'No answer from the STUN server at {server}: it is not there, or a network on the way blocks it.',
  ],
  STUN_REFUSED: ['SERVER', 'The STUN server at {server} {what}.'],
  STUN_MALFORMED: ['PROTOCOL', 'A STUN server sent something that is no answer to what it was asked.'],
  SERVER_NAME_UNKNOWN: ['NO_PATH', 'The name of the server cannot be looked up here.'],
  NO_NETWORK: ['NO_PATH', 'This machine is connected to no network.'],
  MULTICAST_SILENT: [
    'NO_PATH',
    'Multicast does not work here: this machine did not hear its own question by mDNS.',
  ],
  CHECK_FAILED: ['NO_PATH', '{why}'],
  CHECK_LATE: ['TIMEOUT', 'No answer within {seconds} s.'],
  RELAY_ALTERED: ['PROTOCOL', 'What came through the relay is not what was sent.'],
  ROUTER_MISSING: ['NO_PATH', 'This machine has no IPv4 router.'],
  ROUTER_UNREACHABLE: ['NO_PATH', 'The router at {router} cannot be asked.'],
  ROUTER_NO_UPNP: ['NO_PATH', 'The router offers no UPnP, or it is switched off there.'],
  ROUTER_NO_ADDRESS: ['NO_PATH', 'The router has no address on the internet ({protocol}).'],
  ROUTER_REFUSED: ['NO_PATH', 'The router maps no port: {what} ({protocol}).'],
  ROUTER_MAPS_NOTHING: ['NO_PATH', '{what}'],

  ROUTER_LATE: ['TIMEOUT', 'The router at {router} does not answer{how}.'],
  ROUTER_MALFORMED: ['PROTOCOL', 'The router at {router} gave an answer that makes no sense.'],
  // NO_PEER, CROWDED: meeting
  NOBODY_ON_LAN: [
    'NO_PEER',
    '{alone}Nobody on this network sends under that code. Check the code, that the sender still runs, and that both machines are on the same network.',
  ],
  NOBODY_YET: ['NO_PEER', 'Nobody sends under that code {where} yet; still looking.'],
  NO_INTERFACE: [
    'NO_PEER',
    'This machine has no network interface that a sender could be found on. Connect it to a network first.',
  ],
  ONLY_THIS_MACHINE: [
    'NO_PEER',
    'This machine has no network but itself, so only a sender on this very machine can be found.',
  ],
  SENDER_SILENT: [
    'NO_PEER',
    'The sender does not answer at {where}. Check the address, and that it still runs and no firewall is between.',
  ],
  SENDER_LEFT: ['NO_PEER', 'The sender left before this side was connected, and has not come back.'],
  SEVERAL_SENDERS: [
    'CROWDED',
    '{count} senders on this network announce {nameplate}: say which one is meant, by its address.',
  ],
  CODES_TAKEN: ['CROWDED', 'Every short code on this network is taken: choose one of your own.'],

  // SERVER, TIMEOUT, PROTOCOL: the server that two sides meet at
  SERVER_UNREACHABLE: ['SERVER', 'Cannot reach {name}: {why}. Check the address, and that the server runs.'],
  SERVER_REFUSED: ['SERVER', '{name} refused (HTTP {status}){what}'],
  SERVER_LOST: ['SERVER', 'The connection to the server was lost: {why}.'],
  SERVER_GONE: ['SERVER', 'The server cannot be reached any more.'],
  SERVER_LATE: ['TIMEOUT', 'The server did not answer within {seconds} s.'],
  SERVER_MISBEHAVES: ['PROTOCOL', 'The server {what}. Is it a Beeline server?'],
  PROXY_FAILED: ['SERVER', 'The proxy {name} {what}.'],
  RENDEZVOUS_CLOSED: ['SERVER', 'This server is being stopped.'],
  RENDEZVOUS_MALFORMED: [
    'PROTOCOL',
    'A message between this side and the server makes no sense: {what}. Is it a Beeline on the other end?',
  ],
  RELAY_MALFORMED: [
    'PROTOCOL',
    'A message between this side and the relay makes no sense. Is it a Beeline on the other end?',
  ],
  // The other side breaks the rules. Nobody can do anything about it but to look at what it is.
  PEER_MALFORMED: ['PROTOCOL', 'The other side sent {what}.'],
  PEER_MISBEHAVES: ['PROTOCOL', 'The other side {what}.'],
  SHARE_MALFORMED: [
    'PROTOCOL',
    'The other side sent a key exchange message that is not valid. Try a new code.',
  ],
  MESSAGE_ALTERED: [
    'AUTHENTICATION',
    'A message from the other side was {what}: something between you and it may be interfering. Start again with a new code.',
  ],
  VERSION_OTHER: [
    'VERSION',
    'This side speaks version {ours} of the {what} protocol, and the other side version {theirs}. Update the older Beeline.',
  ],
  OFFER_MALFORMED: ['BAD_MANIFEST', 'What the other side offers makes no sense: {what}.'],
  OFFER_TOO_LARGE: ['BAD_MANIFEST', 'The other side offers more than this program can keep track of.'],
  OFFER_OTHER: [
    'SOURCE_CHANGED',
    'The sender was started again and offers something else than before. What has arrived is kept: receive again to be asked about that.',
  ],
  CHUNK_ALTERED: ['VERIFICATION', 'Chunk {chunk} is not what its hash says.'],
  ROOTS_DIFFER: ['VERIFICATION', 'The two sides have different roots: what arrived is not what was sent.'],
  HELPER_LIES: ['VERIFICATION', 'Another receiver sent what the sender does not have.'],
  NAME_UNSAFE: ['UNSAFE_NAME', '{what} Nothing was written under it.'],
  // USAGE: what was asked for
  OPTION_WRONG: ['USAGE', '`{name}` is {value}: it must be {must}.'],
  NOTHING_TO_SEND: ['USAGE', 'There is nothing to send.'],
  NOTHING_READABLE: ['UNREADABLE', 'Nothing that can be read is left to send.'],
  TOO_MANY_ENTRIES: ['USAGE', 'There are more than {most} files and folders. Send them in parts.'],
  FOLDERS_TOO_DEEP: ['USAGE', '{path} is more than {most} folders deep.'],
  NAMES_COLLIDE: ['USAGE', '{paths} would arrive as {name}. Send them one at a time.'],
  FILE_FOR_FOLDER: ['USAGE', 'There is a file where {path} needs a folder.'],
  NAME_UNFIT: ['USAGE', 'The name {name} {problem}.'],
  NAME_NOT_TAKEN: ['UNSAFE_NAME', 'The name {name} {problem}. Rename it.'],
  NAME_NOT_UTF8: ['UNREADABLE', '{what} is not valid UTF-8.'],
  PATH_MALFORMED: ['NO_SUCH_PATH', '{path} is not a path.'],
  PATH_MISSING: ['NO_SUCH_PATH', 'There is no {what} {path}.'],
  PATH_NO_FOLDER: ['NO_SUCH_PATH', '{path} is not a folder.'],
  PATH_NAMELESS: ['USAGE', '{path} has no name of its own. Send the folders in it instead.'],
  FILE_UNREADABLE: ['UNREADABLE', '{path} cannot be read: {why}.'],
  SPECIAL_FILE: ['UNREADABLE', '{path} is a pipe, socket or device{more}.'],
  STAGING_CHOSEN: ['UNSAFE_NAME', '{path} is the unfinished data of a receive. Leave it out.'],
  STAGING_NOT_SENT: ['UNREADABLE', '{path} is the unfinished data of a receive, and is left out.'],
  LINK_NOT_FOLLOWED: ['UNREADABLE', 'The link {path} {why}, and is left out.'],
  MORE_LINKS_LEAD_OUT: ['UNSAFE_NAME', '{count} more links lead out of what is sent.'],
  SOURCE_CHANGED_MEANWHILE: [
    'SOURCE_CHANGED',
    '{path} {what} while it was being sent. {again} it again once nothing writes to it.',
  ],
  STDIN_WITH_PATHS: ['USAGE', "'-' (standard input) cannot be sent together with paths."],
  STDOUT_NEEDS_ONE_FILE: [
    'USAGE',
    'Only a single file can go to standard output, and {count} files and folders are offered.',
  ],
  CODE_MISSING: ['USAGE', 'A code is needed: the sender shows it.'],
  CODE_MALFORMED: ['USAGE', '{what}'],
  SEVERAL_SECRETS: ['USAGE', 'Give one of a code, a pre-shared key and a device, not several.'],
  PSK_SHORT: [
    'USAGE',
    'A pre-shared key has at least 16 bytes. Make one with `head -c 32 /dev/urandom > key` and copy it to both sides.',
  ],
  WEB_NEEDS_CODE: ['USAGE', 'A page from this process needs a code. It cannot be combined with a server.'],
  WEB_NO_PORT: ['USAGE', 'The page needs the port after {port}, and there is none. Choose a lower one.'],
  NO_MEETING_PLACE: [
    'USAGE',
    'Without the local network, this side needs the address of the sender or of a server.',
  ],
  ADDRESS_MALFORMED: [
    'USAGE',
    "'{text}' is not HOST:PORT. Examples: 192.168.1.7:4848, [fd00::7]:4848, lab2.example:4848.",
  ],
  URL_MALFORMED: ['USAGE', '"{text}" is not a URL. Write it like https://beeline.example.'],
  URL_OTHER_SCHEME: ['USAGE', '"{text}" is not a ws, wss, http or https URL with a host.'],
  PROXY_MALFORMED: [
    'USAGE',
    'The proxy in HTTPS_PROXY or HTTP_PROXY is not an http or https URL such as http://proxy.example:3128.',
  ],
  NAMEPLATE_MALFORMED: ['USAGE', 'A nameplate is 1 to 32 lower-case letters and digits.'],
  STUN_UNNAMED: ['USAGE', 'No STUN server was named.'],
  // USAGE: trusted devices and their files
  DEVICE_UNKNOWN: ['USAGE', "No device called '{name}' is trusted here."],
  DEVICE_NAME_MALFORMED: [
    'USAGE',
    'A device name is 1 to 64 visible characters and does not start with {prefix}.',
  ],
  DEVICE_NAME_TAKEN: [
    'USAGE',
    'A device called {name} is trusted already, with another key. Remove it first, or choose another name.',
  ],
  DEVICE_KEY_TRUSTED: [
    'USAGE',
    'That key is trusted already, as {name}. Remove it first to give it another name.',
  ],
  DEVICE_KEY_OWN: ['USAGE', "That is this device's own key. Add the key that the other device shows."],
  DEVICE_KEY_MALFORMED: ['USAGE', 'A device key starts with {prefix} and has {length} characters.'],
  DEVICE_KEY_MISTYPED: [
    'USAGE',
    'That device key has a typing error in it. Copy it again from the other device.',
  ],
  DEVICE_KEY_UNUSABLE: ['USAGE', 'That device key is not usable. Ask for the key of the other device again.'],
  DEVICE_KEY_LENGTH: ['USAGE', 'A device key is 32 bytes long.'],
  TOO_MANY_DEVICES: ['USAGE', 'No more than {most} devices can be trusted. Remove one first.'],
  PRIVATE_FILE_OPEN: [
    'USAGE',
    "Other users of this machine can read or change {path}, so it is not used. Run: chmod 600 '{path}'",
  ],
  PRIVATE_FOLDER_OPEN: [
    'USAGE',
    'Everyone may write to {folder}, so no key is kept there. Use a folder of your own.',
  ],
  PRIVATE_FILE_IS_NONE: ['USAGE', '{path} is not a file. Move it out of the way.'],

  FOLDER_LOCKED: [
    'LOCKED',
    'Another receive is at work on the same unfinished data ({who}). Wait for it, or stop it and try again. If that process does not exist, delete {path}.',
  ],
  CONFIG_BUSY: [
    'TIMEOUT',
    'Another Beeline has been changing {folder} for too long. If none is running, delete {lock} and try again.',
  ],
  // DAMAGED
  DEVICE_KEY_FILE_DAMAGED: [
    'DAMAGED',
    '{path} is damaged. Restore it from a backup, or delete it: a new key is made then, which other devices must be told.',
  ],
  DEVICE_LIST_DAMAGED: [
    'DAMAGED',
    '{path} is damaged or from a newer beeline. Repair it, or delete it and trust your devices again.',
  ],
  PRIVATE_FILE_TOO_LARGE: ['DAMAGED', '{path} is far too large to be what it should be.'],
  RECEIPT_MALFORMED: ['DAMAGED', '{name} is not a receipt: {why}{where}.'],
  RECEIPT_OTHER_VERSION: [
    'DAMAGED',
    '{name} was made by another version of Beeline. Use that one, or a newer one.',
  ],

  RECEIPT_ALTERED: [
    'VERIFICATION',
    '{name} is damaged or was changed: its root does not fit its content. The other side has the same receipt.',
  ],
  VERIFY_NO_FOLDER: ['USAGE', '{path} is not a folder. Name the folder that the transfer was received into.'],
  RECEIPT_UNWRITTEN: [
    'WRITE_FAILED',
    'The receipt cannot be written to {path}: {why}. What was transferred is complete.',
  ],
  RECEIPT_NO_SPACE: [
    'DISK_FULL',
    'The receipt cannot be written to {path}: the disk is full. What was transferred is complete.',
  ],
  // A page in a browser
  PAGE_INSECURE: [
    'USAGE',
    'This page was loaded over plain HTTP, where browsers allow no encryption. Open it by https:// or on localhost.',
  ],
  KEPT_INCOMPLETE: ['USAGE', 'This transfer is not complete yet. Receive the rest first.'],
  KEPT_GONE: ['WRITE_FAILED', "{what} is in this browser's storage any more. Receive it again."],
  STORAGE_LATE: ['TIMEOUT', "This browser's storage does not answer. Load this page again."],
  STORAGE_FULL: [
    'DISK_FULL',
    'The disk, or the part of it that this browser lends to this page, is full. Make room, or delete transfers that are kept here.',
  ],
  STORAGE_TOO_SMALL: [
    'DISK_FULL',
    'There are {bytes} bytes to come, more than this browser can keep here.{told} Make room on the disk, or delete transfers that are kept here.',
  ],
  STORAGE_IN_USE: [
    'LOCKED',
    'Another tab is receiving or saving this same transfer. Go on there, or close that tab.',
  ],
  STORAGE_CLEARED: [
    'WRITE_FAILED',
    'The browser has removed what was kept, or somebody cleared its data. Receive it again.',
  ],
  STORAGE_PRIVATE: [
    'WRITE_FAILED',
    'This browser keeps nothing for this page, perhaps because the window is private.',
  ],
  STORAGE_FORBIDDEN: ['WRITE_FAILED', 'The browser was not allowed to write there. Allow it and try again.'],
  STORAGE_MISSING: ['WRITE_FAILED', 'This browser has no storage for large files. Use a newer one.'],
  STORAGE_FAILED: ['WRITE_FAILED', "This browser's storage failed ({why})."],
  WORKER_FAILED: ['WRITE_FAILED', "This page's worker {what}. Load the page again."],
  NO_STREAMED_DOWNLOADS: [
    'WRITE_FAILED',
    'This browser does not let the page stream downloads here. Try a window that is not private.',
  ],
  DOWNLOAD_FAILED: ['WRITE_FAILED', '{what} Make sure that there is room, and try again.'],
  NAME_REFUSED: [
    'UNSAFE_NAME',
    'This browser refuses to write the name {name}{more} in that folder. Everything else is saved; use "Save" to have all as one download.',
  ],
  // A server of one's own
  STUN_NO_PORT: ['USAGE', 'There is no port after {port} for STUN: choose another one.'],
  STUN_SAME_PORT: ['USAGE', 'STUN needs two ports, and {port} is the first: choose another one.'],
  CERTIFICATE_MALFORMED: [
    'USAGE',
    'The certificate file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).',
  ],
  CERTIFICATE_UNUSABLE: ['USAGE', 'The certificate cannot be used: {why}'],
  CERTIFICATE_KEY_ENCRYPTED: [
    'USAGE',
    'The private key is encrypted, and nobody is there to type its passphrase: decrypt it (openssl pkey -in KEY -out PLAIN).',
  ],
  CERTIFICATE_KEY_MALFORMED: [
    'USAGE',
    'The private key file holds no private key in PEM form (-----BEGIN PRIVATE KEY-----).',
  ],
  CERTIFICATE_KEY_OTHER: [
    'USAGE',
    'The private key is not that of the first certificate in its file: the one of this server must come first.',
  ],
  CERTIFICATE_MISSING: ['NO_SUCH_PATH', 'The {what} file is not there: {why}'],
  CERTIFICATE_UNREADABLE: ['UNREADABLE', 'The {what} file cannot be read: {why}'],
  PAGE_MISSING: ['USAGE', 'There is no page in {folder}: it has no index.html.'],
  PAGE_TOO_LARGE: [
    'USAGE',
    '{folder} is too large for a page ({files} files and {size} MiB at most): is it the right folder?',
  ],
  PREFIX_MALFORMED: ['USAGE', '{prefix} is no prefix of paths: write /NAME, without a slash at the end.'],
  ORIGIN_MALFORMED: [
    'USAGE',
    '{text} is not an origin: write https://HOST or https://HOST:PORT, without a path.',
  ],
  TOO_MANY_ORIGINS: ['USAGE', 'Allow {most} origins at most, not {count}.'],
  TURN_COUNT: ['USAGE', 'Name 1 to {most} TURN servers, not {count}.'],
  TURN_URL_MALFORMED: [
    'USAGE',
    '{text} is not a TURN server: write turn:HOST:PORT, or turns:HOST:PORT for TLS.',
  ],
  TURN_SECRET_MISSING: ['USAGE', "A TURN server needs its secret: coturn's static-auth-secret."],
  PORT_IN_USE: ['SERVER', 'Cannot listen on {what}: another program uses it. Choose another port.'],
  PORT_FORBIDDEN: [
    'SERVER',
    'Cannot listen on {what}: this user may not. Ports below 1024 usually need more rights; choose a higher one.',
  ],
  ADDRESS_NOT_HERE: ['SERVER', 'Cannot listen on {what}: this machine has no such address.'],
  HOST_UNKNOWN: ['SERVER', 'Cannot listen on {what}: no such host.'],
  CANNOT_LISTEN: ['SERVER', 'Cannot listen on {what}: {why}.'],
  // What a server says to whoever meets at it
  NOBODY_SENDS: ['NO_PEER', 'Nobody is sending under this code. Check it, and that the sender still runs.'],
  HOST_LEFT: ['NO_PEER', 'The sender has left.'],
  NAMEPLATE_TAKEN: ['CROWDED', 'Another sender uses this nameplate. Choose another code.'],
  NAMEPLATE_FULL: [
    'CROWDED',
    'Two sides have met under this nameplate already. If the other one is not you, ask the sender for a new code.',
  ],
  GUEST_PUT_OUT: ['REFUSED', 'The sender has put this side out, so that another may join.'],
  PAGE_OF_ONE_SENDER: [
    'REFUSED',
    "This is one sender's own page and meeting place: it is there to receive from that sender only.",
  ],
  MEETING_LOST_HOST: ['SERVER', 'The sender has lost its connection to the server and not come back.'],
  MEETING_TOO_OLD: ['SERVER', 'This meeting has reached the age limit of the server. Start a new one.'],
  MEETING_SPENT: ['SERVER', 'This meeting has used up its {most} bytes on the server. Start a new one.'],
  MESSAGE_TOO_LARGE: [
    'SERVER',
    'This server passes on messages of at most {most} bytes; this one has {size}.',
  ],
  SERVER_BUSY: ['SERVER', '{what}'],
  CLIENT_MISBEHAVES: ['PROTOCOL', 'This connection {what}.'],
  // The destination and what is there already
  FILES_EXIST: ['EXISTS', '{list} already.'],
  OTHER_KIND_HERE: ['EXISTS', '{path} is a {here} here and a {there} there.'],
  TOO_MANY_COPIES: ['EXISTS', 'There are too many copies of {name} there.'],
  UNFINISHED_IS_NONE: ['USAGE', '{path} is not a folder of an unfinished receive.'],
  UNFINISHED_STAYS: ['WRITE_FAILED', 'The unfinished data in {path} cannot be removed: {why}.'],
  STAGING_REPLACED: [
    'UNSAFE_NAME',
    'Somebody put something else in the place of {path}. It was left as it is.',
  ],
  FOLDER_REPLACED: [
    'UNSAFE_NAME',
    'The folder {path} was replaced by something else meanwhile. Nothing was written into that.',
  ],
  DESTINATION_NO_FOLDER: ['EXISTS', "'{path}' is not a folder."],
  LINK_IN_THE_WAY: [
    'UNSAFE_NAME',
    '{path} is a link here, and files would be written through it. Remove it or choose another folder.',
  ],
  LINK_LEADS_OUT: [
    'UNSAFE_NAME',
    'The link {link} to {target} {problem}: a receiver leaves it out, unless it asks for all links.',
  ],
  LINK_LEFT_OUT: ['UNSAFE_NAME', 'The link {link} to {target} {problem}. It is left out.'],
  LINK_UNSAFE: ['UNSAFE_NAME', 'The link {link} to {target} {problem}. It is left out.'],

  LINK_LEADS_OUT_HERE: [
    'UNSAFE_NAME',
    'The link {link} to {target} leaves the destination through a link here. It is left out.',
  ],
  LINKS_NOT_HELD: ['UNSAFE_NAME', '{path} is a link, which this file system cannot hold. It is left out.'],
  PATH_TOO_LONG: ['UNSAFE_NAME', 'The path of {path} is too long below this destination. It is left out.'],
  NAME_FITTED: [
    'UNSAFE_NAME',
    '{path} is written as {as}: this file system cannot hold it under its own name.',
  ],
  NAME_FITTED_FOR_ALL: [
    'UNSAFE_NAME',
    '{path} will be saved as {as}: not every system can hold it under its own name.',
  ],
  TIME_FITTED: [
    'UNSAFE_NAME',
    'This file system cannot hold the modification time of {path}, which becomes {time}.',
  ],
  MORE_ENTRIES: ['UNSAFE_NAME', '{count} more entries: {trouble}.'],
  OTHER_FILE_SYSTEM: [
    'WRITE_FAILED',
    '{path} is on another file system than the destination. Receive straight into it.',
  ],
  DISK_NO_SPACE: ['DISK_FULL', '{path} cannot be written: the disk is full. Make room.'],
  DISK_QUOTA: ['DISK_FULL', '{path} cannot be written: the disk quota is used up. Make room.'],
  DISK_NO_INODES: [
    'DISK_FULL',
    '{path} cannot be written: the disk can hold no more files (its inodes are used up), though it may have room. Remove some.',
  ],
  FILE_TOO_LARGE: [
    'WRITE_FAILED',
    '{path} cannot be written: this file system does not hold files that large. Choose another folder.',
  ],
  DISK_READ_ONLY: [
    'WRITE_FAILED',
    '{path} cannot be written: the file system is read-only. Choose another folder.',
  ],
  DISK_FORBIDDEN: [
    'WRITE_FAILED',
    '{path} cannot be written: this user may not write there. Choose another folder.',
  ],
  DISK_NOT_PERMITTED: [
    'WRITE_FAILED',
    '{path} cannot be written: the system does not permit it. Choose another folder.',
  ],
  NAME_TOO_LONG: [
    'WRITE_FAILED',
    '{path} cannot be written: this file system does not hold names that long.',
  ],
  NAME_NOT_HELD: ['WRITE_FAILED', '{path} cannot be written: this file system does not hold such names.'],
  FOLDER_GONE: [
    'WRITE_FAILED',
    '{path} cannot be written: the folder is not there any more. Was a drive taken out, or the folder removed?',
  ],
  DISK_BROKEN: [
    'WRITE_FAILED',
    '{path} cannot be written: the disk reports a failure. Check it before trying again.',
  ],
  DISK_OTHER: ['WRITE_FAILED', '{path} cannot be written: {why}.'],
  FILE_CHANGED_HERE: [
    'WRITE_FAILED',
    'A file here changed while it was being compared. Receive again once nothing writes to it.',
  ],
  FILE_NOT_READ_AGAIN: ['WRITE_FAILED', '{path} cannot be read again for its SHA-256: {why}.'],
  ARRIVED_CHANGED: [
    'SOURCE_CHANGED',
    '{path} was changed or removed here since it arrived. It is not passed on.',
  ],
  ARRIVED_UNREADABLE: ['UNREADABLE', '{path} cannot be read again here: {why}.'],
  CHUNK_NOT_HERE: ['UNREADABLE', 'Chunk {chunk} is not here.'],
  ENTRY_LEFT_OUT: ['UNREADABLE', '{path} is left out here.'],
  STREAM_TORN: [
    'SOURCE_CHANGED',
    'A file changed while it was sent, and what was written of it is not whole. Receive it again.',
  ],
  STREAM_PART_LOST: ['WRITE_FAILED', 'The disk lost a part of a stream that cannot be sent again.'],
  JOURNAL_MALFORMED: ['PROTOCOL', 'The journal has a record that was not written by this program.'],
  STDOUT_FAILED: ['WRITE_FAILED', 'Standard output cannot be written: {why}.'],
  ROOM_SHORT: [
    'DISK_FULL',
    'There are {missing} bytes to come, and the disk has {free} left. They may not fit.',
  ],
  PERMISSIONS_NOT_KEPT: [
    'WRITE_FAILED',
    'This file system keeps no permissions: what arrives has those of everything there.',
  ],
  ATTRIBUTES_NOT_KEPT: [
    'WRITE_FAILED',
    'This file system does not keep all modes and times ({path} is the first).',
  ],
  CHANGED_HERE: ['EXISTS', '{path} was changed here since it arrived, and is left as it is.'],
  NAME_IS_ANOTHER: [
    'EXISTS',
    'For this file system, {path} has the same name as an earlier file. It is written as {as}.',
  ],
  LINK_APPEARED: [
    'UNSAFE_NAME',
    '{path} cannot be written: a link stands in the way. Nothing was written through it.',
  ],
  SOMETHING_APPEARED: [
    'EXISTS',
    '{path} cannot be written: something appeared there meanwhile. It was left as it is.',
  ],
  FOLDER_APPEARED: [
    'EXISTS',
    '{path} cannot be written: a folder appeared there meanwhile. It was left as it is.',
  ],
  FILE_IN_THE_WAY: ['EXISTS', '{path} cannot be written: a file stands where a folder is needed.'],
} as const satisfies { readonly [reason: string]: readonly [code: ErrorCode, text: string] };

/** Which one of the causes that share a code. */
export type Reason = keyof typeof REASONS;
