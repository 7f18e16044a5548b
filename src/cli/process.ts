/** The real process around `dispatch`. */
import { dispatch } from './dispatch.ts';
import { fail } from './failure.ts';
import type { Host } from './host.ts';
import { releaseTerminal } from './keys.ts';
import type { Env } from './options.ts';
import { settled } from './settle.ts';

const argv = process.argv.slice(2);

let opened = false;
const host: Host & { env: Env } = {
  env: process.env,
  // A getter, because touching process.stdin opens it, and most runs never read it.
  get stdin() {
    if (!opened) process.on('exit', () => releaseTerminal(process.stdin as object));
    opened = true;
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  // Not src/index.ts, which has the doctor too.
  send: async () => (await import('../node/send.ts')).send,
  proxied: async () => (await import('../node/proxied.ts')).onlyThrough,
  preview: async () => (await import('../node/preview.ts')).preview,
  receive: async () => (await import('../node/receive.ts')).receive,
  listen: async () => (await import('../node/inbox.ts')).listen,
  download: async () => (await import('../node/download.ts')).download,
  serve: async () => (await import('../node/serve.ts')).serve,
  outbox: () => import('../node/outbox.ts'),
  desktop: async () => {
    const { folderOpener, openFolder } = await import('./open-folder.ts');
    const opener = folderOpener(process.platform, process.env);
    return opener && ((folder) => openFolder(opener, folder));
  },
  codes: async () => ({
    ...(await import('../identity/code.ts')),
    ...(await import('../identity/doubt.ts')),
    ...(await import('../identity/completion.ts')),
  }),
  server: () => import('../server/index.ts'),
  devices: async (configDir) => (await import('../identity/devices.ts')).KnownDevices.open(configDir),
};

// A reader that went away (`beeline --help | head -1`) is no error to shout about; a running transfer listens too.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (thrown) => void fail(thrown, argv, host).then((code) => process.exit(code)));

void run();

async function run(): Promise<void> {
  try {
    const whole = await settled(argv, process.env);
    host.env = whole.env;
    process.exitCode = await dispatch(whole.argv, host, whole.locate);
  } catch (thrown) {
    process.exitCode = await fail(thrown, argv, host);
  }
  // What was written must arrive before the process ends. After that no forgotten socket may keep it alive.
  // Even an empty write stops a job in the background (`stty tostop`).
  for (const stream of [process.stdout, process.stderr])
    if (stream.writable && stream.writableLength > 0)
      await new Promise<void>((done) => stream.write('', () => done()));
  process.exit();
}
