/** Who may come to a port for browsers, once its password is known: from the environment, a file, or a person who is asked. */
import { usage } from './args.ts';
import type { Command } from './flags.ts';
import type { PasswordArgs } from './options.ts';
import type { Prompt } from './prompt.ts';
import { readPassword } from './secrets.ts';

/** @throws BeelineError USAGE if there is nobody to ask for a password */
export async function webAccess(
  command: Command,
  access: 'link' | 'public' | PasswordArgs,
  prompt: Prompt,
): Promise<'link' | 'public' | { password: string }> {
  if (access === 'link' || access === 'public') return access;
  const password = await passwordOf(command, access, prompt);
  if (!password) throw usage(command, 'The password is empty.');
  return { password };
}

async function passwordOf(
  command: Command,
  { password, passwordFile }: PasswordArgs,
  prompt: Prompt,
): Promise<string | undefined> {
  if (password !== undefined) return password;
  if (passwordFile !== undefined) return readPassword(passwordFile);
  const variable = `BEELINE_${command.toUpperCase()}_PASSWORD`;
  if (!prompt.possible)
    throw usage(command, `Nobody is here to be asked for the password: use --password-file or ${variable}.`);
  return prompt.askSecret('Password: ');
}
