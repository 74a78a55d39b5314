import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type Booted,
  type BootOptions,
  boot,
  config,
  expectOrder,
  fixtures,
  logAll,
  until,
  untilSaid,
} from './namespace.ts';

/** A command that ends with this status once the file `go` is there. */
const untilGo = (status: number): readonly string[] => ['$(FIXTURES)/die-when', '$(_CHAP_CONFIG_DIR)/go', `${status}`];

/** The line of `untilGo` once it runs. */
const runs = /^waiting for death$/;

function go(system: Booted): void {
  writeFileSync(system.path('go'), '');
}

const obey = (text: string, more: Readonly<Record<string, unknown>> = {}) => ({
  command: `$(FIXTURES)/obey TERM '${text}'`,
  startup_pause: 0.05,
  ...more,
});

/** s far beyond the time of any test. */
const never = 300;

/** Boots the command, alone or with these sections, and waits for the system's end. */
async function run(
  command: readonly string[],
  options: BootOptions = {},
): Promise<Booted & { readonly status: number }> {
  const system = boot({ ...options, args: [...(options.args ?? []), ...command] });
  return { ...system, status: await system.exit };
}

const only = (sections: Parameters<typeof config>[0]) => ({ files: { 'x.conf': config(sections) } });

/** A command that kills itself with SIGKILL. */
const suicide = ['sh', '-c', 'kill -KILL $$'];
const statuses: readonly (readonly [number, readonly string[]])[] = [
  [0, ['true']],
  [1, ['false']],
  [7, ['sh', '-c', 'exit 7']],
  [255, ['sh', '-c', 'exit 255']],
  [128 + 9, suicide],
  [128 + 15, ['sh', '-c', 'kill $$']],
];
const refusals: readonly (readonly [number, readonly string[], string])[] = [
  [126, ['/etc/passwd'], 'cannot execute /etc/passwd: it has mode 0644, and chmod +x makes it executable (EACCES)'],
  [127, ['no-such-program'], "executable 'no-such-program' not found"],
  [127, [''], "executable '' not found"],
  [
    127,
    ['/no/such/program', 'x'],
    'cannot execute /no/such/program: it, or the interpreter it names, does not exist (ENOENT)',
  ],
];

describe('the exit status', () => {
  it.each(statuses)('is %i, that of the command %j, with nothing on stderr', async (status, command) => {
    const system = await run(command);
    expect(system.status).toBe(status);
    expect(system.lines('stderr')).toEqual([]);
  });

  it.each(refusals)('is %i for %j, with one line that says why', async (status, command, why) => {
    const system = await run(command);
    expect(system.status).toBe(status);
    expect(system.lines('stderr')).toEqual([`chaperone: cannot run the command: ${why}`]);
  });

  it.each(statuses)('is %i, that of the task %j, with nothing on stdout and stderr', async (status, command) => {
    const system = await run(command, { args: ['--task'] });
    expect(system.status).toBe(status);
    expect(system.output).toEqual([]);
  });

  it.each(refusals)('is %i for the task %j, with one line that says why', async (status, command, why) => {
    const system = await run(command, { args: ['--task'] });
    expect(system.status).toBe(status);
    expect(system.output).toEqual([{ stream: 'stderr', text: `chaperone: cannot run the command: ${why}` }]);
  });

  it.each([
    [[]],
    [['--task']],
    [['--exitkills']],
  ])('is 126 for a directory, which is there (options %j)', async (args) => {
    const system = await run(['/etc'], { args });
    expect(system.status).toBe(126);
    expect(system.lines('stderr')).toHaveLength(1);
    expect(system.lines('stderr')[0]).toMatch(/^chaperone: cannot run the command: .*\/etc/);
    expect(system.lines('stderr')[0]).not.toContain('does not exist');
  });

  it('is 126 for a file in PATH that may not be executed', async () => {
    const PATH = `${fixtures}:/usr/bin:/bin`;
    const system = await run(['faulty-chaperone.ts'], { args: ['--task'], env: { PATH } });
    expect(system.status).toBe(126);
    expect(system.lines()).toHaveLength(1);
  });

  it.each([
    ['--exitkills'],
    ['--no-exitkills'],
    ['--task'],
  ])('is that of a command which ends long after its start (%s)', async (option) => {
    const system = boot({
      ...only({ settings: { startup_pause: 0.05 }, ...logAll }),
      args: [option, ...untilGo(42)],
    });
    await system.waitForLine(runs);
    if (option !== '--task') await system.waitForLine(/ready\.$/);
    go(system);
    expect(await system.exit).toBe(42);
    expect(system.lines('stderr')).toEqual([]);
  });

  it.each([
    ['--exitkills'],
    ['--no-exitkills'],
    ['--task'],
  ])('is 137 where the command was killed from outside (%s)', async (option) => {
    const system = boot({ args: [option, 'sh', '-c', `echo runs; exec sleep ${never}`] });
    await system.waitForLine(/^runs$/);
    const sleep = await until('sleep runs', () => system.processes().find(({ name }) => name === 'sleep'));
    process.kill(sleep.pid, 'SIGKILL');
    expect(await system.exit).toBe(137);
  });
});

describe('--task', () => {
  it('prints what the command prints, where it prints it, and nothing else', async () => {
    const system = await run(['sh', '-c', 'echo out; echo err >&2; printf unended'], {
      ...only({ 'a.service': { command: 'echo service', stdout: 'inherit' }, ...logAll }),
      args: ['--task'],
    });
    expect(system.status).toBe(0);
    expect(system.lines('stdout')).toEqual(['out', 'unended']);
    expect(system.lines('stderr')).toEqual(['err']);
  });

  it.each(['/dev/stdout', '/proc/self/fd/1'])('leaves stdout to the command where a log goes to %s', async (file) => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-stdout-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const printed = async (args: readonly string[]): Promise<string> => {
      const path = join(folder, 'out');
      const stdout = openSync(path, 'a');
      const sections = only({ 'device.logging': { selector: '*.debug', file } });
      const { status } = await run(['echo', 'done'], { ...sections, args, stdout });
      closeSync(stdout);
      const text = readFileSync(path, 'utf8');
      rmSync(path);
      return `${status} ${text}`;
    };
    expect(await printed(['--task'])).toBe('0 done\n');
    expect(await printed(['--no-console-log'])).toBe('0 done\n');
    expect(await printed([])).toContain("CONSOLE attempting start 'echo done'");
  });

  it('leaves stdout to the command where inspectors print, and where the configuration has warnings', async () => {
    const task = await run(['echo', 'done'], {
      ...only({ 'a.service': { command: 'true', after: 'nowhere.service' } }),
      args: ['--task', '--inspect'],
    });
    expect(task.lines('stdout')).toEqual(['done']);
    const errors = task.lines('stderr').join('\n');
    expect(errors).toContain('1 warning about the configuration');
    expect(errors).toMatch(/CONSOLE +pending → starting/);
  });

  it('passes a great deal of output on whole', async () => {
    const system = await run(['sh', '-c', 'seq 200000; exit 4'], { args: ['--task'] });
    expect(system.status).toBe(4);
    const lines = system.lines('stdout');
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([200_000, '1', '200000']);
  });

  it('leaves no service to start, though its program is missing', async () => {
    const system = await run(['echo', 'done'], {
      ...only({ 'a.service': { command: '/no/such/program' } }),
      args: ['--task'],
    });
    expect(system.status).toBe(0);
    expect(system.lines()).toEqual(['done']);
  });

  it('ends what the command has left behind', async () => {
    const system = await run(['sh', '-c', 'setsid sleep 300 & echo left; exit 5'], { args: ['--task'] });
    expect(system.status).toBe(5);
    expect(system.lines()).toEqual(['left']);
  });
});

describe('--exitkills', () => {
  const services = {
    settings: { idle_delay: 0.05 },
    'bottom.service': obey('bottom stops'),
    'top.service': obey('top stops', { after: 'bottom.service' }),
    ...logAll,
  };

  it.each([
    [0],
    [3],
    [128 + 9],
  ])('ends the services in order with the command, and with its status %i', async (status) => {
    const system = boot({ ...only(services), args: ['--exitkills', ...untilGo(status)] });
    await untilSaid(system, 'obeying TERM', ['bottom', 'top']);
    await system.waitForLine(runs);
    go(system);
    expect(await system.exit).toBe(status);
    expectOrder(system.lines('stdout'), [
      /CONSOLE terminated with exit_kills enabled/,
      /top\[\d+\]: top stops/,
      /top\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
      /bottom\[\d+\]: bottom stops/,
      /bottom\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
      /Final termination phase\./,
    ]);
    expect(system.lines('stderr')).toEqual([]);
  });

  it('ends the services where the command cannot be run', async () => {
    const system = boot({ ...only(services), args: ['--exitkills', 'no-such-program'] });
    expect(await system.exit).toBe(127);
    expect(system.lines('stderr')).toEqual([
      "chaperone: cannot run the command: executable 'no-such-program' not found",
    ]);
    expectOrder(system.lines('stdout'), [
      /top\.service exit status for pid=\d+ is/,
      /bottom\.service exit status for pid=\d+ is/,
    ]);
  });

  it('beats --no-exitkills', async () => {
    const system = boot({ ...only(services), args: ['--exitkills', '--no-exitkills', ...untilGo(3)] });
    await system.waitForLine(runs);
    go(system);
    expect(await system.exit).toBe(3);
  });
});

describe.each([[[]], [['--no-exitkills']]])('without --exitkills (options %j)', (args: readonly string[]) => {
  const files = {
    settings: { idle_delay: 0.05 },
    'a.service': { command: '$(FIXTURES)/die-when $(_CHAP_CONFIG_DIR)/end 0', startup_pause: 0.05 },
    ...logAll,
  };

  it.each([
    [0],
    [9],
  ])('the system stays while a service runs, then ends with the status of the command: %i', async (status) => {
    const system = boot({ ...only(files), args: [...args, ...untilGo(status)] });
    await system.waitForLine(runs);
    await system.waitForLine(/ready\.$/);
    go(system);
    await system.waitForLine(new RegExp(`CONSOLE exit status for pid=\\d+ is '<ProcStatus exit_status=${status}>'`));
    expect(system.processes().map(({ name }) => name)).toContain('die-when');
    writeFileSync(system.path('end'), '');
    expect(await system.exit).toBe(status);
    expectOrder(system.lines('stdout'), [
      /CONSOLE exit status for pid=/,
      /a\.service exit status for pid=/,
      /no child processes present/,
    ]);
    expect(system.lines('stdout').join('\n')).not.toContain('CONSOLE terminated with exit_kills');
  });

  it('the system stays for the command where the services have ended before', async () => {
    const system = boot({ ...only(files), args: [...args, ...untilGo(6)] });
    await system.waitForLine(runs);
    await system.waitForLine(/ready\.$/);
    writeFileSync(system.path('end'), '');
    await system.waitForLine(/a\.service exit status for pid=/);
    expect(system.processes().map(({ name }) => name)).toContain('die-when');
    go(system);
    expect(await system.exit).toBe(6);
  });

  it('a command that cannot be run leaves the services alone', async () => {
    const system = boot({ ...only(files), args: [...args, 'no-such-program'] });
    await system.waitForLine(/ready\.$/);
    expect(system.lines('stdout').join('\n')).toContain(
      "service CONSOLE ignoring failures. Exception: executable 'no-such-program' not found",
    );
    expect(system.processes().map(({ name }) => name)).toContain('die-when');
    writeFileSync(system.path('end'), '');
    expect(await system.exit).toBe(127);
    expect(system.lines('stderr')).toEqual([
      "chaperone: cannot run the command: executable 'no-such-program' not found",
    ]);
  });

  it('a SIGTERM after the end of the command ends the system with 0', async () => {
    const system = boot({ ...only(files), args: [...args, 'false'] });
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('--disable-services', () => {
  it('starts the command at once and nothing else', async () => {
    const system = await run(['sh', '-c', 'echo command; exit 3'], {
      ...only({
        settings: { idle_delay: never },
        'a.service': { command: 'echo service' },
        'b.service': { command: '/no/such/program', after: 'a.service' },
        'c.service': { command: 'echo idle', service_groups: 'IDLE', before: 'CONSOLE' },
        ...logAll,
      }),
      args: ['--disable-services'],
    });
    expect(system.status).toBe(3);
    expect(system.lines('stderr')).toEqual([]);
    const text = system.lines('stdout').join('\n');
    for (const name of ['a', 'b', 'c']) {
      expect(text).toContain(`service ${name}.service not enabled, will be skipped`);
      expect(text).not.toContain(`${name}.service attempting start`);
    }
    expect(system.lines('stdout')).toContain('command');
  });

  it('does not reap more: what the command leaves behind lives on after it', async () => {
    // If the command fails, processes that are still in its group are ended with it.
    const script = 'setsid sleep 300 & while [ "$(cat /proc/$!/comm)" != sleep ]; do :; done; exit 3';
    const system = boot({ args: ['--disable-services', 'sh', '-c', script], ...only(logAll) });
    await system.waitForLine(/CONSOLE exit status for pid=/);
    await system.waitForLine(/ready\.$/);
    const sleep = await until('sleep runs', () => system.processes().find(({ name }) => name === 'sleep'));
    process.kill(sleep.pid, 'SIGTERM');
    expect(await system.exit).toBe(3);
  });
});

describe('the start of the command', () => {
  it('comes idle_delay after everything else', async () => {
    const delay = 0.6;
    const system = await run(['cut', '-d', ' ', '-f1', '/proc/uptime'], {
      ...only({
        settings: { idle_delay: delay },
        'a.service': { command: '$(FIXTURES)/obey TERM x', startup_pause: 0.05 },
        'b.service': { command: 'cut -d " " -f1 /proc/uptime', type: 'oneshot', after: 'a.service', stdout: 'inherit' },
        ...logAll,
      }),
      args: ['--exitkills'],
    });
    expect(system.status).toBe(0);
    const [before, after] = system
      .lines('stdout')
      .filter((line) => /^\d+\.\d+$/.test(line))
      .map(Number);
    // /proc/uptime counts hundredths.
    expect((after ?? 0) - (before ?? 0)).toBeGreaterThanOrEqual(delay - 0.02);
    expectOrder(system.lines('stdout'), [
      /b\.service successfully started/,
      /service CONSOLE prerequisites satisfied/,
      /CONSOLE attempting start/,
    ]);
  });

  it.each<[string, Parameters<typeof config>[0]]>([
    ['there is nothing else', {}],
    ['everything else is disabled', { 'a.service': { command: 'x', enabled: false } }],
    ['everything else is idle', { 'a.service': { command: 'true', service_groups: 'IDLE' } }],
  ])('comes at once where %s', async (_, sections) => {
    const system = await run(['echo', 'here'], { ...only({ settings: { idle_delay: never }, ...sections }) });
    expect(system.status).toBe(0);
    expect(system.lines('stdout')).toContain('here');
  });

  it('waits for an idle service that says so', async () => {
    const system = await run(['cat', '$(_CHAP_CONFIG_DIR)/made'], {
      ...only({
        'a.service': {
          command: 'sh -c "echo made-before > $(_CHAP_CONFIG_DIR)/made"',
          type: 'oneshot',
          service_groups: 'IDLE',
          before: 'CONSOLE',
        },
      }),
    });
    expect(system.status).toBe(0);
    expect(system.lines('stdout')).toContain('made-before');
  });

  it('does not come where a service fails', async () => {
    const system = await run(['echo', 'here'], { ...only({ 'a.service': { command: 'false', type: 'oneshot' } }) });
    expect(system.status).toBe(1);
    expect(system.lines('stdout')).not.toContain('here');
    expect(system.lines('stderr').join('\n')).toMatch(/waiting +CONSOLE never started/);
  });

  it('takes its words one by one', async () => {
    const system = await run(['printf', '<%s>\n', '$(TEXT)', 'b  c', '', '$(TEXT:_none)', `$(date)`], {
      args: ['--task'],
      env: { TEXT: 'a b' },
    });
    expect(system.lines('stdout')).toEqual(['<a b>', '<b  c>', '<>', '<>', '<$(date)>']);
  });

  it('comes in a session and a group of its own, with default signals and the account of the settings', async () => {
    const script = 'test "$(ps -o sid= $$)" -eq $$ && test "$(ps -o pgid= $$)" -eq $$ && grep ^SigIgn /proc/$$/status';
    const system = await run(['sh', '-c', script], { args: ['--task'] });
    expect([system.status, system.lines()]).toEqual([0, ['SigIgn:\t0000000000000000']]);
  });
});

describe('stdin', () => {
  it.each([[[]], [['--task']], [['--exitkills']]])('is passed to the command (options %j)', async (args) => {
    const system = await run(['cat'], { args, program: join(fixtures, 'hello-on-stdin') });
    expect(system.status).toBe(0);
    expect(system.lines('stdout').filter((line) => !/chaperone\[1\]/.test(line))).toEqual(['hello', 'world']);
  });

  it('is the null device for services, and nothing of the command’s is lost to them', async () => {
    const system = await run(['cat'], {
      ...only({
        settings: { idle_delay: 0.05 },
        'where.service': { command: 'readlink /proc/self/fd/0', type: 'oneshot', stdout: 'inherit' },
        'eats.service': { command: 'wc -c', type: 'oneshot', stdout: 'inherit' },
      }),
      program: join(fixtures, 'hello-on-stdin'),
    });
    expect(system.status).toBe(0);
    const plain = system.lines('stdout').filter((line) => !/chaperone\[1\]/.test(line));
    expect([...plain].sort()).toEqual(['/dev/null', '0', 'hello', 'world']);
  });
});

describe('a signal to chaperone while the command runs', () => {
  it.each([
    ['SIGTERM', 5],
    ['SIGQUIT', 5],
    ['SIGINT', 130],
  ] as const)('%s ends it by SIGTERM, and the system with %i', async (signal, status) => {
    for (const args of [[], ['--exitkills']]) {
      const system = boot({
        ...only({ 'a.service': obey('a stops'), settings: { idle_delay: 0.05 }, ...logAll }),
        args: [...args, '$(FIXTURES)/obey', 'TERM', 'the command stops', '5'],
      });
      await untilSaid(system, 'obeying TERM', ['a']);
      await system.waitForLine(/^obeying TERM$/);
      system.signal(signal);
      expect(await system.exit).toBe(status);
      expectOrder(system.lines('stdout'), [/^the command stops$/, /a\[\d+\]: a stops/, /Final termination phase\./]);
    }
  });

  it('SIGTERM ends a task, and the system with its status', async () => {
    const system = boot({ args: ['--task', 'sh', '-c', 'echo runs; exec sleep 300'] });
    await system.waitForLine(/^runs$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(143);
    expect(system.lines()).toEqual(['runs']);
  });

  it('SIGTERM reaches the whole process group of the command', async () => {
    const inner = "$(FIXTURES)/obey TERM 'inner stops' & $(FIXTURES)/obey TERM 'outer stops'; wait";
    const system = boot({ args: ['--no-console-log', 'sh', '-c', inner] });
    await until('both obey', () =>
      system.lines().filter((line) => line === 'obeying TERM').length === 2 ? true : undefined,
    );
    system.signal('SIGTERM');
    expect(await system.exit).toBe(143);
    // The last round of signals reaches slow processes a second time.
    expect([...new Set(system.lines('stdout'))].sort()).toEqual(['inner stops', 'obeying TERM', 'outer stops']);
  });

  it('SIGTERM is followed by SIGKILL where the command does not listen', async () => {
    const system = boot({
      ...only({ settings: { shutdown_timeout: 1 }, ...logAll }),
      args: ['--exitkills', '$(FIXTURES)/stubborn'],
    });
    await system.waitForLine(/^stubborn$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(137);
    expectOrder(system.lines('stdout'), [/CONSOLE exit status for pid=\d+ is '<ProcStatus signal=9>'/]);
  });
});

describe('the command line', () => {
  it.each([
    [['--help'], 0, /^usage: chaperone \[options\]/],
    [['--version'], 0, /^This is 'chaperone' version \d+\.\d+\.\d+$/],
  ] as const)('%j is answered on stdout', async (args, status, first) => {
    const system = await run(args);
    expect(system.status).toBe(status);
    expect(system.lines('stdout')[0]).toMatch(first);
    expect(system.lines('stderr')).toEqual([]);
  });

  it.each([
    [['--frobnicate', 'ls'], 'unknown option "--frobnicate"'],
    [['--task'], '--task needs a command to run'],
    [['--disable-services'], '--disable-services needs a command to run'],
  ])('%j is a mistake: status 2, and nothing is started', async (args, message) => {
    const system = await run(args);
    expect(system.status).toBe(2);
    expect(system.lines('stdout')).toEqual([]);
    expect(system.lines('stderr')).toEqual([`chaperone: ${message}`, 'try "chaperone --help"']);
  });

  it('without services and without a command says so', async () => {
    const system = await run([]);
    expect(system.status).toBe(1);
    expect(system.lines('stdout')).toEqual([]);
    expect(system.lines('stderr')[0]).toMatch(/There are no services configured to run, nor is there a command/);
  });

  it('hands what follows the command to the command', async () => {
    const system = await run(['echo', '--task', '--', '--help'], { args: ['--no-console-log', '--'] });
    expect([system.status, system.lines()]).toEqual([0, ['--task -- --help']]);
  });
});
