/** Signal numbers that are the same on every Linux architecture this package builds for (x86-64 and aarch64), signal(7). */
const signalNumbers = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const;

type StandardSignal = keyof typeof signalNumbers;

/** The names of the signals that are not real-time signals. */
export const signalNames: readonly string[] = Object.keys(signalNumbers);

/** `SIGTERM`, or `SIGRTMIN+n` as glibc counts (SIGRTMIN is 34). */
export type SignalName = StandardSignal | `SIGRTMIN+${number}`;

/** glibc's SIGRTMIN: the kernel's 32 and 33 are taken by its threads. */
const firstRealTimeSignal = 34;
const lastSignal = 64;

const namesByNumber = new Map<number, StandardSignal>();
for (const [name, number] of Object.entries(signalNumbers)) {
  if (isStandardSignal(name)) namesByNumber.set(number, name);
}

function isStandardSignal(name: string): name is StandardSignal {
  return Object.hasOwn(signalNumbers, name);
}

/** The number of a signal, as kill(2) takes it. */
export function signalNumber(name: SignalName): number {
  if (isStandardSignal(name)) return signalNumbers[name];
  return firstRealTimeSignal + Number(name.slice('SIGRTMIN+'.length));
}

/** The name of a signal number, or undefined where no signal has it. */
export function signalName(number: number): SignalName | undefined {
  const standard = namesByNumber.get(number);
  if (standard !== undefined) return standard;
  if (Number.isInteger(number) && number >= firstRealTimeSignal && number <= lastSignal) {
    return `SIGRTMIN+${number - firstRealTimeSignal}`;
  }
  return undefined;
}

/** Reads a signal as users write it: `TERM`, `SIGTERM`, `sigterm`, `15`, `SIGRTMIN+3`. Undefined where it is none. */
export function parseSignal(text: string): SignalName | undefined {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return signalName(Number(trimmed));
  const upper = trimmed.toUpperCase();
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  if (isStandardSignal(name)) return name;
  const realTime = /^SIGRTMIN(?:\+(\d{1,2}))?$/.exec(name);
  return realTime === null ? undefined : signalName(firstRealTimeSignal + Number(realTime[1] ?? 0));
}

/** The signals to chaperone that end the system in order (reference, section 5.6). */
export const endingSignals: readonly SignalName[] = ['SIGTERM', 'SIGQUIT', 'SIGPWR', 'SIGINT', 'SIGRTMIN+3'];

/** Every standard signal's name, for "expected …" in error messages. */
export const standardSignals: readonly string[] = Object.keys(signalNumbers);
