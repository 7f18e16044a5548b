/** Many interfaces: the one that matters is among those that are used. */
import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import {
  addressesFor,
  type InterfaceListing,
  multicastInterfaces,
  rankedInterfaces,
} from '../../../src/meeting/lan/interfaces.ts';
import { localHosts } from '../../../src/node/addresses.ts';

const v4 = (address: string, internal = false) =>
  ({
    address,
    family: 'IPv4',
    internal,
    cidr: `${address}/24`,
    netmask: '',
    mac: '',
  }) as NetworkInterfaceInfo;
const v6 = (address: string) =>
  ({
    address,
    family: 'IPv6',
    internal: false,
    cidr: `${address}/64`,
    netmask: '',
    mac: '',
    scopeid: 1,
  }) as NetworkInterfaceInfo;
const nothing = { defaults: new Set<string>(), carrier: () => true };

/** A host of so many container networks that were there before the LAN's interface. */
function containers(count: number, name: (i: number) => string): InterfaceListing {
  const listing: InterfaceListing = { lo: [v4('127.0.0.1', true)] };
  for (let i = 0; i < count; i++) listing[name(i)] = [v4(`172.17.${i}.1`), v6(`fe80::${i + 1}`)];
  listing.lan = [v4('10.77.0.5'), v6('fe80::5'), v6('2001:db8::5')];
  return listing;
}

test('a LAN behind any number of container networks is announced on, and among the candidates', () => {
  for (const name of [(i: number) => `br-${i}`, (i: number) => `d${i}`]) {
    const listing = containers(300, name);
    const links = multicastInterfaces(undefined, listing);
    assert.ok(links.length <= 129, 'bounded');
    assert.deepEqual(
      links.filter((link) => link.name === 'lan').map(({ family }) => family),
      [4, 6],
    );
    assert.ok(links.some(({ loopback }) => loopback));
    assert.ok(addressesFor(links.at(-1)!, undefined, listing).includes('10.77.0.5'));
    const hosts = localHosts(listing);
    assert.ok(hosts.length <= 24, 'bounded');
    assert.equal(hosts[0], '10.77.0.5');
    assert.ok(hosts.includes('2001:db8::5'));
    assert.equal(hosts.at(-1), '127.0.0.1');
  }
});

test('the default route comes first, then what has a carrier; virtual ones and those without come last', () => {
  const listing: InterfaceListing = {
    docker0: [v4('172.17.0.1')],
    dead: [v4('192.168.5.20')],
    hotspot: [v4('192.168.9.1')],
    other: [v4('192.168.7.20')],
    only6: [v6('2001:db8::1')],
    wlan0: [v4('192.168.1.1')],
  };
  const routing = { defaults: new Set(['wlan0']), carrier: (name: string) => name !== 'dead' };
  const names = (given: typeof routing) => rankedInterfaces(listing, given).map(([name]) => name);
  assert.deepEqual(names(routing), ['wlan0', 'other', 'only6', 'hotspot', 'docker0', 'dead']);
  assert.deepEqual(names(nothing), ['dead', 'other', 'only6', 'hotspot', 'wlan0', 'docker0']);
});
