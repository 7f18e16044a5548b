/** `beeline receive URL...`: files from HTTP servers. */
import { EXIT_DONE } from '../exit.ts';
import type { Host } from '../host.ts';
import type { DownloadArgs } from '../options.ts';
import { Questions } from '../questions.ts';
import { TransferRun } from '../session.ts';

/** Resolves to the exit code. @throws BeelineError; BrokenPipe */
export async function downloadCommand(args: DownloadArgs, host: Host): Promise<number> {
  const { options: given, what } = args;
  const session = new TransferRun(host, {
    face: args.face,
    metricsPort: args.metricsPort,
    stdinTaken: false,
    report: {
      role: 'receive',
      update: args.options.overwrite === 'update',
      servers: true,
      instructions: () => undefined,
    },
    side: { newCode: false, keeps: given.to !== '-' },
  });
  // Whoever names a URL wants what is there. Only files that exist are asked about.
  const questions = new Questions(session.prompt, session.screen);
  const { onConflict } = questions.options({ yes: true, options: given });
  try {
    const open = await session.opener(args.open, () => given.to);
    if (args.proxy !== undefined) (await host.proxied())(args.proxy);
    const options = await session.prepare(
      { ...given, onConflict, stdout: given.to === '-' ? host.stdout : undefined },
      [args.proxy, ...what.flatMap(({ url, mirrors = [] }) => [url, ...mirrors].flatMap(secretsOf))],
    );
    const download = await host.download();
    await session.follow(download(what, options));
    await open();
    return EXIT_DONE;
  } finally {
    session.close();
  }
}

/** No log has a password, or what stands behind the question mark of a signed URL. */
function secretsOf(url: string | URL): string[] {
  if (!URL.canParse(String(url))) return [];
  const { username, password, search } = new URL(url);
  return [username, password, decodeURIComponent(password), search.slice(1)].filter(
    (text) => text.length > 3,
  );
}
