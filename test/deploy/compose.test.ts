/** deploy/compose.yaml: what it names is there, and the instances' flags are right. Docker is not here. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { parseConfiguration } from '../../src/cli/configuration.ts';
import { serverArgs } from '../../src/cli/options.ts';

interface Service {
  image: string;
  command?: string[];
  build?: { context: string; dockerfile: string };
  volumes?: string[];
  ports?: string[];
  secrets?: string[];
  networks?: string[] | Record<string, { ipv4_address?: string }>;
  extra_hosts?: string[];
  depends_on?: string[];
  stop_grace_period?: string;
  security_opt?: string[];
  read_only?: boolean;
}

const read = (name: string) => readFileSync(join('deploy', name), 'utf8');
const compose: {
  services: Record<string, Service>;
  networks: object;
  volumes: object;
  secrets: Record<string, { file: string }>;
} = parse(read('compose.yaml'), { merge: true });
/** What docs/server.md says to make first. */
const MADE = /^\.\/(secrets|certs)(\/|$)/;
const networksOf = ({ networks = [] }: Service) =>
  Array.isArray(networks) ? networks : Object.keys(networks);
const instances = Object.entries(compose.services).filter(([name]) => name.startsWith('beeline-'));

test('every image has a version, and every file, network, volume, secret and service that is named is there', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    if (service.build) assert.ok(existsSync(join('deploy', service.build.context, service.build.dockerfile)));
    else assert.match(service.image, /:v?\d+\.\d+\.\d+[\w.-]*$/, name);
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('./')) assert.ok(MADE.test(source) || existsSync(join('deploy', source)), volume);
      else assert.ok(source in compose.volumes, volume);
    }
    for (const network of networksOf(service)) assert.ok(network in compose.networks, network);
    for (const secret of service.secrets ?? []) assert.match(compose.secrets[secret]!.file, MADE, secret);
    for (const other of service.depends_on ?? []) assert.ok(other in compose.services, other);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
  }
});

test('the three instances have right flags, each its own public URL, which nginx leads to it', () => {
  assert.equal(instances.length, 3);
  const nginx = read('nginx.conf');
  const urls = new Set<string>();
  for (const [name, { command = [], secrets, read_only, stop_grace_period, networks }] of instances) {
    const [flag, path, ...typed] = command;
    assert.deepEqual([flag, path, read_only], ['--config', '/etc/beeline/server.yaml', true]);
    const file = parseConfiguration(read('compose-server.yaml'), 'compose-server.yaml').flags;
    const { port, trustProxy, publicUrl, turn, drain, metrics } = serverArgs(typed, {}, file);
    assert.deepEqual([port, trustProxy, metrics], [4848, true, '0.0.0.0:9848']);
    assert.ok(secrets!.includes(turn!.secretFile!.replace('/run/secrets/', '')));
    assert.ok(Number.parseInt(stop_grace_period!, 10) >= drain + 10, 'Docker waits for the relay');
    const { pathname } = new URL(publicUrl!);
    urls.add(publicUrl!);
    assert.ok(nginx.includes(`location ${pathname}/ {\n            proxy_pass http://${name}:4848/;`), name);
    assert.ok(nginx.includes(`server ${name}:4848 `), name);
    assert.ok(read('prometheus/prometheus.yml').includes(`- ${name}:9848\n`), name);
    // A name that nobody has now would keep nginx from starting.
    const own = Array.isArray(networks) ? undefined : networks?.edge?.ipv4_address;
    assert.ok(compose.services.nginx!.extra_hosts!.includes(`${name}:${own}`), name);
  }
  assert.equal(urls.size, 3);
});

test('nobody outside reaches Redis, the metrics, or an instance past nginx', () => {
  for (const [name, { ports = [], networks }] of Object.entries(compose.services)) {
    for (const port of ports) {
      assert.doesNotMatch(port, /(^|:)(6379|9848|4848)(\/tcp)?$/, `${name}: ${port}`);
      if (/:(9090|3000)$/.test(port)) assert.match(port, /^127\.0\.0\.1:/, name);
    }
    if (name === 'redis') assert.deepEqual(networks, ['inner']);
  }
});
