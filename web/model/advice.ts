/** What a person at a page can do about an error. The error's own sentence says what happened. Pure. */
type Role = 'send' | 'receive';

/** One text for both sides, or one for each. */
type Advice = string | Readonly<Record<Role, string>>;

const NEW_CODE: Advice = {
  send: 'Send again to get a new code, and tell it to the other person once more.',
  receive: 'Ask the sender for a new code.',
};
const KEPT = 'What has arrived is kept in this browser: receive again to go on where it stopped.';

const ADVICE: Readonly<Record<string, Advice>> = {
  USAGE: 'Go back and check what you typed or chose.',
  NO_SUCH_PATH: 'Go back and choose the files again.',
  UNREADABLE: 'The browser may not read it any more. Go back and choose the files again.',
  SOURCE_CHANGED: {
    send: 'Close the program that writes to it, then send again: what has arrived there is not sent twice.',
    receive: 'Ask the sender to send again. What has arrived is kept in this browser.',
  },
  DAMAGED: 'It cannot be used as it is. Start again, without what was kept.',
  EXISTS: 'Files of these names are in the way at the destination.',
  DISK_FULL: {
    send: 'The other side needs more room. Once it has made some, it can receive again with the same code.',
    receive: `Make room on this device, or save and delete what this browser keeps. ${KEPT}`,
  },
  WRITE_FAILED: {
    send: 'The other side could not store it. It can receive again with the same code.',
    receive: `Check that this browser may store data for this site, and that it is no private window. ${KEPT}`,
  },
  LOCKED: 'Another tab of this browser is receiving the same. Close one of the two.',
  UNSAFE_NAME: {
    send: 'Rename that file, then send again.',
    receive:
      'No system can hold that name as it is. Ask the sender to rename it, or to send it inside a ZIP.',
  },
  BAD_MANIFEST: 'If this happens again, one of the two programs may be out of date.',
  PROTOCOL: 'Try again with a new code. If this repeats, one of the two programs may be out of date.',
  VERSION: 'Reload this page, and update the program on the other side.',
  WRONG_CODE: {
    send: 'Somebody tried a code that is not yours. Send again for a new one, and tell it word for word.',
    receive: 'Ask the sender for a new code, and compare it word for word.',
  },
  AUTHENTICATION: NEW_CODE,
  VERIFICATION: {
    send: 'No wrong data was saved. Send again; if this repeats, check the disks and memory on both sides.',
    receive:
      'No wrong data was saved. Ask the sender to send it again; if this repeats, check the disks and memory on both sides.',
  },
  NO_PEER: {
    send: 'Send again, and ask the other person to come while this page is open.',
    receive: "Check the code, and that the sender's page or program is still open and uses the same server.",
  },
  NO_PATH: {
    send: "A firewall may be in the way. Try another network on one side, such as a phone's.",
    receive: `A firewall may be in the way. Try another network. ${KEPT}`,
  },
  CROWDED: {
    send: 'Send again for another code.',
    receive: 'If nobody else should be receiving, ask the sender for a new code. Another tab counts too.',
  },
  SERVER: 'Check your connection, then try again in a moment.',
  TIMEOUT: 'Check that the other side is still there, then try again.',
  REFUSED: { send: 'Ask the other person why, or send something else.', receive: '' },
  CANCELLED: '',
  INTERRUPTED: {
    send: 'Send the same again: the other side need not receive anything twice.',
    receive:
      'Press Back to go on where it stopped: with the same code while the sender waits, or with a new code of the same files.',
  },
  PEER_FAILED: {
    send: 'The other side shows more about it.',
    receive: 'The other side shows more about it. If the transfer can go on, what has arrived is kept.',
  },
  INTERNAL: 'That is a fault in Beeline itself. Reload the page and try again.',
};

export function advice(code: string, role: Role): string {
  const found = ADVICE[code];
  if (found === undefined) return '';
  return typeof found === 'string' ? found : found[role];
}
