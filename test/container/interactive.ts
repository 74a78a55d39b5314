/** `docker run -it`, at a real pseudo-terminal. */
import { onTestFinished } from 'vitest';
import { openScreen, type Screen } from '../boot/screen.ts';
import { clientEnvironment, tryDocker, userImage } from './engine.ts';

let containers = 0;

export interface InteractiveOptions {
  readonly image?: string;
  /** Of `docker run`. */
  readonly options?: readonly string[];
}

/** `docker run -it` of the command; the container is removed after the test. */
export function runInteractively(
  args: readonly string[],
  { image = userImage, options = [] }: InteractiveOptions = {},
): Screen & { readonly name: string } {
  containers += 1;
  const name = `chaperone-terminal-${process.pid}-${containers}`;
  const environment = ['--env', 'PS1=ready> ', '--env', 'TERM=dumb'];
  const screen = openScreen({
    command: ['docker', 'run', '-it', '--name', name, ...environment, ...options, image, ...args],
    env: clientEnvironment,
    controlling: true,
  });
  onTestFinished(async () => {
    screen.leave();
    await tryDocker('rm', '--force', '--volumes', name);
    await screen.exit;
  });
  return { ...screen, name };
}
