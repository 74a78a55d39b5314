/** The body, which is PID 1, and the brain, its child: what each does when the other one cannot. */

import { mkdtempSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import {
  type Booted,
  boot,
  config,
  descendantsOf,
  expectOrder,
  isBrain,
  logAll,
  type ProcessState,
  until,
  untilSaid,
} from './namespace.ts';

const obey = (text: string) => ({ command: `$(FIXTURES)/obey TERM '${text}'` });

/** The process of Node that the body has started. */
function brainOf(system: Booted): ProcessState | undefined {
  return descendantsOf(system.pid()).find((each) => isBrain(each, system.pid()));
}

function untilBrain(system: Booted): Promise<ProcessState> {
  return until('the brain runs', () => brainOf(system));
}

/** Resolves once the body has blocked all signals, which is the first that it does. */
async function untilBlocked(system: Booted): Promise<void> {
  await until('the body runs', () => {
    try {
      return /^SigBlk:\s+ffffffff/m.test(readFileSync(`/proc/${system.pid()}/status`, 'latin1')) ? true : undefined;
    } catch {
      return undefined;
    }
  });
}

const twoServices = {
  'x.conf': config({ 'one.service': obey('one stops'), 'two.service': obey('two stops'), ...logAll }),
};

/** A command line as ps(1) shows it. */
function commandLine(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').slice(0, -1);
}

describe('a stop signal during the start', () => {
  // Each is sent at another instant: after so many turns of this program's loop.
  const instants = Array.from({ length: 30 }, (_, index) => index * 18);

  it.each(instants)('is obeyed after %d ms', async (delay) => {
    const system = boot({ files: twoServices });
    await untilBlocked(system);
    await new Promise((resolve) => setTimeout(resolve, delay));
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    // Who had been started was asked to end, and was waited for.
    const lines = system.lines();
    for (const name of ['one', 'two']) {
      const obeys = lines.some((line) => line.includes(`${name}[`) && line.includes('obeying TERM'));
      if (!obeys) continue;
      expectOrder(lines, [/Request made to kill system\./, new RegExp(`${name} stops`)]);
      expect(lines.some((line) => line.includes('SIGKILL') && line.includes(`${name}.service`))).toBe(false);
    }
  });

  it('ends with 130 for SIGINT before anything was started', async () => {
    const system = boot({ files: twoServices });
    await untilBlocked(system);
    system.signal('SIGINT');
    expect(await system.exit).toBe(130);
    expect(system.lines()).toEqual([]);
  });

  it('is obeyed at once while the brain does not even begin', async () => {
    const system = boot({ files: twoServices });
    await untilBlocked(system);
    const brain = await until('the brain is a process', () => descendantsOf(system.pid())[0]);
    process.kill(brain.pid, 'SIGSTOP');
    expect(system.lines()).toEqual([]);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('a brain that is killed', () => {
  it('is told, the services are ended by their signal, and the exit status is 1', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'one.service': { ...obey('one stops'), stdout: 'inherit' },
          'two.service': { ...obey('two stops'), stdout: 'inherit' },
        }),
      },
    });
    await system.waitForLine(/obeying TERM/);
    await until('both obey', () =>
      system.lines().filter((line) => line.includes('obeying TERM')).length === 2 ? true : undefined,
    );
    const brain = await untilBrain(system);
    process.kill(brain.pid, 'SIGKILL');
    expect(await system.exit).toBe(1);
    expectOrder(system.lines(), [/two stops|one stops/, /two stops|one stops/]);
    expect(system.lines('stderr').join('\n')).toMatch(
      /^\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ chaperone\[1\]: .*brain.* was killed by SIGKILL, perhaps because memory ran out; ending the services$/m,
    );
  });

  it('is followed by SIGKILL for a service that ignores SIGTERM', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: 1 },
          'deaf.service': { command: '$(FIXTURES)/stubborn', stdout: 'inherit' },
        }),
      },
    });
    await system.waitForLine(/stubborn/);
    const brain = await untilBrain(system);
    process.kill(brain.pid, 'SIGKILL');
    expect(await system.exit).toBe(1);
  });

  it('is told with its last words where it dies by itself', async () => {
    const system = boot({ files: twoServices });
    await untilSaid(system, 'obeying TERM', ['one', 'two']);
    const brain = await untilBrain(system);
    // Node writes this to its stderr, and nobody can catch it: the listeners of the brain are for other signals.
    process.kill(brain.pid, 'SIGABRT');
    expect(await system.exit).toBe(1);
    expect(system.lines('stderr').join('\n')).toMatch(/brain.* was killed by SIGABRT; ending the services/);
  });
});

describe('a brain that is stopped', () => {
  it('is passed over two seconds after a second signal', async () => {
    const system = boot({
      files: { 'x.conf': config({ 'one.service': { ...obey('one stops'), stdout: 'inherit' } }) },
    });
    await system.waitForLine(/obeying TERM/);
    const brain = await untilBrain(system);
    process.kill(brain.pid, 'SIGSTOP');
    system.signal('SIGTERM');
    await until('the body has taken the signal', () => (isPending(system.pid(), 15) ? undefined : true));
    system.signal('SIGTERM');
    expect(await system.exit).toBe(1);
    expect(system.lines()).toContainEqual(expect.stringMatching(/one stops/));
    expect(system.lines('stderr').join('\n')).toMatch(/does not answer after a second signal/);
  });

  it('still finds the signals and exits of that time when it goes on', async () => {
    const system = boot({ files: twoServices });
    await untilSaid(system, 'obeying TERM', ['one', 'two']);
    const brain = await untilBrain(system);
    process.kill(brain.pid, 'SIGSTOP');
    const one = await until('a service runs', () =>
      system.processes().find(({ parent, pid }) => parent === system.pid() && pid !== brain.pid),
    );
    process.kill(one.pid, 'SIGKILL');
    await until('the body has reaped it', () =>
      system.processes().some(({ pid }) => pid === one.pid) ? undefined : true,
    );
    system.signal('SIGTERM');
    process.kill(brain.pid, 'SIGCONT');
    expect(await system.exit).toBe(0);
    expect(system.lines()).toContainEqual(expect.stringContaining(`pid=${one.innerPid} is '<ProcStatus signal=9>'`));
    expect(system.lines()).toContainEqual(expect.stringContaining('Request made to kill system.'));
  });
});

describe('signals that are sent to everybody', () => {
  it('do not end the brain', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'all.service': {
            type: 'oneshot',
            command: "sh -c 'for s in TERM INT HUP QUIT USR1 USR2; do kill -$s -1; done; true'",
            ignore_failures: true,
          },
          'one.service': { ...obey('one stops'), after: 'all.service' },
          ...logAll,
        }),
      },
    });
    await untilSaid(system, 'obeying TERM', ['one']);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('what people look at in /proc/1', () => {
  it('is as the container was started', async () => {
    const system = boot({
      files: twoServices,
      args: ['--ignore'],
      env: { NODE_OPTIONS: '--no-such-option', LD_PRELOAD: '', MARK: 'of the user' },
    });
    await untilSaid(system, 'obeying TERM', ['one', 'two']);
    const pid = system.pid();
    expect(readFileSync(`/proc/${pid}/comm`, 'latin1')).toBe('chaperone\n');
    expect(commandLine(pid)[0]).toMatch(/\/chaperone$/);
    expect(commandLine(pid)).toContain('--ignore');
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    expect(environment).toContain('NODE_OPTIONS=--no-such-option');
    expect(environment).toContain('MARK=of the user');
    expect(environment.filter((variable) => variable.startsWith('_CHAPERONE_'))).toEqual([]);
    for (const fd of [1, 2]) expect(readlinkSync(`/proc/${pid}/fd/${fd}`)).toMatch(/^(pipe|socket):/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('the environment', () => {
  it('reaches services byte for byte, also what Node and the loader act on', async () => {
    const env = {
      NODE_OPTIONS: '--no-such-option',
      LD_BIND_NOW: '1',
      MALLOC_ARENA_MAX: '1',
      OPENSSL_CONF: '/nowhere',
      SSL_CERT_FILE: '/nowhere',
      GCONV_PATH: '/nowhere',
      UV_THREADPOOL_SIZE: '1',
    };
    const system = boot({
      files: { 'x.conf': config({ 'one.service': { ...obey('one stops'), stdout: 'inherit' } }) },
      env,
      program: withRawVariable(),
    });
    await system.waitForLine(/obeying TERM/);
    const brain = await untilBrain(system);
    const service = system.processes().find(({ parent, pid }) => parent === system.pid() && pid !== brain.pid);
    const bytes = readFileSync(`/proc/${service?.pid}/environ`, 'latin1').split('\0');
    for (const [name, value] of Object.entries(env)) expect(bytes).toContain(`${name}=${value}`);
    expect(bytes).toContain('RAW=a\xffb\xc3');
    const ofBrain = readFileSync(`/proc/${brain.pid}/environ`, 'latin1').split('\0');
    for (const name of Object.keys(env))
      expect(ofBrain.filter((variable) => variable.startsWith(`${name}=`))).toEqual([]);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('where chaperone is not PID 1', () => {
  it('a dead body ends its services, each by its own signal', async () => {
    const system = boot({
      pid1: false,
      files: {
        'x.conf': config({
          'one.service': { command: "$(FIXTURES)/obey USR1 'one saves'", kill_signal: 'SIGUSR1', stdout: 'inherit' },
        }),
      },
    });
    await system.waitForLine(/obeying USR1/);
    await untilBrain(system);
    const left = system.processes();
    process.kill(system.pid(), 'SIGKILL');
    await system.waitForLine(/one saves/);
    await until('all have ended', () => (left.some(({ pid }) => isAlive(pid)) ? undefined : true));
    await system.waitForLine(/is dead; ending the services/);
  });
});

describe('the brain', () => {
  it('is no service: the system ends with its last service, and status names it', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'ask.service': {
            type: 'oneshot',
            command: `${realpathSync('dist')}/chaperonectl status`,
            stdout: 'inherit',
            service_groups: 'IDLE',
          },
        }),
      },
    });
    const [, pid] = await system.waitForLine(/^brain pid (\d+)$/);
    expect(Number(pid)).toBeGreaterThan(1);
    expect(await system.exit).toBe(0);
  });
});

/** A script that starts chaperone with a variable that is not UTF-8. */
function withRawVariable(): string {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-raw-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const script = join(directory, 'chaperone');
  const program = inDist('chaperone');
  writeFileSync(script, `#!/bin/sh\nRAW=$(printf 'a\\377b\\303') exec ${program} "$@"\n`, { mode: 0o755 });
  return script;
}

/** True while a signal waits for a process that has blocked it. */
function isPending(pid: number, signal: number): boolean {
  const mask = /^ShdPnd:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}
