/** JSON Schemas of what the API gives; the routes name them, and the OpenAPI file is made of them. */
import { hookStages } from '../model/service/hook.ts';
import { publicStates, systemStates } from '../model/service/public-state.ts';
import { serviceStages } from '../model/service/service-stage.ts';

export type Schema = Readonly<Record<string, unknown>>;

const text = { type: 'string' };
const count = { type: 'integer', minimum: 0 };
const ms = (description: string) => ({ type: 'number', description: `${description}, ms` });
const names = { type: 'array', items: text };

function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required };
}

const exitStatus: Schema = {
  oneOf: [
    object({ kind: { const: 'exited' }, code: count }),
    object({ kind: { const: 'signaled' }, signal: text, coreDumped: { type: 'boolean' }, oomKilled: { const: true } }, [
      'oomKilled',
    ]),
    object({ kind: { const: 'unknown' } }),
  ],
};

const state = { enum: publicStates };
const stage = { enum: serviceStages };

const plan = object({
  steps: {
    type: 'array',
    items: object({ action: { enum: ['start', 'stop', 'restart', 'change', 'keep'] }, name: text, reasons: names }),
  },
  settings: names,
});

const position = object({ file: text, line: count, column: count, length: count, text });

const diagnostic = object(
  {
    severity: { enum: ['error', 'warning'] },
    code: text,
    message: text,
    count,
    position,
    hint: text,
    related: object({ message: text, position }),
  },
  ['count', 'position', 'hint', 'related'],
);

/** The named schemas of the API. */
export const schemas = {
  Service: object(
    {
      name: text,
      type: { enum: ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'] },
      enabled: { type: 'boolean' },
      remainAfterExit: { const: true, description: 'a normal end counts as up' },
      state,
      stage,
      since: ms('Unix time at which it came to its stage'),
      age: ms('how long it has been there'),
      why: object(
        {
          condition: text,
          owner: text,
          since: ms('Unix time'),
          next: text,
          services: { ...names, description: 'the services that the condition is about, by full names' },
          left: ms('until a limit of time, the next try or the next run comes by itself'),
          sentence: text,
        },
        ['condition', 'services', 'left'],
      ),
      pid: count,
      followed: { const: true, description: 'a pidfile or MAINPID names its process' },
      hook: {
        ...object({ stage: { enum: hookStages }, nth: count, of: count, pid: count, ran: ms('since it began') }, [
          'pid',
        ]),
        description: 'the hook that runs: the nth of its stage',
      },
      running: count,
      reloading: { const: true, description: 'it reads its own configuration anew' },
      reloadFailure: { type: 'string', description: 'why the last reload of the present run has failed' },
      restarts: object({ used: count, left: count, nextIn: ms('until the next try'), none: text }, [
        'left',
        'nextIn',
        'none',
      ]),
      note: text,
      lastExit: object({ pid: count, status: exitStatus, at: ms('Unix time') }),
      health: { enum: ['unknown', 'healthy', 'unhealthy'], description: 'only while it is ready and has healthy' },
      probes: {
        type: 'array',
        description: 'of ready while it starts, of healthy while it is ready',
        items: object(
          {
            purpose: { enum: ['ready', 'healthy'] },
            probe: text,
            standing: { enum: ['open', 'passed', 'failed'] },
            failures: count,
            retries: count,
            last: object({ passed: { type: 'boolean' }, reason: text, age: ms('how long ago'), output: text }, [
              'output',
            ]),
          },
          ['retries', 'last'],
        ),
      },
      cause: text,
      nextRun: ms('Unix time of the next run of a cron service'),
      timeZone: { type: 'string', description: 'of its schedule, where it is not that of the container' },
      lastWords: object({ stream: { enum: ['stdout', 'stderr'] }, line: text, age: ms('how long ago') }),
      outputs: {
        ...object({ stdout: text, stderr: text }),
        description:
          'where its output goes, if not all of it goes into the log: NAME.service, NAME.logging, inherit, log',
      },
      waitingInput: { ...count, description: 'bytes in the pipe that it reads from, if other services write to it' },
      linesDropped: { ...count, description: 'lines that were dropped because of its log_rate' },
      prerequisites: names,
      ties: {
        type: 'object',
        additionalProperties: object({ kind: { enum: ['after', 'wants', 'requires'] }, stages: names }),
        description: 'by prerequisite: how it is waited for, where it is not simply to be ready',
      },
      prerequisitesReady: { type: 'boolean' },
      boot: object(
        {
          started: ms('since chaperone began'),
          byHand: { const: true, description: 'a person asked for this start, which is no part of the boot' },
          ready: ms('since chaperone began'),
          failed: object({ at: ms('since chaperone began'), cause: text }),
          lasts: ms('since chaperone began: the present, while the start is under way'),
          waitedFor: text,
          lost: {
            ...object({ at: ms('since chaperone began'), cause: text, again: ms('since chaperone began') }, ['again']),
            description:
              'when that start ceased to hold: the ready service went down, or the failed one started again; and when the next start began',
          },
        },
        ['byHand', 'ready', 'failed', 'lasts', 'waitedFor', 'lost'],
      ),
    },
    [
      ...[
        'remainAfterExit',
        'pid',
        'followed',
        'hook',
        'running',
        'reloading',
        'reloadFailure',
        'restarts',
        'note',
        'lastExit',
        'health',
        'probes',
        'cause',
        'nextRun',
        'timeZone',
      ],
      ...['lastWords', 'outputs', 'waitingInput', 'linesDropped', 'ties', 'boot'],
    ],
  ),
  HistoryLine: {
    oneOf: [
      object(
        {
          kind: { const: 'transition' },
          at: ms('since chaperone began'),
          actor: text,
          from: text,
          to: text,
          event: text,
          pid: count,
          exit: text,
          waitedFor: text,
          waited: ms('how long it had to wait'),
          cause: text,
          detail: text,
        },
        ['event', 'pid', 'exit', 'waitedFor', 'waited', 'cause'],
      ),
      object({ kind: { const: 'note' }, at: ms('since chaperone began'), text }),
      object({ kind: { const: 'lost' }, at: ms('since chaperone began'), count }),
    ],
  },
  System: object(
    {
      version: text,
      state: { enum: systemStates },
      uptime: ms('since chaperone began'),
      ready: ms('when the system was up, since chaperone began'),
      bootOver: ms('when the system was up, or had begun to end before that, since chaperone began'),
      pid: count,
      brain: { ...count, description: 'the pid of the brain, the process of Node that PID 1 has started' },
      services: count,
      enabled: count,
      states: object(Object.fromEntries(publicStates.map((name) => [name, count]))),
      logLevel: text,
      shutdownAt: ms('Unix time'),
    },
    ['ready', 'bootOver', 'logLevel', 'shutdownAt'],
  ),
  Answer: object(
    {
      kind: { enum: ['done', 'refused', 'noSuchService', 'forbidden', 'mistake', 'failed', 'timedOut', 'busy'] },
      text: { type: 'string', description: 'what telchap prints' },
      exitStatus: { type: 'integer', description: 'what telchap exits with' },
      reason: text,
      names,
      plan,
      unstartable: {
        type: 'array',
        description: 'the services that the plan would stop, and that could not start again in the new configuration',
        items: object({ name: text, reason: text }),
      },
      diagnostics: {
        type: 'array',
        description:
          'the mistakes in the new configuration, and the warnings about it; the codes are those of docs/errors.md',
        items: diagnostic,
      },
    },
    ['reason', 'names', 'plan', 'unstartable', 'diagnostics'],
  ),
  Record: object(
    { time: ms('Unix time'), facility: text, severity: text, program: text, pid: count, message: text, service: text },
    ['pid', 'service'],
  ),
  Event: {
    oneOf: [
      object({ type: { const: 'service' }, time: ms('Unix time'), service: text, state, stage }),
      object({ type: { const: 'system' }, time: ms('Unix time'), state: { enum: systemStates } }),
    ],
  },
} as const satisfies Readonly<Record<string, Schema>>;

export type SchemaName = keyof typeof schemas;
