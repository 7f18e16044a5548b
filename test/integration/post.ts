/** A server, and devices that trust each other, each with its own configuration and state. */
import type { Command, StartOptions } from './command.ts';
import { event, type Workspace } from './workspace.ts';

/** A server, and an inbox that trusts these devices and is trusted by them. */
export class Post {
  readonly work: Workspace;
  url = '';
  server!: Command;
  constructor(work: Workspace) {
    this.work = work;
  }

  async open(...names: string[]): Promise<this> {
    await this.serve('0');
    for (const name of names) await this.pair(name);
    return this;
  }

  async serve(port: string): Promise<void> {
    this.server = this.work.start(['server', '--host', '127.0.0.1', '--port', port, '--no-stun']);
    this.url = String((await this.server.until('listening')).url);
  }

  async pair(name: string): Promise<void> {
    const { work } = this;
    await this.trust('inbox', 'add', name, await ownKey(work, name));
    await this.trust(name, 'add', 'inbox', await ownKey(work, 'inbox'));
  }

  async trust(config: string, ...words: string[]): Promise<void> {
    await this.work.start(['trust', ...words, '--config-dir', this.work.path(config)]).ends(0);
  }

  /** @param ready wait until it watches */
  async listen(...flags: string[]): Promise<Command> {
    const listener = this.run('inbox', [
      'listen',
      '--to',
      this.work.path('in'),
      ...this.there('inbox'),
      ...flags,
    ]);
    await listener.until('watching');
    return listener;
  }

  send(name: string, path: string, ...flags: string[]): Command {
    return this.run(name, ['send', path, '--device', 'inbox', ...this.there(name), ...flags]);
  }

  /** A command on a device's machine, which has a state of its own. */
  run(name: string, words: readonly string[], options: StartOptions = {}): Command {
    return this.work.start(words, { ...options, env: { BEELINE_STATE_DIR: this.state(name) } });
  }

  state(name: string): string {
    return this.work.path(`state of ${name}`);
  }

  there(name: string): string[] {
    return ['--config-dir', this.work.path(name), '--server', this.url, '--no-lan'];
  }
}

async function ownKey(work: Workspace, config: string): Promise<string> {
  const shown = await work.start(['trust', '--config-dir', work.path(config)]).ends(0);
  return String(event(shown, 'own').key);
}
