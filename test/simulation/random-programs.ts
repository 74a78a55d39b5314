/** What the programs of random worlds do: type by type, well or badly. */
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { Random } from './random.ts';

const hang: Step = { do: 'hang' };

/** A program without a part to play: it runs for a while, or does not end. */
export function randomScript(random: Random): Script {
  const steps: Step[] = [{ do: 'print', text: 'hello\n' }];
  if (random.chance(0.1)) steps.push({ do: 'fork', script: { steps: [hang] }, detached: random.chance(0.5) });
  if (random.chance(0.8)) steps.push({ do: 'wait', ms: random.integer(0, 2_000) });
  return { steps: [...steps, randomEnd(random)], ...randomReaction(random) };
}

/**
 * A start that leaves a daemon behind, as a rule.
 *
 * @param pidfile absent: it writes none
 */
export function randomForkingScript(random: Random, pidfile?: string): Script {
  const late = random.chance(0.3);
  const write: Step[] =
    pidfile === undefined || random.chance(0.05)
      ? []
      : [
          // A daemon that makes its file first, and then finds out what is to stand in it.
          ...(random.chance(0.2) ? [writes(pidfile, random.pick(['', 'soon\n', '1\n', '999999\n']))] : []),
          { do: 'wait', ms: random.integer(0, late ? 8_000 : 100) },
          writes(pidfile, random.chance(0.65) ? '$$\n' : random.pick(['nobody\n', '1\n', '999999\n'])),
        ];
  const daemon: Script = {
    steps: [
      ...write,
      ...(random.chance(0.5) ? [{ do: 'fork', script: worker(random) } as const] : []),
      { do: 'wait', ms: random.integer(0, 10_000) },
      randomEnd(random),
    ],
    ...randomReaction(random),
  };
  return {
    steps: [
      { do: 'wait', ms: random.integer(0, 80) },
      ...(random.chance(0.9) ? [{ do: 'fork', script: daemon, detached: random.chance(0.8) } as const] : []),
      { do: 'wait', ms: random.integer(0, 80) },
      random.pick<Step>([...goodEnds, { do: 'exit', code: 1 }, hang]),
    ],
    ...randomReaction(random),
  };
}

/** @param watchdog ms within which it is to say that it is alive */
export function randomNotifyScript(random: Random, watchdog?: number): Script {
  const notify = (text: string): Step => ({ do: 'notify', text });
  const wait = (most: number): Step => ({ do: 'wait', ms: random.integer(0, most) });
  const ready: readonly Step[] = random.pick([
    [notify('READY=1')],
    [notify('READY=1\nSTATUS=at your service')],
    [notify('EXTEND_TIMEOUT_USEC=2000000'), wait(2_500), notify('READY=1')],
    [wait(6_000), notify('READY=1')],
    [],
  ]);
  const trouble: readonly Step[] = random.chance(0.75)
    ? []
    : [
        notify(
          random.pick(['ERRNO=5', 'BUSERROR=org.example.Error', 'WATCHDOG=trigger', 'STOPPING=1', 'MAINPID=999999']),
        ),
      ];
  const beats: readonly Step[] = Array.from({ length: watchdog === undefined ? 0 : random.integer(0, 8) }, () => [
    { do: 'wait', ms: Math.round((watchdog ?? 0) / 2) } as const,
    notify('WATCHDOG=1'),
  ]).flat();
  const news: readonly Step[] = random.chance(0.8)
    ? []
    : [
        notify('RELOADING=1'),
        wait(500),
        notify('READY=1'),
        notify('RESTART_RESET=1'),
        { do: 'notify', text: 'FDSTORE=1', descriptors: 1 },
        { do: 'notify', text: random.pick(['BARRIER=1', 'FDSTORE=1\nFDSTOREREMOVE=1\nFDNAME=stored']), descriptors: 1 },
      ];
  const reaction = randomReaction(random);
  const life: readonly Step[] = [
    ...(random.chance(0.3) ? trouble : []),
    ...ready,
    ...beats,
    ...news,
    ...trouble,
    wait(8_000),
    randomEnd(random),
  ];
  if (random.chance(0.75)) return { steps: [wait(500), ...life], ...reaction };
  // It becomes a daemon, and as a rule says so.
  const daemon: Script = {
    steps: [wait(400), ...(random.chance(0.8) ? [notify('MAINPID=$$')] : []), ...life],
    ...reaction,
  };
  return {
    steps: [
      wait(100),
      { do: 'fork', script: daemon, detached: random.chance(0.8) },
      wait(600),
      random.pick<Step>([...goodEnds, hang]),
    ],
    ...reaction,
  };
}

const goodEnds: readonly Step[] = Array.from({ length: 5 }, () => ({ do: 'exit', code: 0 }));

function writes(path: string, text: string): Step {
  return { do: 'write', path, text };
}

function worker(random: Random): Script {
  return { steps: [hang], ...randomReaction(random) };
}

function randomEnd(random: Random): Step {
  return random.pick<Step>([
    { do: 'exit', code: 0 },
    { do: 'exit', code: 0 },
    { do: 'exit', code: 1 },
    { do: 'die', signal: 'SIGSEGV' },
    hang,
    hang,
    hang,
  ]);
}

/** What it does when it is asked to end. */
export function randomReaction(random: Random): Pick<Script, 'onSignal'> {
  const reaction = random.pick<'ignore' | 'die' | readonly Step[]>([
    'die',
    'die',
    'ignore',
    [
      { do: 'wait', ms: random.integer(0, 3_000) },
      { do: 'exit', code: 0 },
    ],
  ]);
  return reaction === 'die'
    ? {}
    : { onSignal: { SIGTERM: reaction, SIGINT: reaction, SIGUSR1: reaction, SIGABRT: reaction } };
}
