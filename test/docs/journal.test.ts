import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readWords } from '../../src/cli/chaperonectl/read-words.ts';
import { run } from '../../src/cli/chaperonectl/replay.ts';
import { verbsOf } from '../../src/cli/chaperonectl/verbs.ts';
import type { ShownFact } from '../../src/facts/fact.ts';
import { type Entry, entryVersion } from '../../src/inspect/entry.ts';
import { renderEntry } from '../../src/inspect/journal-writer.ts';
import type { ServiceType } from '../../src/model/service/service-spec.ts';
import { recorded } from '../inspect/recorded.ts';
import { Random } from '../simulation/random.ts';
import { randomForkingScript, randomNotifyScript, randomScript } from '../simulation/random-programs.ts';
import { simpleService, systemOf } from '../simulation/world.ts';

const serviceTypes: readonly ServiceType[] = ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'];
const root = new URL('../../', import.meta.url);
const page = new URL('docs/reference/journal.md', root);
const guide = new URL('docs/guide/inspect.md', root);

interface Field {
  readonly name: string;
  readonly optional: boolean;
  readonly type: string;
  readonly text: string;
}

interface Shape {
  readonly name: string;
  readonly text: string;
  readonly fields: readonly Field[];
}

/** The interfaces of a module as they are written down in it, with their comments. */
function shapesOf(source: string): readonly Shape[] {
  const shapes = source.matchAll(
    /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?(?:export )?interface (\w+)(?: extends \w+)? \{\n([\s\S]*?)\n\}/g,
  );
  return [...shapes].map(([, text = '', name = '', body = '']) => ({
    name,
    text: prose(text),
    fields: fieldsOf(body),
  }));
}

function fieldsOf(body: string): readonly Field[] {
  const fields = body.matchAll(/(?: {2}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)? {2}readonly (\w+)(\??): ([^\n]*);/g);
  return [...fields].map(([, text = '', name = '', mark, type = '']) => ({
    name,
    optional: mark === '?',
    type,
    text: prose(text),
  }));
}

function prose(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    .join(' ')
    .trim();
}

const configured = shapesOf(readFileSync(new URL('src/facts/transitions.ts', root), 'utf8')).find(
  ({ name }) => name === 'ConfiguredService',
);
const shapes = shapesOf(readFileSync(new URL('src/inspect/entry.ts', root), 'utf8')).map((found) =>
  found.name === 'ServiceEntry' ? { ...found, fields: [...(configured?.fields ?? []), ...found.fields] } : found,
);

/** What TypeScript calls a type, in words of JSON. */
const typeNames: Readonly<Record<string, string>> = {
  'readonly string[]': 'array of strings',
  'readonly ServiceEntry[]': 'array of services (below)',
  'readonly Entry[]': 'array of entries',
  'readonly Taken[]': 'array of `{"from":STATE,"to":STATE}`',
  'JsonObject & { readonly type: string }': 'object with a `type` (below)',
  JsonObject: 'object (below)',
  Json: 'any',
  SnapshotView: 'snapshot (below)',
  ServiceType: 'string',
  SignalName: 'string',
  Severity: 'string',
  Facility: 'string',
  ShownFact: 'a fact (below)',
  'typeof entryVersion': `\`${entryVersion}\``,
  'Readonly<Record<string, string>>': 'object of strings',
  '{ readonly limit?: number; readonly delay: number; readonly always?: true }':
    '`{"limit":N,"delay":N,"always":true}`; `limit` and `always` only where there are such',
};

function typeOf(type: string): string {
  if (/^'[^']*'( \| '[^']*')*$/.test(type)) return type.replaceAll("'", '`').replaceAll(' | ', ', ');
  return typeNames[type] ?? type;
}

function table({ fields }: Shape): readonly string[] {
  const rows = fields
    .filter(({ name }) => name !== 'type' || fields === shape('ServiceEntry').fields)
    .map(({ name, optional, type, text }) => {
      const cells = [`\`${name}\`${optional ? '?' : ''}`, typeOf(type), text];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
    });
  return rows.length === 0 ? [] : ['| field | | |', '|---|---|---|', ...rows, ''];
}

function shape(name: string): Shape {
  const found = shapes.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`src/inspect/entry.ts has no ${name}`);
  return found;
}

/** The entries, in the order in which they stand there. */
const entryShapes = shapes.flatMap((candidate) => {
  const type = candidate.fields.find(({ name }) => name === 'type')?.type;
  return candidate.name.endsWith('Entry') && type?.startsWith("'@") ? [{ ...candidate, type: type.slice(1, -1) }] : [];
});

/** What each fact is, and what it holds beside what every fact has. */
const facts: Readonly<Record<ShownFact['type'], readonly [text: string, fields: Readonly<Record<string, string>>]>> = {
  moved: [
    'A chart has come to another state.',
    {
      actor: 'the full name of a service, or `system`',
      from: 'the state that it came from: `starting.settling`; `─` where it has only begun',
      to: 'the state that it came to',
      event: 'the event that led there (below)',
      context: 'what of its context may be shown: as in the snapshots of its machine (below)',
    },
  ],
  notified: [
    'A service has said something on its notify socket, other than that it is alive.',
    { service: 'its full name', message: 'what it has said: as in the event `notify.received`' },
  ],
  probed: [
    'A probe of a service has come to another result, or has failed again and has not yet made the service unhealthy.',
    {
      service: 'its full name',
      purpose: '`ready` or `healthy`',
      probe: 'its name, without arguments, queries and headers',
      passed: 'whether it has passed',
      reason: 'what it was told: `503 in 12 ms`; never the output of a command',
      failures: 'failures in a row that count',
      retries: 'how many of them make the service unhealthy; 0 for `ready`',
    },
  ],
  'run.began': ['A process was started for a service.', { service: 'its full name', pid: 'of the process' }],
  'run.ended': [
    'The leader of a run of a service has ended.',
    {
      service: 'its full name',
      pid: 'of the process',
      status: 'how it ended',
      normal: 'true where `success_exit` makes a normal end of it',
    },
  ],
  'orphan.reaped': [
    'A process has ended that no service had started.',
    { pid: 'of the process', status: 'how it ended' },
  ],
  'command.began': ['A command was started beside the services.', { pid: 'of the process' }],
  'command.ended': ['A command beside the services has ended.', { pid: 'of the process', status: 'how it ended' }],
  requested: [
    'Somebody has asked for something by a command.',
    {
      verb: '`start`, `stop`, `restart`, `reset`, `enable`, `disable`, `kill`, `run-now`, `reload` (of one service), `shutdown`',
      services: 'the full names of the services that it is asked for',
    },
  ],
  reloaded: ['Another configuration was put in force.', {}],
  signalled: ['Chaperone has got a signal.', { signal: 'its name' }],
};

const everyFact = {
  seq: 'its number among all facts since Chaperone began',
  at: 'ms since Chaperone began at which it was seen; this clock never goes back',
  by: 'the `seq` of the fact that it comes of, where one is known: for a start the readiness of the service that it had waited for, or the request for it; for the end of a service that of its process',
};

/** What stands in the context of a snapshot, by machine. */
const contexts: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  system: {
    services: 'how many services there are',
    layers: 'how many layers the dependency graph has',
    files: 'how many files the configuration was read from',
    idleDelay: '`idle_delay`, ms',
    shutdownTimeout: '`shutdown_timeout`, ms',
    end: 'why it ends',
    live: 'services that are still to be stopped',
    deadline:
      'ms since the boot, on the clock that stands still in a stall, at which the time for the shutdown is used up',
    stops:
      'once it has halted: `[{"service":NAME,"took":MS,"how":TEXT,"killed":true}]`, the slowest stops and those in which somebody was killed; `killed` only there',
  },
  service: {
    service: 'its name, with suffix',
    serial: 'how many runs it has had; that of the last one',
    pid: 'of the process that is the leader of its run, while that lives',
    followed: '`true`: that process was not started by Chaperone, but named by a pidfile or MAINPID',
    restarts: 'tries that count; only where some end is followed by another try',
    restartLimit: '`restart_limit`; absent where there is none',
    pause: 'ms until the next try, from the beginning of the pause',
    noTry: 'why no other try follows: `restart_prevent: 78`',
    waitedFor: 'the service, with suffix, that let it go in the end',
    cause: 'why it has failed, or will have once nothing of its run is left',
    endSignal: 'the signal that has asked its process to end, where that is not its kill signal: SIGABRT of a watchdog',
    note: 'what it says of itself (`STATUS=`)',
    lastExit: 'how the leader of its last run ended',
    deadline:
      'ms since the boot, on the clock that stands still in a stall, at which its start has taken too long, or at which SIGKILL is due',
    health: '`healthy` or `unhealthy`: what its probes say; absent until they say something',
    announced: '`reloading` or `stopping`: what it has said of itself',
  },
  scheduled: {
    service: 'its name, with suffix',
    serial: 'how often it was started',
    begun: 'how many runs there were',
    running: 'how many of them live',
    nextRun: 'cron: Unix ms of the next run',
    waitedFor: 'the service, with suffix, that let it go in the end',
    cause: 'why its schedule or its port cannot be kept',
    restarts: 'tries to open its port; only with `restart_on_start_failure`',
    restartLimit: '`restart_limit`; absent where there is none',
    pause: 'ms until the next try, from the beginning of the pause',
    noTry: 'why no other try follows',
    note: 'its schedule, or its port',
    lastExit: 'how its last run ended',
  },
  unit: {
    service: 'the service, with suffix',
    serial: 'the serial of the run',
    program: 'what is run, without arguments',
    client: 'inetd: the address of the client',
    clientPort: 'inetd: its port',
    pid: 'of its leader: the process that was started, or the one that was named since',
    signalled:
      '`{"signal":NAME,"outcome":OUTCOME}`: the last signal to it, and whether it was `sent`, `vanished` or `denied`',
  },
  readiness: {
    service: 'the service, with suffix',
    serial: 'the serial of the run',
    deadline: 'ms since the boot, on the clock that stands still in a stall, at which the start has taken too long',
    trouble: 'what is wrong with the pidfile',
  },
  health: { service: 'the service, with suffix', serial: 'the serial of the run' },
  probe: {
    service: 'the service, with suffix',
    serial: 'the serial of the run',
    purpose: '`ready` or `healthy`',
    probe: 'its name, without arguments, queries and headers',
    standing: '`open`, `passed` or `failed`',
    retries: 'how many failures in a row make the service unhealthy',
    failures: 'failures in a row that count',
    last: 'what it was told last',
  },
};

/** What stands in events besides their type. Of events of XState's own there is only the type. */
const eventFields: Readonly<Record<string, string>> = {
  age: 'ms from the spawn to the end of the process',
  cause: 'why a schedule or a port cannot be kept, or a start has failed',
  client: 'inetd: the address of a client',
  clientPort: 'inetd: its port',
  again: '`services.stop`: and start them again',
  answer: '`service.unhealthy`: `restart`, `log` or `shutdown`',
  askedBy: '`service.start`: `hand` where a command has asked for it, `reload` where a reload brings it',
  deadline: '`readiness.extended`: ms since the boot, on that clock, at which the start has taken too long',
  disable: '`services.stop`: and disable them',
  drain: 'cron, inetd: what runs may finish',
  enable: '`services.start`: enable them first',
  end: 'why the system is to end',
  ended: 'how a process ended, in words',
  error: 'why a program could not be started',
  failures: '`probe.passed`, `probe.failed`: failures in a row that count',
  force: 'whatever state the services are in',
  forced: 'at once, without order',
  grace: 'ms after which what is left in spite of SIGKILL is said to survive',
  index: '`probe.passed`, `probe.failed`: the number of the probe in its tree, from 0',
  killAfter: 'ms until SIGKILL',
  left: 'how many processes of the run are left besides its leader',
  message: '`notify.received`: what was said, by keys such as `ready`, `status`, `mainPid`, `watchdogInterval` (ms)',
  names: 'services, with suffix',
  news: '`service.noticed`: of what kind',
  outcome: '`unit.signalled`: `sent`, `vanished` (nothing was there) or `denied`',
  passed: '`check.answered`: whether the probe has passed',
  phase: '`service.changed`: the state of its chart, with `starting` and `stopping` as a whole',
  pid: 'of the process',
  probe: '`health.failed`: the name of the probe',
  purpose: '`unit.send`: `stop`, or `hand` where somebody sends the signal by hand',
  reason: 'what a probe was told',
  serial: 'the run that it is about',
  service: 'with suffix',
  signal: 'its name',
  status:
    'how a process ended: `{"kind":"exited","code":N}`, `{"kind":"signaled","signal":NAME,"coreDumped":BOOLEAN}`, or `{"kind":"unknown"}` where nobody could tell',
  trouble: 'what is wrong with a pidfile',
  until: '`service.extended`: ms since the boot until which it asks for time to end',
  waitedFor: '`service.start`: the service, with suffix, that let it go',
  why: '`service.stop`: `hand`, `reload`, `gone` (a reload has taken it out), `disabled` or `shutdown`',
};

function dictionary(texts: Readonly<Record<string, string>>): readonly string[] {
  return ['| field | |', '|---|---|', ...Object.entries(texts).map(([name, text]) => `| \`${name}\` | ${text} |`), ''];
}

function journalPage(): string {
  return [
    `# The journal

Generated from [\`src/inspect/entry.ts\`](../../src/inspect/entry.ts) by \`npm run docs\`; do not edit. What it is good for:
[the guide](../guide/inspect.md#recording-boots).

\`--inspect=journal:FILE\`, or \`journal\` in [\`inspect\` of the settings](configuration.md#settings-inspect), records every boot in a
file: newline-delimited JSON in UTF-8, an entry a line, boot after boot. The same entries come from the control socket
(\`GET /v1/inspect\`).

- **Each boot begins** with a line that begins with \`{"type":"@chaperone.boot"\`, as no other line does. A boot that breaks off without
  \`@chaperone.end\` was killed, or still goes on; its last line may be cut off. The next boot begins on a line of its own.
- **Versions.** \`version\` in the first entry is raised when a reader of the last version would misread what is written. Within a version
  there may be more fields, and entries of more types: a reader skips those that it does not know. A boot of another version is listed
  (\`replay --list\`), and refused with its version and the chaperone that has written it.
- **Version 3** came with facts: what a chart comes to, and what is seen of processes, stands in \`@chaperone.fact\`. What was
  \`@chaperone.process\` before is a fact, too.
- **Version 2** came with machines of other names and shapes. \`process\` is \`unit\`, one run with its process group, and its events are
  \`unit.spawned\`, \`unit.leaderExited\` and so on. A cron or inetd service is one actor of the machine \`scheduled\`; in version 1
  it was one of \`service\` with a child. Who waits for a pidfile or READY=1 is \`readiness\`, a child of the service.
- **The bound** is \`max_size\`. When the file would grow beyond it, the oldest whole boots are taken out. A boot
  that alone fills the journal keeps its beginning and its newest part: what lies between is taken out in sections, each of which begins
  with a \`@chaperone.sum\`. \`chaperonectl\` takes from it what is still known of that time, and says from when to when entries are missing.
- **Access.** The file is made with mode 0600, and its directories where they are missing. It has to be a regular file that is empty or a
  journal already; a symbolic link is not followed. One that cannot be written to is said once, in the log, and this boot is not
  recorded. On a full disk entries wait (up to 1 MiB) until there is room; what is lost is counted. Two chaperones need two journals.
- **Secrets.** There is no environment in it and no command line, only programs' names, and of contexts and events only what is
  listed here. With \`records\` it holds what services log, too.
- **Durations.** \`durationsOf\` in [\`src/inspect/boot-report.ts\`](../../src/inspect/boot-report.ts) makes of the entries of a boot how
  long each service took from its start until it was ready; \`chaperonectl replay --summary --json\` prints it (\`took\`, ms).

Facts tell what has happened, also before somebody began to watch: then they come right behind the boot, and where some of them are
gone a \`@chaperone.lost\` says how many. Snapshots tell each step of each actor from then on. A snapshot tells the whole state of its
actor, so folding the entries up to any one rebuilds all states of that instant
([\`src/inspect/replica.ts\`](../../src/inspect/replica.ts)). A \`?\` marks what need not be there.

## Every entry has
`,
    ...table(shape('EntryBase')),
    '',
    ...entryShapes.flatMap((entry) => [`## \`${entry.type}\`\n`, entry.text, '', ...table(entry)]),
    '## A service\n',
    shape('ServiceEntry').text,
    '',
    ...table(shape('ServiceEntry')),
    '## A fact\n',
    'Facts are made once, where something happens; the terminal, `status --history`, the page and the summaries are made of them. Every fact has:\n',
    ...dictionary(everyFact),
    ...Object.entries(facts).flatMap(([type, [text, fields]]) => [
      `### \`${type}\`\n`,
      `${text}\n`,
      ...(Object.keys(fields).length === 0 ? [] : dictionary(fields)),
    ]),
    '## A snapshot\n',
    shape('SnapshotView').text,
    '',
    ...table(shape('SnapshotView')),
    ...Object.entries(contexts).flatMap(([machine, texts]) => [
      `### The context of \`${machine}\`\n`,
      ...dictionary(texts),
    ]),
    '## An event\n',
    'Events of chaperone are dotted (`service.start`), those of XState begin with `xstate.`. Besides `type` there may be:\n',
    ...dictionary(eventFields),
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()
    .concat('\n');
}

/** Entries of everything that there is: worlds of services of all types, in which much goes wrong. */
function manyEntries(): readonly Entry[] {
  return Array.from({ length: 12 }, (_, seed) => {
    const random = new Random(seed + 1);
    const services = serviceTypes.map((type, index) =>
      simpleService(`s${index}`, {
        type,
        restart: true,
        restartDelay: 100,
        ignoreFailures: true,
        prerequisites: index > 3 ? ['s0.service'] : [],
        ...(type === 'forking' ? { pidfile: '/run/s.pid' } : {}),
        ...(type === 'notify' ? { stdout: 's0.service' as const } : {}),
        ...(type === 'cron' ? { interval: '* * * * * *' } : {}),
        ...(type === 'inetd' ? { port: 8_000 } : {}),
      }),
    );
    return recorded(systemOf(services), {
      has: () => true,
      script: ([name]) => {
        const type = services.find((service) => service.name === `${name}.service`)?.type;
        if (type === 'forking') return randomForkingScript(random, '/run/s.pid');
        return type === 'notify' ? randomNotifyScript(random) : randomScript(random);
      },
      fault: () => (random.chance(0.1) ? { code: 'EAGAIN', stage: 'clone' } : undefined),
    });
  }).flat();
}

describe('docs/reference/journal.md', () => {
  it('says what the code does (else: npm run docs)', () => {
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(page, journalPage());
    expect(readFileSync(page, 'utf8')).toBe(journalPage());
  });

  it('has a word for every field', () => {
    expect(entryShapes.map(({ type }) => type)).toContain('@chaperone.lost');
    expect(entryShapes).toHaveLength(11);
    for (const name of ['EntryBase', 'ServiceEntry', 'SnapshotView'])
      expect(shape(name).fields.length).toBeGreaterThan(1);
  });

  it('names everything that entries hold', () => {
    const entries = manyEntries();
    const machines = new Map<string, string>();
    const unnamed = new Set<string>();
    const seen = new Set<string>();
    const check = (what: string, keys: Iterable<string>, known: Iterable<string>): void => {
      const names = new Set(known);
      for (const key of keys) {
        seen.add(`${what}: ${key}`);
        if (!names.has(key)) unnamed.add(`${what}: ${key}`);
      }
    };
    const fields = (name: string) => shape(name).fields.map((field) => field.name);
    for (const entry of entries) {
      const own = entryShapes.find(({ type }) => type === entry.type)?.fields.map(({ name }) => name) ?? [];
      check(entry.type, Object.keys(entry), [...fields('EntryBase'), ...own]);
      if (entry.type === '@chaperone.boot') {
        machines.clear();
        for (const service of entry.services) check('service', Object.keys(service), fields('ServiceEntry'));
      }
      if (entry.type === '@xstate.actor' && entry.machine !== undefined) machines.set(entry.sessionId, entry.machine);
      if ('snapshot' in entry) {
        check('snapshot', Object.keys(entry.snapshot), fields('SnapshotView'));
        const machine = machines.get(entry.sessionId) ?? '';
        check(`context of ${machine}`, Object.keys(entry.snapshot.context ?? {}), Object.keys(contexts[machine] ?? {}));
      }
      if (entry.type === '@chaperone.fact') {
        const { type, ...rest } = entry.fact;
        check(`fact ${type}`, Object.keys(rest), [...Object.keys(everyFact), ...Object.keys(facts[type][1])]);
      }
      if ('event' in entry) check('event', Object.keys(entry.event), ['type', ...Object.keys(eventFields)]);
    }
    expect([...unnamed]).toEqual([]);
    expect(seen.size).toBeGreaterThan(60);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'chaperone-guide-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Two boots: in the second one store takes longer, and worker is new and fails at first. */
function exampleJournal(): string {
  const services = (pause: number) => [
    simpleService('prepare', { type: 'oneshot' }),
    simpleService('store', { type: 'oneshot', prerequisites: ['prepare.service'] }),
    simpleService('web', { prerequisites: ['store.service'], startupPause: pause }),
  ];
  const worker = simpleService('worker', {
    prerequisites: ['prepare.service'],
    restart: true,
    restartDelay: 200,
    startupPause: 50,
  });
  const boots = [
    { digit: '7', takes: 140, list: services(500) },
    { digit: 'c', takes: 400, list: [...services(500), worker] },
  ];
  return boots
    .flatMap(({ digit, takes, list }, index) => {
      let failures = 1;
      const entries = recorded(systemOf(list), {
        has: () => true,
        script: ([name]) => {
          if (name === 'web') return { steps: [{ do: 'hang' }] };
          if (name === 'worker') {
            failures -= 1;
            return {
              steps:
                failures < 0
                  ? [{ do: 'hang' }]
                  : [
                      { do: 'wait', ms: 100 },
                      { do: 'exit', code: 1 },
                    ],
            };
          }
          return {
            steps: [
              { do: 'wait', ms: name === 'store' ? takes : 12 },
              { do: 'exit', code: 0 },
            ],
          };
        },
      });
      return (
        entries
          .filter(({ type }) => type !== '@chaperone.log')
          // A journal without records numbers what it holds.
          .map((entry, nth) => ({ ...entry, seq: nth + 1 }))
          .map((entry) =>
            entry.type === '@chaperone.boot'
              ? { ...entry, boot: digit.repeat(32), hostname: 'api-7f9c', epoch: entry.epoch + index * 3_600_000 }
              : entry,
          )
      );
    })
    .map(renderEntry)
    .join('');
}

/** What a line of the guide prints, and how it ends. */
async function outputOf(command: string): Promise<{ readonly output: string; readonly status: number }> {
  const words = command.split(' ').map((word) => (word.startsWith('boots') ? join(folder, word) : word));
  const verb = verbsOf('chaperonectl').find(({ name }) => name === 'replay');
  const reading = verb && readWords(verb, words);
  if (reading?.kind !== 'request') throw new Error(`"${command}" is no request`);
  let output = '';
  const status = await run(reading, {
    print: async (_, text) => {
      output += text;
    },
    colour: false,
    sleep: () => Promise.resolve(),
  });
  return { output: output.replaceAll(`${folder}/`, ''), status };
}

describe('docs/guide/inspect.md', () => {
  it('shows what its commands print (else: npm run docs)', async () => {
    writeFileSync(join(folder, 'boots'), exampleJournal());
    const text = readFileSync(guide, 'utf8');
    const commands = [...text.matchAll(/^\$ chaperonectl replay (.*)\n([\s\S]*?)^```$/gm)];
    expect(commands.length).toBeGreaterThan(3);
    let updated = text;
    for (const [whole, command = '', shown = ''] of commands) {
      const { output, status } = await outputOf(command);
      expect(status).toBe(command.includes('--diff') ? 1 : 0);
      // Of entries there are as many as the machines have steps.
      const stable = output.replace(/entry \d+/g, 'entry 57').replace(/^(\d +\S+ +\S+ +\d+ +)\d+( +)/gm, '$1212$2');
      const fresh = `$ chaperonectl replay ${command}\n${stable}\`\`\``;
      if (process.env['UPDATE_DOCS'] === '1') updated = updated.replace(whole, () => fresh);
      else expect(shown, command).toBe(stable);
    }
    if (updated !== text) writeFileSync(guide, updated);
  });
});
