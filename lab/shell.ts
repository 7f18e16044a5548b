/** A shell in a host of the lab: `node --import tsx lab/shell.ts [KIND]`. Everything goes when it ends. */
import { spawnSync } from 'node:child_process';
import { HOST_KINDS, makeInternet, whyNoLab } from './network.ts';

async function main(): Promise<void> {
  const kind = HOST_KINDS.find((one) => one === (process.argv[2] ?? 'cone'));
  if (kind === undefined) throw new Error(`no such kind of host; there are: ${HOST_KINDS.join(', ')}`);
  const reason = whyNoLab();
  if (reason !== undefined) throw new Error(reason);
  const internet = await makeInternet();
  try {
    const host = await internet.addHost(kind);
    const { server } = internet;
    console.log(`host:   ${host.prefix.join(' ')} …   ${host.addresses.join(', ')}`);
    console.log(`server: ${server.prefix.join(' ')} …   ${server.addresses.join(', ')}, ${server.address2}`);
    if (host.router !== undefined) console.log(`router: ${host.router.prefix.join(' ')} …`);
    const [word, ...words] = [...host.prefix, process.env.SHELL ?? 'sh'];
    spawnSync(word!, words, { stdio: 'inherit' });
  } finally {
    internet.remove();
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
