/**
 * What every answer over HTTP says to a browser, the page's and any other: run only what came with the page, ask only
 * this server, tell nobody where the person was. The header's text is the same for everybody: nothing of a request is in it.
 */
import type { OutgoingHttpHeaders } from 'node:http';

/** 'self' of connect-src covers ws: and wss: of the same host and port too (CSP 3, 6.7.2.8). */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  // The hidden frame by which the download worker's answer becomes a download.
  "frame-src 'self'",
  "manifest-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types beeline',
].join('; ');

/** Features that a page could ask for, or use unasked. A browser passes over names that it does not know. */
const OFF = [
  ...['accelerometer', 'autoplay', 'browsing-topics', 'clipboard-read', 'display-capture'],
  ...['encrypted-media', 'fullscreen', 'geolocation', 'gyroscope', 'hid', 'identity-credentials-get'],
  ...['idle-detection', 'local-fonts', 'magnetometer', 'microphone', 'midi', 'otp-credentials', 'payment'],
  ...['picture-in-picture', 'publickey-credentials-create', 'publickey-credentials-get', 'serial'],
  ...['storage-access', 'usb', 'window-management', 'xr-spatial-tracking'],
];

/** Reading a code with the camera, copying a link, and a phone's screen that stays on while something moves. */
const OWN = ['camera', 'clipboard-write', 'screen-wake-lock'];

const ALWAYS = {
  'content-security-policy': POLICY,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'permissions-policy': [...OFF.map((name) => `${name}=()`), ...OWN.map((name) => `${name}=(self)`)].join(
    ', ',
  ),
} as const;

/** Seconds. Modest, since it binds every port of the host: who stops using TLS waits no longer than this. */
const STRICT_TRANSPORT = 7 * 86_400;

/**
 * @param encrypted this server itself speaks TLS on that connection. @param host the Host header: browsers would bind
 * every other program's pages on localhost too.
 */
export function securityHeaders(encrypted: boolean, host = ''): OutgoingHttpHeaders {
  if (!encrypted || /^localhost(:|$)/i.test(host)) return ALWAYS;
  return { ...ALWAYS, 'strict-transport-security': `max-age=${STRICT_TRANSPORT}` };
}
