/**
 * The causes of errors, by the code that they share, each with a name of its own and its text: what programs compare and what
 * people read, in one place. `{slots}` are filled in where the error arises. docs/errors.md has the same list. The texts speak to
 * any program; what to type in the command is said by the command (`cli/hints.ts`).
 */
import type { ErrorCode } from './error-codes.ts';

/** Names are as stable as codes: never rename one, never reuse one. */
const TEXTS = {
  NO_PATH: {
    // The other side as a whole
    NO_FIRST_LANE: 'The other side is there, but no connection to it can be opened.',
    PEER_AWAY: 'The connection was lost, and the other side did not come back within {time}.{more}',
    // Another receiver
    MEMBER_AWAY: 'Another receiver could not be reached, or did not come back.',
    MEMBER_UNWANTED: 'Another receiver says that it is this one, one that is connected, or one that lied.',
    // One lane
    LANE_CLOSED: 'The lane is closed.',
    LANE_OUTPACED: 'Another path was faster.',
    LANE_PATH_GONE: "The lane's path is gone.",
    LANE_NETWORK_CHANGED: 'The network of this machine has changed.',
    LANE_CUT_OFF: 'The lane was cut off by something on the way.',
    LANE_KEY_USED_UP: 'One key has protected as much on this lane as it may. Another lane takes over.',
    LANE_FAILED: 'The lane to {remote} ({kind}) failed.',
    LANE_ENDED: 'The lane to {remote} ({kind}) closed.',
    LANE_WRITE_FAILED: '{why}',
    ADDRESS_UNREACHABLE: 'Cannot reach {host}:{port}.',
    ADDRESSES_PACED: 'Too many addresses were tried just now.',
    PORT_CARRIES_LANE: 'Port {port} carries a lane already.',
    UDP_NO_ENGINE:
      'Lanes over UDP are not available here: the native part of {name} cannot be loaded. Others are used.',
    UDP_NO_PORT: 'No UDP port can be opened: {why}',
    UDP_NO_WAY: 'No path to the other side over UDP is free now.',
    UDP_FULL: '{remote} takes no more lanes over UDP.',
    WEBRTC_PAUSED: 'WebRTC did not work just now.',
    WEBRTC_FULL: 'No more than {most} WebRTC connections are opened at once.',
    WEBRTC_MISSING: 'WebRTC is not available here.',
    WEBRTC_NOT_INSTALLED:
      "The other side is a browser, and browsers cannot reach this side directly: the optional package node-datachannel is not installed here. Bytes go through the server's relay, if it has one.",
    WEBRTC_FAILED: 'WebRTC does not work here: {why}',
    WEBRTC_CLOSED: 'The WebRTC connection was closed.',
    WEBRTC_NO_WAY: 'WebRTC found no way to the other side, or lost it.',
    WEBRTC_NO_PATH_YET: 'There is no way to the other side by WebRTC.',
    WEBRTC_WRITE_FAILED: 'Writing to a data channel failed: {why}',
    // Relays
    RELAY_REFUSED: "The server's relay gave no connection: {what}",
    RELAY_FAILED: "The connection through the server's relay failed: {what}",
    RELAY_LANE_ENDED: 'The lane through the server ended: {what}',
    RELAY_LANE_STILLBORN: 'A relayed lane closed before it began.',
    RELAY_LANE_BROKEN: '{why}',
    RELAY_NO_PLACE: 'This side has no place at the server at the moment.',
    RELAY_NO_HELLO: 'The other side has not said hello yet.',
    RELAY_CLOSED: 'The relay closed the connection.',
    TURN_CLOSED: 'The TURN server {name} closed the connection.',
    TURN_NOT_NEEDED: 'The TURN server {name} is not needed any more.',
    TURN_UNREACHABLE: 'Cannot connect to the TURN server {name}: {why}.',
    // This machine's network, STUN, its router
    STUN_UNSENT: 'Cannot send to {server}: {why}',
    STUN_TCP_FAILED: 'Cannot ask the STUN server at {server} over TCP: {what}.',
    STUN_NO_SOCKET: 'Cannot open a UDP socket: {why}',
    STUN_SILENT: 'No answer from the STUN ports of the server over {transport}.',
    SERVER_NAME_UNKNOWN: 'The name of the server cannot be looked up here.',
    NO_NETWORK: 'This machine is connected to no network.',
    MULTICAST_SILENT: 'Multicast does not work here: this machine did not hear its own question by mDNS.',
    CHECK_FAILED: '{why}',
    ROUTER_MISSING: 'This machine has no IPv4 router.',
    ROUTER_UNREACHABLE: 'The router at {router} cannot be asked.',
    ROUTER_NO_UPNP: 'The router offers no UPnP, or it is switched off there.',
    ROUTER_NO_ADDRESS: 'The router has no address on the internet ({protocol}).',
    ROUTER_REFUSED: 'The router maps no port: {what} ({protocol}).',
    ROUTER_MAPS_NOTHING: '{what}',
  },
  TIMEOUT: {
    MEMBER_SILENT:
      'Another receiver has sent nothing of what it says that it has for {seconds} seconds. Nothing is exchanged with it any more.',
    PEER_SILENT: 'The other side is connected but does not send {what}.',
    SENDER_MUTE: 'The sender is there but does not answer.',
    LANE_LATE: 'No lane to {remote} ({kind}) came up in time.',
    LANE_SILENT: 'Nothing came on the lane for {seconds} seconds.',
    WEBRTC_LATE: 'A WebRTC connection did not open in time.',
    RELAY_LANE_LATE: 'The other side did not answer through the relay in time.',
    TURN_LATE: 'The TURN server {name} did not answer in time.',
    STUN_LATE:
      'No answer from the STUN server at {server}: it is not there, or a network on the way blocks it.',
    CHECK_LATE: 'No answer within {seconds} s.',
    ROUTER_LATE: 'The router at {router} does not answer{how}.',
    SERVER_LATE: 'The server did not answer within {seconds} s.',
    CONFIG_BUSY:
      'Another Beeline has been changing {folder} for too long. If none is running, delete {lock} and try again.',
    STORAGE_LATE: "This browser's storage does not answer. Load this page again.",
  },
  PEER_FAILED: {
    STREAM_ENDED: 'The other side ended, and a stream cannot be sent twice.',
    SENDER_ENDED: 'The sender ended before the two sides were connected.',
    SENDER_INTERRUPTED:
      'The sender was interrupted. What has arrived is kept: receive again with its new code to go on.',
    HAD_IT_BEFORE: 'It has everything from before, and came once more.',
    PEER_GAVE_UP: 'The other side {what}.',
  },
  REFUSED: {
    HTTP_LEADS_INSIDE:
      '{host} leads to {address}, which is not on the internet. No server elsewhere may make this machine connect there.',
    HTTP_DOWNGRADE: '{url} leads from https to http. That is not followed.',
    PEER_DECLINED: 'The other side declined.',
    DECLINED_HERE: 'Declined here. Nothing was written.',
    INBOX_REFUSES: 'Nothing is taken from {device} here.',
    OFFER_OVER_LIMIT: 'The offer has {size}. From {device} no more than {most} are taken at once.',
    OFFER_WITHOUT_SIZE: 'The size of the offer is not known, and there is a limit for {device}.',
    QUOTA_SPENT: 'The offer has {size}. Of what may come from {device} in all, {left} are left.',
    NOBODY_TO_ASK: 'Somebody has to be asked about what comes from {device}, and nobody can be.',
    GUEST_PUT_OUT: 'The sender disconnected this receiver, so that another one can join.',
    PAGE_OF_ONE_SENDER:
      "This is one sender's own page and meeting place: it is there to receive from that sender only.",
    NEAR_UNKNOWN: 'This server does not say who is near: it is set so, or it cannot tell.',
  },
  VERIFICATION: {
    HTTP_DIGEST_DIFFERS:
      '{file} has the SHA-256 {found}. {who} says {expected}. What came was not kept under its name.',
    HTTP_MIRROR_DIFFERS: '{host} has another file: {what}. It is not used.',
    PEER_UNVERIFIED: 'The other side found that what arrived is not what was sent.',
    CHUNK_ALTERED: 'Chunk {chunk} is not what its hash says.',
    ROOTS_DIFFER: 'The two sides have different roots: what arrived is not what was sent.',
    HELPER_LIES: 'Another receiver sent what the sender does not have.',
    RECEIPT_ALTERED:
      '{name} is damaged or was changed: its root does not fit its content. The other side has the same receipt.',
  },
  VERSION: {
    SERVER_CANNOT_WATCH: 'The server cannot tell of arrivals: it is too old, or one sender alone.',
    PEER_OTHER_VERSION: 'The other side speaks another protocol version: update the older one.',
    VERSION_OTHER:
      'This side speaks version {ours} of the {what} protocol, and the other side version {theirs}. Update the older Beeline.',
  },
  WRONG_CODE: {
    CODE_WRONG: 'The code was wrong, and is burned: nobody can try it again. {next}',
    CODE_WRONG_YET: 'The code was wrong. Look at it once more: after three wrong tries nobody can use it.',
    CODE_GUESSED:
      'Somebody came with a wrong code ({tries} of {most}). The third one burns the code: nobody new can come with it then.',
    CODE_GUESSED_OUT:
      'Somebody came with a wrong code for the third time, so the code is burned: nobody new can come with it. Send again for a new one.',
    CODE_BURNT:
      'The code is burned, because it was tried wrongly too often: nobody new can use it. Whoever sends needs to make a new one. If you have received with it before, use the same folder as then.',
    KEY_WRONG: 'The two sides have different pre-shared keys.',
    DEVICE_WRONG: 'The other side is not the trusted device that it should be.',
  },
  AUTHENTICATION: {
    HANDSHAKE_DISTURBED:
      'The connection to the sender was interrupted while the code was being checked, or somebody tries to guess it. Receive again; if this repeats, ask the sender for a new code.',
    LANE_STRANGER: 'Somebody else is at the other end of a lane: {what}.',
    LANE_ALTERED: 'Something on the way altered what was sent. The lane was closed.',
    TURN_UNPROVEN: 'Somebody else may have answered in place of the TURN server {name}.',
    MESSAGE_ALTERED:
      'A message from the other side was {what}: something between you and it may be interfering. Start again with a new code.',
  },
  UNREADABLE: {
    UNREADABLE_THERE: "'{file}' could not be read on the sender's side.",
    NOTHING_READABLE: 'Nothing that can be read is left to send.',
    NAME_NOT_UTF8: '{what} is not valid UTF-8.',
    FILE_UNREADABLE: '{path} cannot be read: {why}.',
    SPECIAL_FILE: '{path} is a pipe, socket or device{more}.',
    STAGING_NOT_SENT: '{path} is the unfinished data of a receive, and is left out.',
    LINK_NOT_FOLLOWED: 'The link {path} {why}, and is left out.',
    CERTIFICATE_UNREADABLE: 'The {what} file cannot be read: {why}',
    ARRIVED_UNREADABLE: '{path} cannot be read again here: {why}.',
    CHUNK_NOT_HERE: 'Chunk {chunk} is not here.',
    ENTRY_LEFT_OUT: '{path} is left out here.',
  },
  SOURCE_CHANGED: {
    HTTP_CHANGED: '{file} changed at {host} while it was fetched.',
    CHANGED_THERE: "'{file}' changed on the sender's side during the transfer.",
    SENT_INCOMPLETE: 'Changed or vanished while being sent: {names}. Everything else arrived.',
    OFFER_OTHER:
      'The sender was started again and offers something else than before. What has arrived is kept: receive again to be asked about that.',
    SOURCE_CHANGED_MEANWHILE:
      '{path} {what} while it was being sent. {again} it again once nothing writes to it.',
    ARRIVED_CHANGED: '{path} was changed or removed here since it arrived. It is not passed on.',
    STREAM_TORN:
      'A file changed while it was sent, and what was written of it is not whole. Receive it again.',
  },
  USAGE: {
    URL_UNFIT: '{url} is no URL that can be fetched: {why}.',
    HTTP_PAGE: '{url} is a page for a browser, and not a file.',
    // The other side as a whole
    TEXT_TOO_LONG: 'The text is longer than {most} bytes. Send it as a file.',
    // What was asked for
    OPTION_WRONG: '`{name}` is {value}: it must be {must}.',
    OPTION_UNKNOWN: 'There is no option `{name}` of `{of}`.{meant}',
    TEMPLATE_WRONG: "The folder '{text}' cannot be: {why}.",
    PATTERN_EMPTY: 'The pattern {pattern} matches nothing: {why}.',
    TOO_MANY_PATTERNS: 'There are more than {most} patterns.',
    FILTERS_LEAVE_NOTHING: 'The filters leave nothing to send.',
    NOTHING_TO_SEND: 'There is nothing to send.',
    NOTHING_TO_SERVE: 'There is nothing to serve.',
    TOO_MANY_ENTRIES: 'There are more than {most} files and folders. Send them in parts.',
    FOLDERS_TOO_DEEP: '{path} is more than {most} folders deep.',
    NAMES_COLLIDE: '{paths} would arrive as {name}. Send them one at a time.',
    FILE_FOR_FOLDER: 'There is a file where {path} needs a folder.',
    NAME_UNFIT: 'The name {name} {problem}.',
    PATH_NAMELESS: '{path} has no name of its own. Send the folders in it instead.',
    STDIN_WITH_PATHS: "'-' (standard input) cannot be sent together with paths.",
    STDOUT_NEEDS_ONE_FILE:
      'Only a single file can go to standard output, and {count} files and folders are offered.',
    INTO_AND_TO: 'Give one of `into`, `to` and `store`, not several.',
    CODE_MISSING: 'A code is needed: the sender shows it.',
    CODE_MALFORMED: '{what}',
    SEVERAL_SECRETS: 'Give one of a code, a pre-shared key and a device, not several.',
    PSK_SHORT:
      'A pre-shared key has at least 16 bytes. Make one with `head -c 32 /dev/urandom > key` and copy it to both sides.',
    DEVICES_AND_RECEIVERS:
      'Each device that is named receives once. The number of receivers cannot be given beside them.',
    CODE_TOO_SHORT:
      'A code for several receivers has at least {words} words after its nameplate, because it may be tried wrongly more than once.',
    WEB_NEEDS_CODE: 'A page from this process needs a code. It cannot be combined with a server.',
    WEB_NO_PORT: 'The page needs the port after {port}, and there is none. Choose a lower one.',
    NO_MEETING_PLACE: 'Without the local network, this side needs the address of the sender or of a server.',
    ADDRESS_MALFORMED:
      "'{text}' is not HOST:PORT. Examples: 192.168.1.7:4848, [fd00::7]:4848, lab2.example:4848.",
    URL_MALFORMED: '"{text}" is not a URL. Write it like https://beeline.example.',
    URL_OTHER_SCHEME: '"{text}" is not a ws, wss, http or https URL with a host.',
    PROXY_MALFORMED:
      'The proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not a URL such as http://proxy.example:3128 or socks5://127.0.0.1:1080.',
    NAMEPLATE_MALFORMED: 'A nameplate is 1 to 32 lower-case letters and digits.',
    STUN_UNNAMED: 'No STUN server was named.',
    // Trusted devices and their files
    DEVICE_UNKNOWN: "No device called '{name}' is trusted here.",
    DEVICE_NAME_MALFORMED: 'A device name is 1 to 64 visible characters and does not start with {prefix}.',
    DEVICE_NAME_TAKEN:
      'A device called {name} is trusted already, with another key. Remove it first, or choose another name.',
    DEVICE_KEY_TRUSTED: 'That key is trusted already, as {name}. Remove it first to give it another name.',
    DEVICE_KEY_OWN: "That is this device's own key. Add the key that the other device shows.",
    DEVICE_KEY_MALFORMED: 'A device key starts with {prefix} and has {length} characters.',
    DEVICE_KEY_MISTYPED: 'That device key has a typing error in it. Copy it again from the other device.',
    DEVICE_KEY_UNUSABLE: 'That device key is not usable. Ask for the key of the other device again.',
    DEVICE_KEY_LENGTH: 'A device key is 32 bytes long.',
    DEVICE_NOT_SHOWN:
      'The other side did not show its key, so it is not trusted now. It shows it if it is told to trust this device too, or is a page of a server.',
    TRUST_NEEDS_CODE: 'To trust the other side, it has to be one, and come with a code.',
    INBOX_RULES_WRONG:
      'These are no rules for what comes from a device: a folder is absolute, and a size is 1 or more.',
    OUTBOX_FULL: 'The outbox holds {most} items, and that is the most. Cancel some first.',
    OUTBOX_TOO_MANY_PATHS:
      'One item of the outbox has at most {most} paths. Name the folder that they are in.',
    OUTBOX_NO_ITEM: 'There is no item {id} in the outbox.',
    NO_DEVICES: 'No device is trusted here yet, so nothing could arrive.',
    TOO_MANY_DEVICES: 'No more than {most} devices can be trusted. Remove one first.',
    PRIVATE_FILE_OPEN:
      "Other users of this machine can read or change {path}, so it is not used. Run: chmod 600 '{path}'",
    PRIVATE_FILE_FOREIGN: '{path} belongs to another user, so it is not used.',
    PRIVATE_FOLDER_OPEN: 'Everyone may write to {folder}, so no key is kept there. Use a folder of your own.',
    PRIVATE_FILE_IS_NONE: '{path} is not a file. Move it out of the way.',
    VERIFY_NO_FOLDER: '{path} is not a folder. Name the folder that the transfer was received into.',
    // A page in a browser
    PAGE_INSECURE:
      'This page was loaded over plain HTTP, where browsers allow no encryption. Open it by https:// or on localhost.',
    KEPT_INCOMPLETE: 'This transfer is not complete yet. Receive the rest first.',
    // A server of one's own
    STUN_NO_PORT: 'There is no port after {port} for STUN: choose another one.',
    STUN_SAME_PORT: 'STUN needs two ports, and {port} is the first: choose another one.',
    CERTIFICATE_MALFORMED:
      'The certificate file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).',
    CERTIFICATE_UNUSABLE: 'The certificate cannot be used: {why}',
    CERTIFICATE_KEY_ENCRYPTED:
      'The private key is encrypted, and nobody is there to type its passphrase: decrypt it (openssl pkey -in KEY -out PLAIN).',
    CERTIFICATE_KEY_MALFORMED:
      'The private key file holds no private key in PEM form (-----BEGIN PRIVATE KEY-----).',
    CERTIFICATE_KEY_OTHER:
      'The private key is not that of the first certificate in its file: the one of this server must come first.',
    PAGE_MISSING: 'There is no page in {folder}: it has no index.html.',
    PAGE_TOO_LARGE:
      '{folder} is too large for a page ({files} files and {size} MiB at most): is it the right folder?',
    PREFIX_MALFORMED: '{prefix} is no prefix of paths: write /NAME, without a slash at the end.',
    ORIGIN_MALFORMED: '{text} is not an origin: write https://HOST or https://HOST:PORT, without a path.',
    TOO_MANY_ORIGINS: 'Allow {most} origins at most, not {count}.',
    TURN_COUNT: 'Name 1 to {most} TURN servers, not {count}.',
    TURN_URL_MALFORMED: '{text} is not a TURN server: write turn:HOST:PORT, or turns:HOST:PORT for TLS.',
    REDIS_UNUSABLE: 'Redis cannot be used: {why}.',
    TURN_SECRET_MISSING: "A TURN server needs its secret: coturn's static-auth-secret.",
    // The destination and what is there already
    UNFINISHED_IS_NONE: '{path} is not a folder of an unfinished receive.',
  },
  SERVER: {
    // A server that files are fetched from by HTTP
    HTTP_AWAY: 'Cannot reach {host}: {why}.',
    HTTP_CERTIFICATE: 'The certificate of {host} is not accepted: {why}.',
    HTTP_STATUS: '{url} cannot be fetched: the server answered {status}.',
    HTTP_REDIRECTS: '{url} leads from redirect to redirect, more than {most} of them.',
    HTTP_MISBEHAVES: '{host} does not answer as HTTP asks for: {what}.',
    HTTP_CUT_SHORT: '{host} ended the file after {bytes} of its {length} bytes.',
    HTTP_ENCODED:
      '{host} compresses the file ({coding}) though it was asked not to. It cannot be fetched so.',
    HTTP_NO_LENGTH: '{url}: its server does not say how long it is. Such a file can only be fetched alone.',
    // Relays
    TURN_UNNAMED: 'The server names no TURN server in a way that works.',
    TURN_FORBIDDEN: 'This side does not go to the TURN server {name}, which the server names: it is {why}.',
    TURN_REFUSED: 'The TURN server {name} refused with {what}. {advice}',
    // This machine's network, STUN, its router
    STUN_REFUSED: 'The STUN server at {server} {what}.',
    // The server that two sides meet at
    SERVER_UNREACHABLE: 'Cannot reach {name}: {why}. Check the address, and that the server runs.',
    SERVER_CERTIFICATE: 'The certificate of {name} is not accepted: {why}.',
    SERVER_REFUSED: '{name} refused (HTTP {status}){what}',
    SERVER_LOST: 'The connection to the server was lost: {why}.',
    MEETING_STREAM_LOST: 'The connection over the DHT was lost: {why}.',
    SERVER_GONE: 'The server cannot be reached any more.',
    PLACE_LOST:
      'The place at the server is lost, so nobody new can come. Those who are connected go on. {why}',
    DEVICE_PLACE_LOST:
      'The place at the server for {device} is lost, so it cannot come any more. If it is connected, it goes on. {why}',
    PROXY_FAILED: 'The proxy {name} {what}.',
    RENDEZVOUS_CLOSED: 'This server is being stopped.',
    // A server of one's own
    PORT_IN_USE: 'Cannot listen on {what}: another program uses it. Choose another port.',
    PORT_FORBIDDEN:
      'Cannot listen on {what}: this user may not. Ports below 1024 usually need more rights; choose a higher one.',
    ADDRESS_NOT_HERE: 'Cannot listen on {what}: this machine has no such address.',
    HOST_UNKNOWN: 'Cannot listen on {what}: no such host.',
    CANNOT_LISTEN: 'Cannot listen on {what}: {why}.',
    // What a server says to whoever meets at it
    MEETING_LOST_HOST: 'The sender has lost its connection to the server and not come back.',
    MEETING_TOO_OLD: 'This meeting has reached the age limit of the server. Start a new one.',
    MEETING_SPENT: 'This meeting has used up its {most} bytes on the server. Start a new one.',
    GUEST_SPENT:
      'What this side and the sender said to each other at this meeting has used up its {most} bytes on the server. Join again.',
    HOST_CONGESTED:
      'More is said to the sender at this meeting than its connection takes: this side was put out. Join again.',
    GUEST_MADE_WAY:
      'The meeting is full, and more of its guests have this address than others: this side made way for them.',
    MESSAGE_TOO_LARGE: 'This server passes on messages of at most {most} bytes; this one has {size}.',
    SERVER_BUSY: '{what}',
    SERVER_STORE_AWAY:
      'The server cannot reach its store just now, so nobody can meet at it. Try again in a moment.',
  },
  PROTOCOL: {
    TURN_MALFORMED: 'The TURN server {name} {what}.',
    STUN_MALFORMED: 'A STUN server sent something that is no answer to what it was asked.',
    RELAY_ALTERED: 'What came through the relay is not what was sent.',
    ROUTER_MALFORMED: 'The router at {router} gave an answer that makes no sense.',
    MEETING_STREAM_MALFORMED: 'Somebody who was met over the DHT {what}.',
    SERVER_MISBEHAVES: 'The server {what}. Is it a Beeline server?',
    RENDEZVOUS_MALFORMED:
      'A message between this side and the server makes no sense: {what}. Is it a Beeline on the other end?',
    RELAY_MALFORMED:
      'A message between this side and the relay makes no sense. Is it a Beeline on the other end?',
    PEER_MALFORMED: 'The other side sent {what}.',
    PEER_MISBEHAVES: 'The other side {what}.',
    MEMBER_MISBEHAVES:
      'Another receiver broke the protocol, and nothing is exchanged with it any more. {why}',
    SHARE_MALFORMED: 'The other side sent a key exchange message that is not valid. Try a new code.',
    CLIENT_MISBEHAVES: 'This connection {what}.',
    JOURNAL_MALFORMED: 'The journal has a record that was not written by this program.',
  },
  NO_PEER: {
    NOBODY_ON_LAN:
      '{alone}No such sender is on this network. Check the code or the key, that the sender still runs, and that both machines are on the same network.',
    NOBODY_ANYWHERE:
      'No such sender is on this network, and none in the DHT. Check the code or the key, and that the sender still runs.',
    DHT_SILENT:
      'No node of the DHT answers over UDP and IPv4. Here the two sides can meet on the same network only, at an address, or at a server.',
    DHT_MISSING: 'The optional package hyperdht cannot be loaded here, so nobody is met over the DHT.',
    NOBODY_YET: 'No such sender {where} yet; still looking.',
    ONLY_AT_PORT:
      'Nobody is told where this sender is: a receiver needs its address. It listens on port {port}.',
    NO_INTERFACE:
      'This machine has no network interface that a sender could be found on. Connect it to a network first.',
    ONLY_THIS_MACHINE:
      'This machine has no network but itself, so only a sender on this very machine can be found.',
    SENDER_SILENT:
      'The sender does not answer at {where}. Check the address, and that it still runs and no firewall is between.',
    SENDER_LEFT: 'The sender left before this side was connected, and has not come back.',
    NOBODY_SENDS: 'Nobody is sending under this code. Check it, and that the sender still runs.',
    HOST_LEFT: 'The sender has left.',
    NOBODY_CAME: 'Nobody came for it.',
    TIME_UP: 'The time is up: nobody new is let in. Those who are receiving go on.',
    TOO_FEW_CAME: 'Only {done} of {wanted} received it.',
  },
  CROWDED: {
    SEVERAL_SENDERS:
      '{count} senders on this network announce {nameplate}: say which one is meant, by its address.',
    CODES_TAKEN: 'Every short code on this network is taken: choose one of your own.',
    NEAR_FULL: 'Where you are, {most} devices show themselves already, which is the limit.',
    NAMEPLATE_TAKEN: 'Another sender uses this nameplate. Choose another code.',
    OFFER_CLOSED: 'The sender lets nobody new in any more. Ask whoever sends to send it once more.',
    OFFER_FULL: 'The sender has as many receivers as it wants. Ask the sender for a code of your own.',
    NAMEPLATE_FULL:
      'Two sides have met under this nameplate already. If the other one is not you, ask the sender for a new code.',
    MEETING_FULL: 'The sender takes {most} at a time, and so many are there. Try again later.',
  },
  BAD_MANIFEST: {
    OFFER_MALFORMED: 'What the other side offers makes no sense: {what}.',
    OFFER_TOO_LARGE: 'The other side offers more than this program can keep track of.',
  },
  UNSAFE_NAME: {
    // The other side breaks the rules
    NAME_UNSAFE: '{what} Nothing was written under it.',
    // What was asked for
    NAME_NOT_TAKEN: 'The name {name} {problem}. Rename it.',
    STAGING_CHOSEN: '{path} is the unfinished data of a receive. Leave it out.',
    LINK_NOT_IN_ZIP: 'The link {link} is left out: a ZIP has no links.',
    MORE_LINKS_NOT_IN_ZIP: '{count} more links are left out of the ZIP.',
    MORE_LINKS_LEAD_OUT: '{count} more links lead out of what is sent.',
    // A page in a browser
    NAME_NOT_WRITTEN:
      'This browser refuses to write the name {name} in that folder. It is left out, and everything else is saved there.',
    NAME_WRITTEN_AS:
      "This browser refuses to write the name {name} in that folder. It is saved there as '{as}'.",
    NAME_REFUSED:
      'This browser refuses to write the name {name}{more} in that folder. Everything else is saved; use "Save" to have all as one download.',
    // The destination and what is there already
    STAGING_REPLACED: 'Somebody put something else in the place of {path}. It was left as it is.',
    FOLDER_REPLACED:
      'The folder {path} was replaced by something else meanwhile. Nothing was written into that.',
    LINK_IN_THE_WAY:
      '{path} is a link here, and files would be written through it. Remove it or choose another folder.',
    LINK_LEADS_OUT:
      'The link {link} to {target} {problem}: a receiver leaves it out, unless it asks for all links.',
    LINK_LEFT_OUT: 'The link {link} to {target} {problem}. It is left out.',
    LINK_UNSAFE: 'The link {link} to {target} {problem}. It is left out.',
    LINK_LEADS_OUT_HERE:
      'The link {link} to {target} leaves the destination through a link here. It is left out.',
    LINKS_NOT_HELD: '{path} is a link, which this file system cannot hold. It is left out.',
    PATH_TOO_LONG: 'The path of {path} is too long below this destination. It is left out.',
    NAME_FITTED: '{path} is written as {as}: this file system cannot hold it under its own name.',
    NAME_FITTED_FOR_ALL: "{path} will be saved as '{as}': not every system can hold it under its own name.",
    LINKS_MISSING:
      'A browser cannot make links: {path} will be missing ({count} in all). Receive with the command to have them.',
    TIME_FITTED: 'This file system cannot hold the modification time of {path}, which becomes {time}.',
    MORE_ENTRIES: '{count} more entries: {trouble}.',
    LINK_APPEARED: '{path} cannot be written: a link stands in the way. Nothing was written through it.',
  },
  NO_SUCH_PATH: {
    PATH_MALFORMED: '{path} is not a path.',
    PATH_MISSING: 'There is no {what} {path}.',
    PATH_NO_FOLDER: '{path} is not a folder.',
    CERTIFICATE_MISSING: 'The {what} file is not there: {why}.',
  },
  LOCKED: {
    FOLDER_LOCKED:
      'Another receive is at work on the same unfinished data ({who}). Wait for it, or stop it and try again. If that process does not exist, delete {path}.',
    DELIVERS_ALREADY: 'Another process delivers what is in the outbox. Its lock is {path}.',
    LISTENS_ALREADY: 'Another process takes what arrives {where} for the same devices. Its lock is {path}.',
    STORAGE_IN_USE: 'Another tab is receiving or saving this same transfer. Go on there, or close that tab.',
  },
  DAMAGED: {
    OUTBOX_DAMAGED:
      '{path} is damaged or from a newer beeline. Repair it, or delete it and send again what was in it.',
    DEVICE_KEY_FILE_DAMAGED:
      '{path} is damaged. Restore it from a backup, or delete it: a new key is made then, which other devices must be told.',
    DEVICE_LIST_DAMAGED:
      '{path} is damaged or from a newer beeline. Repair it, or delete it and trust your devices again.',
    PRIVATE_FILE_TOO_LARGE: '{path} is far too large to be what it should be.',
    RECEIPT_MALFORMED: '{name} is not a receipt: {why}{where}.',
    RECEIPT_OTHER_VERSION: '{name} was made by another version of Beeline. Use that one, or a newer one.',
  },
  WRITE_FAILED: {
    RECEIPT_UNWRITTEN: 'The receipt cannot be written to {path}: {why}. What was transferred is complete.',
    // A page in a browser
    KEPT_GONE: "{what} is in this browser's storage any more. Receive it again.",
    STORAGE_CLEARED: 'The browser has removed what was kept, or somebody cleared its data. Receive it again.',
    PICKED_FOLDER_GONE: 'The folder {name} is no longer there. Choose it again.',
    PICKED_FOLDER_FORBIDDEN:
      'This page may not write into the folder {name} any more. Allow it and go on, or choose another one.',
    STORAGE_PRIVATE: 'This browser keeps nothing for this page, perhaps because the window is private.',
    STORAGE_FORBIDDEN: 'The browser was not allowed to write there. Allow it and try again.',
    STORAGE_MISSING: 'This browser has no storage for large files. Use a newer one.',
    STORAGE_FAILED: "This browser's storage failed ({why}).",
    WORKER_FAILED: "This page's worker {what}. Load the page again.",
    NO_STREAMED_DOWNLOADS:
      'This browser does not let the page stream downloads here. Try a window that is not private.',
    DOWNLOAD_FAILED: '{what} Make sure that there is room, and try again.',
    // The destination and what is there already
    UNFINISHED_STAYS: 'The unfinished data in {path} cannot be removed: {why}.',
    OTHER_FILE_SYSTEM: '{path} is on another file system than the destination. Receive straight into it.',
    FILE_TOO_LARGE:
      '{path} cannot be written: this file system does not hold files that large. Choose another folder.',
    DISK_READ_ONLY: '{path} cannot be written: the file system is read-only. Choose another folder.',
    DISK_FORBIDDEN: '{path} cannot be written: this user may not write there. Choose another folder.',
    DISK_NOT_PERMITTED: '{path} cannot be written: the system does not permit it. Choose another folder.',
    NAME_TOO_LONG: '{path} cannot be written: this file system does not hold names that long.',
    NAME_NOT_HELD: '{path} cannot be written: this file system does not hold such names.',
    FOLDER_GONE:
      '{path} cannot be written: the folder is not there any more. Was a drive taken out, or the folder removed?',
    DISK_BROKEN: '{path} cannot be written: the disk reports a failure. Check it before trying again.',
    DISK_OTHER: '{path} cannot be written: {why}.',
    FILE_CHANGED_HERE:
      'A file here changed while it was being compared. Receive again once nothing writes to it.',
    FILE_NOT_READ_AGAIN: '{path} cannot be read again for its SHA-256: {why}.',
    STREAM_PART_LOST: 'The disk lost a part of a stream that cannot be sent again.',
    STDOUT_FAILED: 'Standard output cannot be written: {why}.',
    PERMISSIONS_NOT_KEPT:
      'This file system keeps no permissions: what arrives has those of everything there.',
    ATTRIBUTES_NOT_KEPT: 'This file system does not keep all modes and times ({path} is the first).',
  },
  DISK_FULL: {
    RECEIPT_NO_SPACE:
      'The receipt cannot be written to {path}: the disk is full. What was transferred is complete.',
    STORAGE_FULL:
      'The disk, or the part of it that this browser lends to this page, is full. Make room, or delete transfers that are kept here.',
    STORAGE_TOO_SMALL:
      'This browser has no room for the {bytes} bytes of this transfer.{told} Make room on the disk, or delete transfers that are kept here.',
    MEMORY_TOO_SMALL:
      'The offer has {bytes} bytes, and at most {most} are received into memory. Receive it into a folder or a stream.',
    DISK_NO_SPACE: '{path} cannot be written: the disk is full. Make room.',
    DISK_QUOTA: '{path} cannot be written: the disk quota is used up. Make room.',
    DISK_NO_INODES:
      '{path} cannot be written: the disk can hold no more files (its inodes are used up), though it may have room. Remove some.',
    ROOM_SHORT: '{missing} are still to come, but the disk has only {free} free. They may not fit.',
  },
  EXISTS: {
    FILES_EXIST: '{list} already.',
    OTHER_KIND_HERE: '{path} is a {here} here and a {there} there.',
    TOO_MANY_COPIES: 'There are too many copies of {name} there.',
    DESTINATION_NO_FOLDER: "'{path}' is not a folder.",
    CHANGED_HERE: '{path} was changed here since it arrived, and is left as it is.',
    NAME_IS_ANOTHER:
      'For this file system, {path} has the same name as an earlier file. It is written as {as}.',
    SOMETHING_APPEARED: '{path} cannot be written: something appeared there meanwhile. It was left as it is.',
    FOLDER_APPEARED: '{path} cannot be written: a folder appeared there meanwhile. It was left as it is.',
    FILE_IN_THE_WAY: '{path} cannot be written: a file stands where a folder is needed.',
  },
} as const satisfies { readonly [code in ErrorCode]?: { readonly [reason: string]: string } };

type Texts = typeof TEXTS;

/** Which one of the causes that share a code. */
export type Reason = { [C in keyof Texts]: keyof Texts[C] }[keyof Texts];

/** A reason's text, its slots open. */
export type Text<R extends Reason> = { [C in keyof Texts]: Texts[C][R & keyof Texts[C]] }[keyof Texts];

export const REASONS = Object.fromEntries(
  Object.entries(TEXTS).flatMap(([code, texts]) =>
    Object.entries(texts).map(([reason, text]) => [reason, [code, text]]),
  ),
) as unknown as { readonly [R in Reason]: readonly [code: ErrorCode, text: Text<R>] };
