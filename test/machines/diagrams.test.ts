import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { renderDiagram } from '../../scripts/machine-diagram.ts';
import { healthMachine } from '../../src/machines/health.ts';
import { hooksMachine } from '../../src/machines/hooks.ts';
import { probeMachine } from '../../src/machines/probe.ts';
import { readinessMachine } from '../../src/machines/readiness.ts';
import { scheduledMachine } from '../../src/machines/scheduled.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import { systemMachine } from '../../src/machines/system.ts';
import { unitMachine } from '../../src/machines/unit.ts';

const machines = {
  health: healthMachine,
  hooks: hooksMachine,
  probe: probeMachine,
  readiness: readinessMachine,
  scheduled: scheduledMachine,
  service: serviceMachine,
  system: systemMachine,
  unit: unitMachine,
};
const summaries: Readonly<Record<keyof typeof machines, string>> = {
  hooks: 'The hooks of one stage of a service, such as before_start: one unit after another.',
  health: 'What the probes of `healthy` say together, while a service is ready.',
  probe: 'One probe of a service: what it asks or listens for, again and again.',
  readiness: 'What a start waits for beyond its process: a pidfile, the word of the service itself, or its probes.',
  scheduled: 'One cron or inetd service: what starts its runs, and the runs themselves.',
  service: 'One simple, oneshot, forking or notify service, from the configuration to the end of the system.',
  system: 'The whole system: it starts the services by the dependency graph and stops them against it.',
  unit: 'One run of one program with all that belongs to it, until nothing of it is left.',
};

function page(name: keyof typeof machines): string {
  return [
    `# The ${name} machine`,
    '',
    summaries[name],
    '',
    `Generated from [\`src/machines/${name}.ts\`](../../src/machines/${name}.ts) by \`npm run docs\`; do not edit.`,
    '',
    renderDiagram(machines[name]),
  ].join('\n');
}

describe('the diagrams in docs/machines', () => {
  it.each([
    'health',
    'hooks',
    'probe',
    'readiness',
    'scheduled',
    'service',
    'system',
    'unit',
  ] as const)('%s.md shows the machine as it is (else: npm run docs)', (name) => {
    const file = new URL(`../../docs/machines/${name}.md`, import.meta.url);
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, page(name));
    expect(readFileSync(file, 'utf8')).toBe(page(name));
  });
});

describe('renderDiagram', () => {
  it('draws nested states, events, guards, delays and always, and lists what stays', () => {
    const machine = setup({
      guards: { isHot: () => true },
      actions: { count: () => {} },
      delays: { coolingTime: 1_000 },
    }).createMachine({
      id: 'kettle',
      initial: 'on',
      states: {
        on: {
          initial: 'heating',
          on: { 'kettle.switched': { target: 'off' }, 'kettle.kicked': {} },
          states: {
            heating: {
              always: { guard: 'isHot', target: 'waiting' },
              on: { 'water.added': { actions: ['count'] } },
            },
            waiting: {
              after: { coolingTime: 'heating' },
              on: { 'water.added': [{ guard: 'isHot', target: 'heating' }, {}] },
            },
          },
        },
        off: { type: 'final' },
      },
    });
    expect(renderDiagram(machine)).toBe(`\`\`\`mermaid
stateDiagram-v2
  [*] --> on
  state "on" as on {
    [*] --> on_heating
    state "heating" as on_heating
    state "waiting" as on_waiting
  }
  state "off" as off
  off --> [*]
  on --> off : kettle.switched
  on_heating --> on_waiting : always [isHot]
  on_waiting --> on_heating : after coolingTime
  on_waiting --> on_heating : water.added [isHot]
\`\`\`

Taken without leaving the state:

- **on.heating**: \`water.added\`

Ignored:

- **on**: \`kettle.kicked\`
- **on.waiting**: \`water.added\`
`);
  });
});
