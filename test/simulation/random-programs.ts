/** The programs of random worlds, by type, with and without faults. */
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { Random } from './random.ts';

const hang: Step = { do: 'hang' };

/** A program without a special role: it runs for a while, or does not end. */
export function randomScript(random: Random): Script {
  const steps: Step[] = [{ do: 'print', text: 'hello\n' }];
  if (random.chance(0.1)) steps.push({ do: 'fork', script: { steps: [hang] }, detached: random.chance(0.5) });
  if (random.chance(0.8)) steps.push({ do: 'wait', ms: random.integer(0, 2_000) });
  return { steps: [...steps, randomEnd(random)], ...randomReaction(random) };
}

/** A hook: most end soon and well. */
export function randomHookScript(random: Random): Script {
  const work: Step = { do: 'wait', ms: random.pick([0, 0, 20, 100, 400]) };
  const steps: Step[] = random.chance(0.08)
    ? [{ do: 'fork', script: { steps: [hang], ...randomReaction(random) }, detached: random.chance(0.5) }, work]
    : [work];
  if (random.chance(0.05)) return { steps: [...steps, hang], ...randomReaction(random) };
  if (random.chance(0.1)) return { steps: [...steps, { do: 'exit', code: 3 }], ...randomReaction(random) };
  return { steps, ...randomReaction(random) };
}

/**
 * A leader with children in its own group, which may outlive it: it dies by a signal, exits by itself, or exits when
 * told to.
 *
 * @param most ms until the leader's end, where it ends by itself
 */
export function randomLeaderScript(random: Random, most = 3_000): Script {
  const children = Array.from({ length: random.integer(1, 2) }, (): Step => ({ do: 'fork', script: child(random) }));
  const wait: Step = { do: 'wait', ms: random.integer(0, most) };
  switch (random.integer(0, 3)) {
    case 0:
      return { steps: [...children, wait, { do: 'die', signal: random.pick(['SIGSEGV', 'SIGKILL', 'SIGABRT']) }] };
    case 1:
      return { steps: [...children, wait, { do: 'exit', code: random.pick([0, 0, 0, 1]) }], ...randomReaction(random) };
    case 2:
      return { steps: [...children, hang], ...reactsWith(endsWith(0, random.pick([0, 0, 100, 1_500]))) };
    default:
      return { steps: [...children, wait, randomEnd(random)], ...randomReaction(random) };
  }
}

/** A program that ends around the end of startup_pause: before it, at the same moment, or after it. */
export function randomSettlingScript(random: Random, startupPause: number): Script {
  const ms = Math.max(0, startupPause + random.pick([-50, -1, 0, 1, 20, 300]));
  const ends: readonly Step[] = [
    { do: 'exit', code: 1 },
    { do: 'exit', code: 0 },
    { do: 'die', signal: 'SIGSEGV' },
  ];
  const children: readonly Step[] = random.chance(0.3) ? [{ do: 'fork', script: child(random) }] : [];
  return { steps: [...children, { do: 'wait', ms }, random.pick(ends)], ...randomReaction(random) };
}

/** A parent that stays and reaps the daemon that the pidfile names, maybe late. */
export function randomWrapperScript(random: Random, pidfile: string): Script {
  const daemon: Script = {
    steps: [
      { do: 'wait', ms: random.integer(0, 200) },
      writes(pidfile, '$$\n'),
      { do: 'wait', ms: random.integer(0, 6_000) },
      randomEnd(random),
    ],
    ...randomReaction(random),
  };
  return {
    steps: [
      { do: 'fork', script: daemon, detached: random.chance(0.5) },
      ...(random.chance(0.5) ? [{ do: 'wait', ms: random.integer(0, 9_000) } as const, randomEnd(random)] : [hang]),
    ],
    ...randomReaction(random),
    ...(random.chance(0.6) ? { reapsAfter: random.pick([10, 200, 1_000, 1_400, 5_000]) } : {}),
  };
}

/** The same program, with a child beside it. */
export function withChild(random: Random, script: Script): Script {
  return { ...script, steps: [{ do: 'fork', script: child(random) }, ...script.steps] };
}

/** A program that passes on what others write to it, and ends with them or before. */
export function relay(random: Random): Script {
  const steps: readonly Step[] = [{ do: 'relay', ms: random.pick([0, 0, 1, 30, 400]) }];
  if (random.chance(0.2)) return { steps: [...steps, hang], ...reactsWith('ignore') };
  return {
    steps: random.chance(0.8) ? steps : [...steps, hang],
    ...(random.chance(0.5) ? {} : randomReaction(random)),
  };
}

/** The same program, which writes numbered lines before each of its steps; sometimes more than a pipe holds. */
export function withLines(random: Random, name: string, script: Script): Script {
  let count = 0;
  const lines = (most: number): readonly Step[] =>
    Array.from({ length: random.integer(0, most) }, (): Step => {
      count += 1;
      return { do: 'print', text: `${name} ${count}${random.chance(0.1) ? ' '.padEnd(3_000, 'x') : ''}\n` };
    });
  const steps = script.steps.flatMap((step): readonly Step[] => [...lines(random.chance(0.1) ? 60 : 4), step]);
  return { ...script, steps };
}

/** A process that a leader leaves in its group: it may ignore the kill signal, hang, or end later. */
function child(random: Random): Script {
  const steps: readonly Step[] = random.chance(0.6)
    ? [hang]
    : [
        { do: 'wait', ms: random.integer(0, 6_000) },
        { do: 'exit', code: random.pick([0, 1]) },
      ];
  if (random.chance(0.4)) return { steps, ...reactsWith('ignore') };
  return random.chance(0.7) ? { steps } : { steps, ...reactsWith(endsWith(0, random.integer(0, 3_000))) };
}

/**
 * A start that usually leaves a daemon behind.
 *
 * @param pidfile the file that the start writes; absent: none
 */
export function randomForkingScript(random: Random, pidfile?: string): Script {
  const late = random.chance(0.3);
  const write: Step[] =
    pidfile === undefined || random.chance(0.05)
      ? []
      : [
          // This daemon creates its file first, and writes its pid into it later.
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

/** @param watchdog ms within which the program has to send WATCHDOG=1 */
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
  // The program becomes a daemon, and usually says so.
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

/** The program's reaction to the kill signal. */
export function randomReaction(random: Random): Pick<Script, 'onSignal'> {
  const reaction = random.pick<'ignore' | 'die' | readonly Step[]>([
    'die',
    'die',
    'ignore',
    endsWith(0, random.integer(1, 3_000)),
  ]);
  return reaction === 'die' ? {} : reactsWith(reaction);
}

function reactsWith(reaction: 'ignore' | readonly Step[]): Pick<Script, 'onSignal'> {
  return { onSignal: { SIGTERM: reaction, SIGINT: reaction, SIGUSR1: reaction, SIGABRT: reaction } };
}

function endsWith(code: number, ms: number): readonly Step[] {
  return ms === 0
    ? [{ do: 'exit', code }]
    : [
        { do: 'wait', ms },
        { do: 'exit', code },
      ];
}
