import assert from 'node:assert/strict';
import test from 'node:test';
import { thisBrowser } from '../../src/browser/agent.ts';
import { deviceKind, deviceName } from '../../web/model/device.ts';

const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)';

test('a browser is called what people call it', () => {
  for (const [agent, name] of [
    [
      `Mozilla/5.0 (Linux; Android 10; K) ${WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36`,
      'Chrome on Android',
    ],
    [
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/131 Safari/537.36 Edg/131.0`,
      'Edge on Windows',
    ],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Firefox on Linux'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/18.1 Mobile Safari/604.1',
      'Safari on iPhone',
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18.1 Safari/605.1.15',
      'Safari on macOS',
    ],
    ['something else', 'browser'],
    ['', 'browser'],
  ])
    assert.equal(thisBrowser(agent!), name);
});

test('what the other side calls itself is shown as text, and cut', () => {
  const peer = (agent: string, name?: string) => ({
    fingerprint: 'ab',
    agent,
    ...(name !== undefined && { name }),
  });
  assert.equal(deviceName(peer('beeline/0.1.0 (Chrome on Android)')), 'Chrome on Android');
  assert.equal(deviceKind(peer('beeline/0.1.0 (Chrome on Android)')), 'phone');
  assert.equal(deviceName(peer('beeline/0.1.0')), 'Beeline in a terminal');
  assert.equal(deviceKind(peer('beeline/0.1.0')), 'terminal');
  assert.equal(deviceName(peer('x')), undefined);
  assert.equal(deviceName(undefined), undefined);
  assert.equal(deviceName(peer('beeline/0.1.0', 'lab\u202e')), 'lab\\u{202e}');
  const hostile = deviceName(peer(`beeline/0.1.0 (${'<b>\u202e'.repeat(20)})`))!;
  assert.ok(hostile.includes('\\u{202e}') && !hostile.includes('\u202e') && hostile.length < 400, hostile);
});
