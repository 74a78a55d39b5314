import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { config, logAll, until } from './namespace.ts';
import { jobControlOf, keys, openTerminal, prompted, type Terminal, type TerminalOptions } from './terminal.ts';

const shell = ['--no-console-log', 'bash', '--norc', '-i'];

/** Opens a shell and waits for its prompt. */
async function openShell(options: TerminalOptions = {}): Promise<Terminal> {
  const terminal = openTerminal({ ...options, args: [...(options.args ?? []), ...shell] });
  await terminal.waitFor(prompted);
  return terminal;
}

const only = (sections: Parameters<typeof config>[0]) => ({ files: { 'x.conf': config(sections) } });

/** Waits until all patterns have been on the screen, in any order. */
async function untilShown(terminal: Terminal, patterns: readonly RegExp[]): Promise<void> {
  for (const pattern of patterns) {
    await until(`${pattern} is shown`, () => (pattern.test(terminal.screen()) ? true : undefined));
  }
}

/** The process of that name below chaperone, once it is there. */
/** @param state of proc_pid_stat(5), in which the process has to be */
function untilRuns(
  terminal: Terminal,
  name: string,
  state?: string,
): Promise<{ readonly pid: number; readonly innerPid: number }> {
  return until(`${name} runs`, () =>
    terminal.processes().find((process) => process.name === name && (state === undefined || process.state === state)),
  );
}

const untilDie = { command: '$(FIXTURES)/die-when $(_CHAP_CONFIG_DIR)/end 0', startup_pause: 0.05 };
const obey = (text: string, more: Readonly<Record<string, unknown>> = {}) => ({
  command: `$(FIXTURES)/obey TERM '${text}'`,
  startup_pause: 0.05,
  ...more,
});

describe.each(['leader', 'member'] as const)('an interactive shell where chaperone is a session’s %s', (session) => {
  it('has the terminal, job control, and a prompt without complaints', async () => {
    const terminal = await openShell({ session });
    expect(terminal.screen()).not.toMatch(/no job control|cannot set terminal|Inappropriate/);
    await terminal.run('tty', /^\/dev\/\S+$/m);
    await terminal.run('echo flags=$-', /^flags=\S*i\S*m|^flags=\S*m\S*i/m);
    await terminal.run('for fd in 0 1 2; do test -t $fd && echo "$fd is a terminal"; done', /2 is a terminal/);
    expect(terminal.screen()).toMatch(/0 is a terminal\n1 is a terminal/);
    await terminal.run('kill -0 1 && echo alive=$((20 + 1))', /^alive=21$/m);
    terminal.type('exit\r');
    expect(await terminal.exit).toBe(0);
  });

  it('has the foreground group, in chaperone’s session, and chaperone is not in it', async () => {
    const terminal = await openShell({ session });
    const bash = await untilRuns(terminal, 'bash');
    const own = jobControlOf(bash.pid);
    const chaperone = jobControlOf(terminal.pid());
    expect(own).toEqual({ group: bash.pid, session: chaperone.session, foreground: bash.pid });
    expect(chaperone.foreground).toBe(bash.pid);
    expect(chaperone.group).not.toBe(bash.pid);
    // The programs inside see the pids of the namespace.
    await terminal.run(
      `echo "group $(ps -o pgid= $$) tty $(ps -o tpgid= 1) self $$"`,
      /group +(\d+) tty +-?\d+ self \1$/m,
    );
  });

  it('takes Ctrl-C for its job, and chaperone lives', async () => {
    const terminal = await openShell({ session });
    terminal.type('sleep 300\r');
    const sleep = await untilRuns(terminal, 'sleep');
    await until('sleep is in the foreground', () =>
      jobControlOf(sleep.pid).foreground === sleep.pid ? true : undefined,
    );
    terminal.type(keys.interrupt);
    await terminal.waitFor(prompted);
    await terminal.run('echo status=$?', /^status=130$/m);
    await terminal.waitFor(prompted);
    terminal.type('half a line');
    // Ctrl-C discards unread input together with its echo.
    await terminal.waitFor(/half a line/);
    // Between its echo and its wait for the next key, readline notes an interrupt, and acts on it only at that key.
    await untilRuns(terminal, 'bash', 'S');
    terminal.type(keys.interrupt);
    await terminal.waitFor(prompted);
    await terminal.run('kill -0 1 && echo alive=$((20 + 1))', /^alive=21$/m);
  });

  it('takes Ctrl-Z: the job stops, is listed, and goes on', async () => {
    const terminal = await openShell({ session });
    terminal.type('cat\r');
    const cat = await untilRuns(terminal, 'cat');
    terminal.type('one\r');
    await terminal.waitFor(/one\none\n/);
    terminal.type(keys.suspend);
    await terminal.waitFor(/Stopped/);
    await terminal.waitFor(prompted);
    expect(terminal.processes().find(({ pid }) => pid === cat.pid)?.state).toBe('T');
    await terminal.run('jobs', /^\[1\]\+ +Stopped +cat$/m);
    await terminal.run('fg', /^cat$/m);
    terminal.type('two\r');
    await terminal.waitFor(/two\ntwo\n/);
    terminal.type(keys.endOfFile);
    await terminal.waitFor(prompted);
    await terminal.run('echo status=$?', /^status=0$/m);
  });

  it('takes Ctrl-\\ for its job, and Ctrl-D for itself', async () => {
    const terminal = await openShell({ session });
    terminal.type('ulimit -c 0; sleep 300\r');
    await untilRuns(terminal, 'sleep');
    terminal.type(keys.quit);
    await terminal.waitFor(/Quit/);
    await terminal.waitFor(prompted);
    terminal.type(keys.endOfFile);
    expect(await terminal.exit).toBe(131);
  });

  it('ends the container with its status', async () => {
    const terminal = await openShell({ session });
    terminal.type('exit 5\r');
    expect(await terminal.exit).toBe(5);
  });
});

describe('a shell at a terminal that controls no session', () => {
  it('comes up all the same, and its end is the end of the container', async () => {
    const terminal = await openShell({ session: 'none' });
    await terminal.run('tty', /^\/dev\/\S+$/m);
    terminal.type('exit 6\r');
    expect(await terminal.exit).toBe(6);
  });
});

describe('the terminal', () => {
  it('tells the command when the window is resized', async () => {
    const terminal = await openShell();
    await terminal.run('stty size', /^24 80$/m);
    await terminal.waitFor(prompted);
    await terminal.run(`trap 'echo resized to $(stty size)' WINCH; echo trapped=$((20 + 1))`, /^trapped=21$/m);
    await terminal.waitFor(prompted);
    terminal.resize(50, 132);
    // A shell at its prompt runs its traps with the next command.
    terminal.type('\r');
    await terminal.waitFor(/resized to 50 132\n/);
  });

  it('tells a program in the foreground too, at once', async () => {
    const script = `trap 'stty size; exit 4' WINCH; echo waits; while :; do sleep 300 & wait; done`;
    const terminal = openTerminal({ args: ['--no-console-log', 'bash', '-c', script] });
    await terminal.waitFor(/waits/);
    terminal.resize(33, 99);
    await terminal.waitFor(/^33 99$/m);
    expect(await terminal.exit).toBe(4);
  });

  it('may be put into raw mode', async () => {
    const terminal = openTerminal({
      args: [
        '--no-console-log',
        'sh',
        '-c',
        'saved=$(stty -g); stty raw -echo; echo press; key=$(dd bs=1 count=1 2>/dev/null | od -An -tx1); stty "$saved"; echo "key$key"',
      ],
    });
    await terminal.waitFor(/press/);
    terminal.type(keys.interrupt);
    await terminal.waitFor(/key 03/);
    expect(await terminal.exit).toBe(0);
  });

  it('gives Ctrl-C to a command that is no shell: the container ends with 130', async () => {
    const terminal = openTerminal({ args: ['--no-console-log', 'sh', '-c', 'echo runs; exec sleep 300'] });
    await terminal.waitFor(/runs/);
    await untilRuns(terminal, 'sleep');
    terminal.type(keys.interrupt);
    expect(await terminal.exit).toBe(130);
    expect(terminal.screen()).not.toContain('Ctrl-C ... killing chaperone.');
  });

  it('gives Ctrl-C to a command that handles it, and not to chaperone', async () => {
    const terminal = openTerminal({ args: ['$(FIXTURES)/obey', 'INT', 'no more', '7'] });
    await terminal.waitFor(/obeying INT/);
    terminal.type(keys.interrupt);
    expect(await terminal.exit).toBe(7);
    expect(terminal.screen()).toContain('no more');
    expect(terminal.screen()).not.toContain('Ctrl-C ... killing chaperone.');
  });

  it('gives Ctrl-C to chaperone where there is no command', async () => {
    for (const session of ['leader', 'member'] as const) {
      const terminal = openTerminal({ ...only({ 'a.service': obey('a stops'), ...logAll }), session });
      await terminal.waitFor(/a\[\d+\]: obeying TERM/);
      terminal.type(keys.interrupt);
      expect(await terminal.exit).toBe(130);
      expect(terminal.screen()).toMatch(/Ctrl-C \.\.\. killing chaperone\./);
      expect(terminal.screen()).toMatch(/a\[\d+\]: a stops/);
    }
  });

  it('stays with chaperone where the command cannot be run', async () => {
    for (const [command, status] of [
      ['no-such-program', 127],
      ['/etc/passwd', 126],
    ] as const) {
      const terminal = openTerminal({
        ...only({ 'a.service': obey('a stops'), settings: { idle_delay: 0.05 }, ...logAll }),
        args: ['--no-exitkills', command],
      });
      await terminal.waitFor(/ready\.$/m);
      expect(jobControlOf(terminal.pid()).foreground).toBe(jobControlOf(terminal.pid()).group);
      terminal.type(keys.interrupt);
      expect([command, await terminal.exit]).toEqual([command, 130]);
      const other = openTerminal({ args: [command] });
      expect(await other.exit).toBe(status);
      expect(other.screen()).toContain('chaperone: cannot run the command: ');
    }
  });

  it('is not the stdin of services', async () => {
    const terminal = openTerminal({
      ...only({
        'a.service': { command: 'readlink /proc/self/fd/0', type: 'oneshot' },
        settings: { idle_delay: 0.05 },
      }),
      args: ['true'],
    });
    await terminal.waitFor(/a\[\d+\]: \/dev\/null/);
    expect(await terminal.exit).toBe(0);
  });

  it('is known to the configuration and to the command', async () => {
    const terminal = openTerminal({ args: ['--task', 'echo', 'interactive=$(_CHAP_INTERACTIVE)'] });
    await terminal.waitFor(/^interactive=1$/m);
    expect(await terminal.exit).toBe(0);
  });

  it('shows a task and nothing else', async () => {
    const terminal = openTerminal({ args: ['--task', 'sh', '-c', 'tty; exit 3'] });
    expect(await terminal.exit).toBe(3);
    expect(terminal.screen()).toMatch(/^\/dev\/\S+\n$/);
  });

  const warned = `{
    "a.service": { "command": "true", "after": "nowhere.service" },
    "a.service": { "command": "true", "after": "nowhere.service" },
    "own.logging": { "selector": "*.*", "stderr": true },
    "device.logging": { "selector": "*.*", "file": "/dev/stdout" },
  }`;

  it('shows a task and nothing else where there would be warnings and log lines', async () => {
    const terminal = openTerminal({ files: { 'x.conf': warned, 'y.yml': '' }, args: ['--task', 'echo', 'done'] });
    expect(await terminal.exit).toBe(0);
    expect(terminal.screen()).toBe('done\n');
  });

  it.each([
    [['--task', '/nowhere'], 127, /^chaperone: cannot run the command: .*\n$/],
    [
      ['--create-user', 'no:/nowhere', '--task', 'true'],
      1,
      /^chaperone: 1 mistake in the configuration, nothing was started\n/,
    ],
  ])('shows why a task cannot run: %j', async (args, status, text) => {
    const terminal = openTerminal({ files: { 'x.conf': '{}' }, args });
    expect(await terminal.exit).toBe(status);
    expect(terminal.screen()).toMatch(text);
  });

  it('lets a task make its lines end with a line feed alone, for a shell that reads them', async () => {
    const terminal = openTerminal({
      files: { 'x.conf': warned },
      args: ['--task', 'sh', '-c', 'stty -onlcr; echo one; echo two'],
    });
    expect(await terminal.exit).toBe(0);
    expect(terminal.raw()).toBe('one\ntwo\n');
  });

  it('that closes ends the shell, and so the container', async () => {
    const terminal = await openShell(only({ 'a.service': untilDie, settings: { idle_delay: 0.05 } }));
    const bash = await untilRuns(terminal, 'bash');
    terminal.hangUp();
    await terminal.exit;
    expect(() => process.kill(bash.pid, 0)).toThrow();
  });

  it('with tostop set leaves chaperone able to go on', async () => {
    const terminal = openTerminal({
      ...only({
        'a.service': {
          command:
            'sh -c "while ! test -e $(_CHAP_CONFIG_DIR)/speak; do sleep 0.02; done; echo spoken; exec sleep 300"',
          startup_pause: 0.05,
        },
        settings: { idle_delay: 0.05 },
        ...logAll,
      }),
      args: ['bash', '--norc', '-i'],
    });
    await terminal.waitFor(prompted);
    await terminal.run('stty tostop; echo set=$((20 + 1))', /set=21/);
    writeFileSync(terminal.path('speak'), '');
    await until('the service has spoken', () =>
      terminal.processes().filter(({ name }) => name === 'sleep').length === 1 ? true : undefined,
    );
    terminal.type('exit 4\r');
    expect(await terminal.exit).toBe(4);
  });
});

describe('the end of an interactive shell', () => {
  it.each(['SIGTERM', 'SIGQUIT', 'SIGINT'] as const)('comes by SIGHUP and in order after a %s', async (signal) => {
    const terminal = openTerminal({
      ...only({ 'a.service': obey('a stops'), settings: { idle_delay: 0.05 }, ...logAll }),
      args: ['bash', '--norc', '-i'],
    });
    await untilShown(terminal, [/a\[\d+\]: obeying TERM/, prompted, /chaperone version .* ready\./]);
    terminal.signal(signal);
    expect(await terminal.exit).toBe(signal === 'SIGINT' ? 130 : 129);
    await terminal.waitFor(/using SIGHUP to terminate CONSOLE/);
    await terminal.waitFor(/CONSOLE exit status for pid=\d+ is '<ProcStatus signal=1>'/);
    await terminal.waitFor(/a\[\d+\]: a stops/);
    await terminal.waitFor(/Final termination phase\./);
  });

  it('comes to its jobs too, in the foreground and in the background', async () => {
    const left = ['foreground', 'background'];
    const terminal = await openShell();
    const job = (name: string): string =>
      `sh -c "trap '' TERM; trap 'touch ${terminal.path(name)}; exit' HUP; echo set-$((1 + 1)); while :; do sleep 0.02; done"`;
    await terminal.run(`${job('background')} &`, /set-2\n/);
    await terminal.run(job('foreground'), /set-2\n/);
    terminal.signal('SIGTERM');
    expect(await terminal.exit).toBe(129);
    expect(left.filter((name) => !existsSync(terminal.path(name)))).toEqual([]);
  });

  it('ends the other services in order, with its status', async () => {
    const terminal = openTerminal({
      ...only({
        'bottom.service': obey('bottom stops'),
        'top.service': obey('top stops', { after: 'bottom.service' }),
        settings: { idle_delay: 0.05 },
        ...logAll,
      }),
      args: ['bash', '--norc', '-i'],
    });
    await untilShown(terminal, [/bottom\[\d+\]: obeying TERM/, /top\[\d+\]: obeying TERM/, prompted]);
    terminal.type('exit 9\r');
    expect(await terminal.exit).toBe(9);
    expect(terminal.screen()).toMatch(
      /top\[\d+\]: top stops[\s\S]*top\.service exit status[\s\S]*bottom\[\d+\]: bottom stops/,
    );
  });

  it('leaves the container running with --no-exitkills while a service runs', async () => {
    const terminal = await openShell({
      ...only({ 'a.service': untilDie, settings: { idle_delay: 0.05 } }),
      args: ['--no-exitkills'],
    });
    const bash = await untilRuns(terminal, 'bash');
    terminal.type('exit 3\r');
    await until('bash has ended', () => (terminal.processes().some(({ pid }) => pid === bash.pid) ? undefined : true));
    expect(terminal.processes().map(({ name }) => name)).toContain('die-when');
    writeFileSync(terminal.path('end'), '');
    expect(await terminal.exit).toBe(3);
  });

  it('gives the terminal back: with --no-exitkills, Ctrl-C then reaches chaperone', async () => {
    const terminal = await openShell({
      ...only({ 'a.service': obey('a stops'), settings: { idle_delay: 0.05 } }),
      args: ['--no-exitkills'],
    });
    const bash = await untilRuns(terminal, 'bash');
    terminal.type('exit\r');
    await until('bash has ended', () => (terminal.processes().some(({ pid }) => pid === bash.pid) ? undefined : true));
    const { group, foreground } = jobControlOf(terminal.pid());
    expect(foreground).toBe(group);
    terminal.type(keys.interrupt);
    expect(await terminal.exit).toBe(130);
  });
});
