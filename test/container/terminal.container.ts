/** `docker run -it`, typed at a real pseudo-terminal. */
import { describe, expect, it } from 'vitest';
import { keys, type Screen } from '../boot/screen.ts';
import { tryDocker } from './engine.ts';
import { runInteractively } from './interactive.ts';

const prompted = /ready> /;
const empty = ['--config', '/nowhere', '--no-console-log'];
const shell = [...empty, 'bash', '--norc', '-i'];

async function openShell(): Promise<Screen & { readonly name: string }> {
  const screen = runInteractively(shell);
  await screen.waitFor(prompted);
  return screen;
}

describe('docker run -it', () => {
  it('gives bash the terminal and job control, and the container its status', async () => {
    const screen = await openShell();
    expect(screen.screen()).not.toMatch(/no job control|cannot set terminal|Inappropriate/);
    await screen.run('tty', /^\/dev\/(?:pts\/\d+|console)$/m);
    await screen.run('echo pid=$(cat /proc/1/comm) flags=$-', /flags=\S*m/);
    screen.type('exit 7\r');
    expect(await screen.exit).toBe(7);
  });

  it('gives Ctrl-C and Ctrl-Z to the job in the foreground, and not to PID 1', async () => {
    const screen = await openShell();
    // What is typed before it runs may be thrown away with the shell's own settings of the terminal.
    await screen.run("sh -c 'echo begun; exec cat'", /^begun$/m);
    screen.type('one\r');
    await screen.waitFor(/one\none\n/);
    screen.type(keys.suspend);
    await screen.waitFor(/Stopped/);
    await screen.waitFor(prompted);
    await screen.run('jobs', /^\[1\]\+ +Stopped +sh -c/m);
    await screen.run('fg', /^sh -c/m);
    screen.type('two\r');
    await screen.waitFor(/two\ntwo\n/);
    screen.type(keys.interrupt);
    await screen.waitFor(prompted);
    await screen.run('echo status=$?', /^status=130$/m);
    await screen.run('kill -0 1 && echo alive=$((20 + 1))', /^alive=21$/m);
    // A Ctrl-D that is typed before the shell reads its next line is lost when the shell switches the terminal's mode.
    await screen.waitFor(prompted);
    screen.type(keys.endOfFile);
    // Ctrl-D at an empty line: the status of the last command.
    expect(await screen.exit).toBe(0);
  });

  it('passes the window’s size on, and its changes', async () => {
    const screen = await openShell();
    screen.resize(33, 101);
    await screen.run(
      'until [ "$(stty size)" = "33 101" ]; do sleep 0.05; done; echo size=$(stty size)',
      /^size=33 101$/m,
    );
    await screen.run("trap 'echo resized=$(stty size)' WINCH; echo trap=set", /^trap=set$/m);
    screen.resize(40, 120);
    await screen.waitFor(/resized=40 120/);
  });

  it('lets a program take the terminal raw, and give it back', async () => {
    const screen = await openShell();
    const raw = `stty -icanon -echo -isig min 1; echo raw=on; dd bs=1 count=3 2>/dev/null | od -An -tx1; stty sane; echo raw=off`;
    await screen.run(raw, /^raw=on$/m);
    screen.type('\x03\x1aq');
    await screen.waitFor(/03 1a 71/);
    await screen.waitFor(/^raw=off$/m);
    await screen.run('echo still=$((6 * 7))', /^still=42$/m);
  });

  it('ends by docker stop, and says 126, 127 and 128 + n as a shell does', async () => {
    const stopped = await openShell();
    await tryDocker('stop', stopped.name);
    // An interactive shell ends by SIGHUP, and the status of the command is that of the container.
    expect(await stopped.exit).toBe(129);
    expect(await runInteractively([...empty, '/not/there']).exit).toBe(127);
    expect(await runInteractively([...empty, '/etc/passwd']).exit).toBe(126);
    expect(await runInteractively([...empty, 'sh', '-c', 'kill -9 $$']).exit).toBe(137);
  });
});
