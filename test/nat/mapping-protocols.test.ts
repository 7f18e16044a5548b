/** PCP, NAT-PMP and UPnP against routers on loopback, kind and hostile. */
import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { afterEach } from 'node:test';
import fc from 'fast-check';
import { linuxRoute, macRoute, windowsRoute } from '../../src/nat/mapping/gateway.ts';
import { worldAddress } from '../../src/nat/mapping/mapper.ts';
import { NatPmp, Pcp, readPcpAnswer } from '../../src/nat/mapping/pmp.ts';
import { descriptionOf, exchange, routerUrl, serviceOf, Upnp } from '../../src/nat/mapping/upnp.ts';
import { seed } from '../seed.ts';

const HERE = { gateway: '127.0.0.1', local: '127.0.0.1' };
const closers: (() => void)[] = [];
const numRuns = Number(process.env.RUNS ?? 100);
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A router's UDP port. */
async function udpRouter(answer: (bytes: Buffer, from: RemoteInfo, socket: Socket) => void): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => answer(bytes, from, socket));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  closers.push(() => socket.close());
  return socket.address().port;
}

function pcpAnswer(request: Buffer, change: (answer: Buffer) => void = () => {}): Buffer {
  const answer = Buffer.from(request);
  answer[1] = 0x81;
  answer[3] = 0;
  answer.fill(0, 8, 24);
  answer.writeUInt16BE(4321, 42);
  Buffer.from('00000000000000000000ffff0a000001', 'hex').copy(answer, 44);
  change(answer);
  return answer;
}

test('PCP: maps and gives back with one nonce, and tells a private address too', async () => {
  const seen: Buffer[] = [];
  const port = await udpRouter((bytes, from, socket) => {
    seen.push(bytes);
    socket.send(pcpAnswer(bytes), from.port, from.address);
  });
  const pcp = new Pcp(HERE, port);
  assert.deepEqual(await pcp.map('tcp', 1234, 600), {
    address: { host: '10.0.0.1', port: 4321 },
    lifetime: 600,
  });
  await pcp.unmap('tcp', 1234);
  pcp.close();
  // A busy machine may have asked twice.
  const [map, unmap] = [seen[0]!, seen.at(-1)!];
  assert.deepEqual(map.subarray(24, 36), unmap.subarray(24, 36));
  assert.equal(map.readUInt16BE(40), 1234);
  assert.equal(map[36], 6);
  assert.equal(unmap.readUInt32BE(4), 0);
  assert.equal(unmap.readUInt16BE(42), 0);
});

test('PCP: a late answer to the request for a mapping is not that to its end', async () => {
  const seen: Buffer[] = [];
  const port = await udpRouter((bytes, from, socket) => {
    seen.push(bytes);
    // The first answer comes again, before that to what ends it.
    socket.send(pcpAnswer(seen[0]!), from.port, from.address);
    if (bytes.readUInt32BE(4) === 0 && seen.filter((one) => one.readUInt32BE(4) === 0).length > 1)
      socket.send(pcpAnswer(bytes), from.port, from.address);
  });
  const pcp = new Pcp(HERE, port);
  await pcp.map('tcp', 1234, 600);
  await pcp.unmap('tcp', 1234);
  pcp.close();
  assert.equal(
    seen.filter((one) => one.readUInt32BE(4) === 0).length,
    2,
    'it is asked until its own answer comes',
  );
});

test('PCP: a lost request is sent again', async () => {
  let lost = 0;
  const port = await udpRouter((bytes, from, socket) => {
    if (lost++ > 0) socket.send(pcpAnswer(bytes), from.port, from.address);
  });
  const pcp = new Pcp(HERE, port);
  await pcp.map('udp', 99, 600);
  pcp.close();
  assert.ok(lost >= 2, `${lost} requests`);
});

test('PCP: a NAT-PMP router, a refusal, silence and what is not the answer', async () => {
  const cases: [RegExp, string, (bytes: Buffer) => Buffer | undefined][] = [
    [/UNSUPP_VERSION/, 'NO_PATH', () => Buffer.of(0, 0x81, 0, 1, 0, 0, 0, 1)],
    [/NOT_AUTHORIZED/, 'NO_PATH', (bytes) => pcpAnswer(bytes, (answer) => answer.writeUInt8(2, 3))],
    [/no address on the internet/, 'NO_PATH', (bytes) => pcpAnswer(bytes, (answer) => answer.fill(0, 56))],
    [/does not answer/, 'TIMEOUT', () => undefined],
    // Another nonce is somebody else's.
    [
      /does not answer/,
      'TIMEOUT',
      (bytes) => pcpAnswer(bytes, (answer) => answer.writeUInt8(bytes[24]! ^ 1, 24)),
    ],
    [/does not answer/, 'TIMEOUT', (bytes) => pcpAnswer(bytes).subarray(0, 59)],
    [/does not answer/, 'TIMEOUT', () => Buffer.of(2)],
    [/does not answer/, 'TIMEOUT', () => Buffer.alloc(0)],
  ];
  await Promise.all(
    cases.map(async ([message, code, answer]) => {
      const port = await udpRouter((bytes, from, socket) => {
        const said = answer(bytes);
        if (said) socket.send(said, from.port, from.address);
      });
      const pcp = new Pcp(HERE, port);
      await assert.rejects(pcp.map('tcp', 1234, 600), { code, message });
      pcp.close();
    }),
  );
});

test('PCP: a router that refuses the datagram is not waited for, and closing ends what is asked', async () => {
  const port = await udpRouter(() => {});
  const silent = new Pcp(HERE, port);
  const asked = assert.rejects(silent.map('tcp', 1, 600), { code: 'TIMEOUT' });
  silent.close();
  await asked;
  await assert.rejects(silent.map('tcp', 1, 600), { code: 'TIMEOUT' });
  closers.splice(0).forEach((close) => {
    close();
  });
  const nobody = new Pcp(HERE, port);
  await assert.rejects(nobody.map('tcp', 1, 600), { code: 'NO_PATH', message: /cannot be asked/ });
  nobody.close();
});

test('PCP: no answer makes reading throw anything but a refusal', () => {
  const wish = { local: '10.0.0.2', nonce: new Uint8Array(12), protocol: 6, port: 1, lifetime: 60 };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        readPcpAnswer(Buffer.from(bytes), wish);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'NO_PATH');
      }
    }),
    { seed, numRuns },
  );
});

test('NAT-PMP: maps, gives back, hears refusals, and is not upset by short datagrams', async () => {
  const seen: Buffer[] = [];
  let refuse = 0;
  const port = await udpRouter((bytes, from, socket) => {
    seen.push(bytes);
    for (const short of [Buffer.alloc(0), Buffer.of(0), Buffer.of(0, 128, 0, 0), Buffer.of(0, 130, 0, 0, 1)])
      socket.send(short, from.port, from.address);
    const answer = Buffer.alloc(bytes[1] === 0 ? 12 : 16);
    answer[1] = 128 + bytes[1]!;
    if (bytes[1] === 0) answer.set([198, 51, 7, 9], 8);
    else {
      answer.writeUInt16BE(refuse, 2);
      answer.writeUInt16BE(bytes.readUInt16BE(4), 8);
      answer.writeUInt16BE(5555, 10);
      answer.writeUInt32BE(bytes.readUInt32BE(8), 12);
    }
    socket.send(answer, from.port, from.address);
  });
  const pmp = new NatPmp(HERE, port);
  assert.deepEqual(await pmp.map('udp', 777, 60), {
    address: { host: '198.51.7.9', port: 5555 },
    lifetime: 60,
  });
  await pmp.unmap('udp', 777);
  const last = seen.at(-1)!;
  assert.deepEqual([...last], [0, 1, 0, 0, 777 >> 8, 777 & 255, 0, 0, 0, 0, 0, 0]);
  refuse = 2;
  await assert.rejects(pmp.map('tcp', 777, 60), { code: 'NO_PATH', message: /not authorized/ });
  pmp.close();
});

const DESCRIPTION = (control: string) => `<?xml version="1.0"?><root><device><serviceList>
  <service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/other</controlURL></service>
  <service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>${control}</controlURL></service>
</serviceList></device></root>`;

/** An IGD on loopback: answers the search sent to it alone, and SOAP calls by `soap`. */
async function igd(
  soap: (action: string, body: string, response: ServerResponse) => void,
  control = '/ctl?a=1&amp;b=2',
) {
  const server: Server = createServer((request, response) => {
    if (request.url === '/desc.xml') return void response.end(DESCRIPTION(control));
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => soap(String(request.headers.soapaction).split(/[#"]/)[2]!, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ssdp = await udpRouter((bytes, from, socket) => {
    const target = /^ST: (\S+)/m.exec(String(bytes))![1];
    const lines = ['HTTP/1.1 200 OK', `ST: ${target}`, `Location: http://127.0.0.1:${port}/desc.xml`, '', ''];
    socket.send(lines.join('\r\n'), from.port, from.address);
  });
  return new Upnp(HERE, ssdp);
}

const value = (body: string, name: string) => new RegExp(`<${name}>([^<]*)<`).exec(body)?.[1];
const fault = (response: ServerResponse, code: number) => {
  response.statusCode = 500;
  response.end(`<s:Fault><detail><UPnPError><errorCode>${code}</errorCode></UPnPError></detail></s:Fault>`);
};

test('UPnP: a taken port and a router with permanent leases only; deletes what it made, by its protocol', async () => {
  const table = new Map([['1234 UDP', 'somebody else']]);
  const upnp = await igd((action, body, response) => {
    const key = `${value(body, 'NewExternalPort')} ${value(body, 'NewProtocol')}`;
    if (action === 'GetExternalIPAddress')
      return void response.end('<NewExternalIPAddress>100.64.1.2</NewExternalIPAddress>');
    if (action === 'DeletePortMapping') return table.delete(key) ? void response.end() : fault(response, 714);
    if (value(body, 'NewLeaseDuration') !== '0') return fault(response, 725);
    const owner = `${value(body, 'NewInternalClient')} ${value(body, 'NewInternalPort')}`;
    if ((table.get(key) ?? owner) !== owner) return fault(response, 718);
    table.set(key, owner);
    response.end();
  });
  const tcp = await upnp.map('tcp', 1234, 600);
  assert.deepEqual(tcp, { address: { host: '100.64.1.2', port: 1234 }, lifetime: Number.POSITIVE_INFINITY });
  const udp = await upnp.map('udp', 1234, 600);
  assert.notEqual(udp.address.port, 1234);
  assert.deepEqual(await upnp.map('udp', 1234, 600), udp, 'renewed where it is');
  assert.equal(table.size, 3);
  await upnp.unmap('udp', 1234);
  await upnp.unmap('tcp', 1234);
  assert.deepEqual([...table.keys()], ['1234 UDP']);
  await upnp.unmap('tcp', 1234);
  upnp.close();
});

test('UPnP: what is granted after nobody waits any more is taken back', async () => {
  const table = new Set<string>();
  let adding = () => {};
  const asked = new Promise<void>((resolve) => {
    adding = resolve;
  });
  const upnp = await igd((action, body, response) => {
    if (action === 'GetExternalIPAddress')
      return void response.end('<NewExternalIPAddress>100.64.1.2</NewExternalIPAddress>');
    const key = value(body, 'NewExternalPort')!;
    if (action === 'DeletePortMapping') return table.delete(key) ? void response.end() : fault(response, 714);
    adding();
    setTimeout(() => {
      table.add(key);
      response.end();
    }, 50);
  });
  const mapped = upnp.map('tcp', 1234, 600);
  await asked;
  await upnp.unmap('tcp', 1234);
  await mapped;
  assert.equal(table.size, 0);
  upnp.close();
});

test('UPnP: refusals, an offline router and a control address elsewhere are errors', async () => {
  const offline = await igd((_, __, response) =>
    response.end('<NewExternalIPAddress>0.0.0.0</NewExternalIPAddress>'),
  );
  await assert.rejects(offline.map('tcp', 1, 60), { code: 'NO_PATH', message: /no address on the internet/ });
  const refusing = await igd((_, __, response) => fault(response, 606));
  await assert.rejects(refusing.map('tcp', 1, 60), { code: 'NO_PATH', message: /error 606/ });
  const astray = await igd(() => assert.fail('it was followed'), 'http://192.0.2.1/ctl');
  await assert.rejects(astray.map('tcp', 1, 60), { code: 'NO_PATH', message: /no UPnP/ });
  for (const each of [offline, refusing, astray]) each.close();
});

test('UPnP: answers to a search that are not the router speaking of itself are not followed', () => {
  const answer = (location: string, target = 'urn:schemas-upnp-org:device:InternetGatewayDevice:1') =>
    `HTTP/1.1 200 OK\r\nST: ${target}\r\nLOCATION: ${location}\r\n\r\n`;
  const gateway = '192.168.1.1';
  assert.equal(descriptionOf(answer('http://192.168.1.1:5000/d.xml'), gateway)?.port, '5000');
  for (const location of [
    'http://192.168.1.2:5000/d.xml',
    'http://127.0.0.1/d.xml',
    'https://192.168.1.1/d.xml',
    'file:///etc/passwd',
    'http://a:b@192.168.1.1/',
    'http://192.168.1.1.example/',
    '/d.xml',
  ])
    assert.equal(descriptionOf(answer(location), gateway), undefined, location);
  assert.equal(descriptionOf(answer('http://192.168.1.1/', 'ssdp:all'), gateway), undefined);
  assert.equal(routerUrl('//192.168.1.9/x', new URL('http://192.168.1.1/d.xml'), gateway), undefined);
  fc.assert(
    fc.property(fc.string(), (text) => descriptionOf(text, gateway) === undefined),
    { seed, numRuns },
  );
});

test('UPnP: no description makes reading it throw, or slow', () => {
  const base = new URL('http://192.168.1.1/d.xml');
  const word = fc.constantFrom(
    '<service>',
    '<serviceType>',
    '</serviceType>',
    '<controlURL>',
    '</controlURL>',
    'x',
    '&amp;',
  );
  const type = fc.constant('urn:schemas-upnp-org:service:WANIPConnection:1');
  fc.assert(
    fc.property(fc.array(fc.oneof(word, type)), (words) => {
      const service = serviceOf(words.join(''), base, '192.168.1.1');
      return service === undefined || service.control.hostname === '192.168.1.1';
    }),
    { seed, numRuns },
  );
  assert.equal(serviceOf('<service><serviceType>'.repeat(6_000), base, '192.168.1.1'), undefined);
});

test('HTTP: too long, cut short, redirected or endless answers', async () => {
  const open: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/long') return void response.end('x'.repeat(1_000_000));
    if (request.url === '/redirect')
      return void response.writeHead(302, { Location: 'http://192.0.2.1/' }).end();
    response.writeHead(200, { 'Content-Length': '10' }).write('x');
    open.push(response);
    if (request.url === '/cut') setImmediate(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  const { port } = server.address() as AddressInfo;
  const get = (path: string, signal = new AbortController().signal) =>
    exchange({ url: new URL(`http://127.0.0.1:${port}${path}`), signal });
  await assert.rejects(get('/long'), { code: 'PROTOCOL' });
  await assert.rejects(get('/cut'), ({ code }: { code: string }) => ['PROTOCOL', 'NO_PATH'].includes(code));
  assert.equal((await get('/redirect')).status, 302);
  await assert.rejects(get('/endless'), { code: 'TIMEOUT' });
  const stop = new AbortController();
  const asked = assert.rejects(get('/endless', stop.signal), { code: 'CANCELLED' });
  stop.abort();
  await asked;
});

test('routing tables of three systems', () => {
  const linux = `Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
wlan0 00000000 0101A8C0 0003 0 0 600 00000000 0 0 0
eth0 00000000 FE00000A 0003 0 0 100 00000000 0 0 0
tun0 00000000 00000000 0001 0 0 50 00000000 0 0 0
eth0 0000000A 00000000 0001 0 0 100 00FFFFFF 0 0 0
`;
  assert.equal(linuxRoute(linux), '10.0.0.254');
  assert.equal(linuxRoute(''), undefined);
  assert.equal(
    macRoute('Destination  Gateway  Flags Netif\ndefault  192.168.1.1  UGScg en0\n'),
    '192.168.1.1',
  );
  assert.equal(macRoute('default  link#12  UCSIg utun3\n'), undefined);
  const windows = `  Netzwerkziel  Netzwerkmaske  Gateway  Schnittstelle  Metrik
          0.0.0.0          0.0.0.0      192.168.7.1    192.168.7.50     50
          0.0.0.0          0.0.0.0      192.168.1.1    192.168.1.50     25
`;
  assert.equal(windowsRoute(windows), '192.168.1.1');
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const read of [linuxRoute, macRoute, windowsRoute]) read(`head\n${text}`);
    }),
    { seed, numRuns },
  );
});

test('addresses that are told', () => {
  for (const host of ['10.1.2.3', '100.64.0.1', '192.168.0.1', '8.8.8.8', '203.0.113.1'])
    assert.deepEqual(worldAddress(host, 1), { host, port: 1 });
  for (const host of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::1', 'router', ''])
    assert.equal(worldAddress(host, 1), undefined, host);
  for (const port of [0, 65_536, Number.NaN, 1.5]) assert.equal(worldAddress('10.1.2.3', port), undefined);
});
