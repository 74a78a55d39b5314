import { describe, expect, it } from 'vitest';
import type { Answer } from '../../src/control/answer.ts';
import { parseLine } from '../../src/control/command-words.ts';
import { execute } from '../../src/control/execute.ts';
import { Meter } from '../../src/control/meter.ts';
import { explainState, type Hold } from '../../src/model/service/why.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { patternOf, referenceAnswers } from '../fixtures/reference-lines.ts';
import { serviceSpec } from '../model/specs.ts';
import { FakeSupervisor, serviceStatus } from './fake-supervisor.ts';

function world() {
  return new FakeSupervisor([
    serviceStatus('prepare.service', 'ready', { stage: 'ready.exited' }),
    serviceStatus('store.service', 'ready'),
    serviceStatus('web.service', 'stopped'),
    serviceStatus('web-two.service', 'failed', { lastExit: { pid: 9, status: { kind: 'exited', code: 3 }, at: 0 } }),
    serviceStatus('extra.service', 'disabled'),
    serviceStatus('late.service', 'pending', { prerequisites: ['web.service'], prerequisitesReady: false }),
  ]);
}

function say(line: string, supervisor = world(), clock = new VirtualClock(), aborted?: AbortSignal): Promise<Answer> {
  const parsed = parseLine(line);
  if (parsed.kind !== 'command') throw new Error(`"${line}" is no command`);
  return execute(parsed.command, {
    supervisor,
    timers: clock,
    meter: new Meter(),
    ...(aborted === undefined ? {} : { aborted }),
  });
}

async function text(line: string, supervisor = world()): Promise<string> {
  return (await say(line, supervisor)).text;
}

describe("the original's answers, word for word", () => {
  it.each([
    ['start web', 'service start-up queued.'],
    ['stop store', 'services stopping.'],
    ['reset web', 'services reset.'],
    ['enable extra', 'services enabled.'],
    ['disable web', 'services disabled.'],
    ['shutdown', 'Shutting down now'],
    ['shutdown NOW', 'Shutting down now'],
    ['shutdown 2.5', 'Shutting down in 2.5 seconds'],
    ['loglevel', 'Forced Logging Level: NOT SET'],
    ['loglevel *.INFO', 'All logging set to include priorities >= *.info'],
    ['loglevel warn', 'All logging set to include priorities >= *.warning'],
  ])('%s', async (line, answer) => {
    expect(await text(line)).toBe(answer);
  });

  it.each([
    ['start extra', 'can only start services which have been enabled: extra'],
    ['start store prepare', "can't restart services without stop/reset: prepare, store"],
    ['start late', 'services or their prerequisites are not ready: late'],
    ['start web-two', 'services or their prerequisites are not ready: web-two'],
    ['stop web late', "can't stop services which aren't started: web, late"],
    ['reset store', "can't reset services which are running: store"],
    ['stop nobody.service', 'no such service: nobody.service'],
    ['restart x*', 'no such service: x*'],
    ['stop stoer', 'no such service: stoer (did you mean "store"?)'],
    ['restart prepar.service', 'no such service: prepar.service (did you mean "prepare"?)'],
    ['stop stoer prepar', 'no such service: stoer, prepar'],
  ])('%s is refused', async (line, refusal) => {
    const supervisor = world();
    expect(await text(line, supervisor)).toBe(`Command error: ${refusal}`);
    expect(supervisor.asked).toEqual([]);
  });

  it('are all of them', async () => {
    const given: string[] = [];
    for (const line of [
      ...['start web', 'stop store', 'reset web', 'enable extra', 'disable web', 'shutdown', 'shutdown 5'],
      ...['loglevel', 'loglevel err', 'wait store'],
    ]) {
      given.push(await text(line));
    }
    const supervisor = world();
    const started = say('start --wait web', supervisor);
    supervisor.move('web.service', 'ready');
    given.push((await started).text);
    const stopped = say('stop --wait store', supervisor);
    supervisor.move('store.service', 'stopped');
    given.push((await stopped).text);
    const missing = referenceAnswers.filter((line) => !given.some((answer) => patternOf(line).test(answer)));
    expect(missing).toEqual([]);
  });

  it('the forced level is told', async () => {
    const supervisor = world();
    await say('loglevel debug', supervisor);
    expect(await text('loglevel', supervisor)).toBe('*.debug');
  });
});

describe('what is asked of the supervisor', () => {
  it.each([
    ['start web', 'start web.service'],
    ['start web late', 'start web.service late.service'],
    ['start --enable extra', 'start --enable extra.service'],
    ['start --force store extra', 'start --force store.service extra.service'],
    ['start', 'start web.service late.service'],
    ['stop --disable store.service', 'stop --disable store.service'],
    ['stop --force web*', 'stop web.service web-two.service'],
    ['reset --force store', 'reset --force store.service'],
    ['restart [sp]*', 'restart prepare.service store.service'],
    ['enable extra extra extra.service', 'enable extra.service'],
    ['kill store HUP', 'kill SIGHUP store.service'],
    ['shutdown 1', 'shutdown 1000'],
    ['shutdown', 'shutdown 100'],
    ['reload --dry', 'reload --dry-run'],
    ['reload --force', 'reload --force'],
    ['restart --force store extra', 'restart --force store.service extra.service'],
  ])('%s', async (line, asked) => {
    const supervisor = world();
    expect((await say(line, supervisor)).kind).toBe('done');
    expect(supervisor.asked).toEqual([asked]);
  });
});

describe('the name of a template', () => {
  const workers = () =>
    new FakeSupervisor([
      serviceStatus('worker@1.service', 'ready'),
      serviceStatus('worker@2.service', 'ready'),
      serviceStatus('worker.service', 'ready'),
      serviceStatus('workers@3.service', 'ready'),
    ]);

  it.each(['worker@', 'worker@.service'])('%s means all of its instances', async (name) => {
    const supervisor = workers();
    expect(await text(`stop ${name}`, supervisor)).toBe('services stopping.');
    expect(supervisor.asked).toEqual(['stop worker@1.service worker@2.service']);
  });

  it('is no name where there are none', async () => {
    expect(await text('stop web@', workers())).toBe('Command error: no such service: web@');
  });
});

describe('a service that has ended normally', () => {
  const ended = () =>
    new FakeSupervisor([serviceStatus('web.service', 'exited'), serviceStatus('db.service', 'ready')]);

  it('is stopped, restarted, reset and started; a start without names leaves it alone', async () => {
    const supervisor = ended();
    for (const line of ['start', 'start web', 'start --force web', 'stop web', 'restart web', 'reset web']) {
      expect((await say(line, supervisor)).kind).toBe('done');
    }
    expect(supervisor.asked).toEqual([
      ...['start', 'start web.service', 'start --force web.service'],
      ...['stop web.service', 'restart web.service', 'reset web.service'],
    ]);
  });

  it('is what a start that is waited for may come to', async () => {
    const supervisor = world();
    const answer = say('start --wait web', supervisor);
    supervisor.move('web.service', 'starting');
    supervisor.move('web.service', 'exited');
    expect(await answer).toEqual({ kind: 'done', text: 'services started.' });
    expect(await text('wait web --for ready', supervisor)).toBe('services ready.');
  });

  it('is not stopped', async () => {
    const supervisor = ended();
    const answer = say('stop --wait web', supervisor);
    supervisor.move('web.service', 'stopping');
    supervisor.move('web.service', 'stopped');
    expect(await answer).toEqual({ kind: 'done', text: 'services stopped.' });
  });
});

describe('a service that is still ending', () => {
  const ending = () =>
    new FakeSupervisor([
      serviceStatus('web.service', 'stopping'),
      serviceStatus('crashed.service', 'stopping', { stage: 'stopping.clearing' }),
    ]);

  it('is started when it has ended', async () => {
    const supervisor = ending();
    const answer = say('start --wait web crashed', supervisor);
    expect(supervisor.asked).toEqual(['start web.service crashed.service']);
    for (const name of ['web.service', 'crashed.service']) supervisor.move(name, 'stopped');
    for (const name of ['web.service', 'crashed.service']) supervisor.move(name, 'ready');
    expect(await answer).toEqual({ kind: 'done', text: 'services started.' });
  });

  it('is meant by a start of everything, unless it is about to fail', async () => {
    const supervisor = ending();
    await say('start', supervisor);
    expect(supervisor.asked).toEqual(['start web.service']);
  });

  it('waits for what it needs like any other', async () => {
    const supervisor = ending();
    supervisor.move('web.service', 'stopping', { prerequisites: ['db.service'], prerequisitesReady: false });
    expect(await text('start web', supervisor)).toBe(
      'Command error: services or their prerequisites are not ready: web',
    );
  });

  it('is stopped all the same', async () => {
    const supervisor = ending();
    await say('stop web', supervisor);
    expect(supervisor.asked).toEqual(['stop web.service']);
  });
});

describe('a signal by hand', () => {
  it('that has reached nobody is not told as sent', async () => {
    const supervisor = world();
    supervisor.killOutcome = 'notRunning';
    expect(await say('kill store HUP', supervisor)).toEqual({
      kind: 'refused',
      reason: 'noProcess',
      names: ['store'],
      text: "Command error: can't signal services which have no process: store",
    });
  });

  it('that the kernel does not permit is told as such', async () => {
    const supervisor = world();
    supervisor.killOutcome = 'denied';
    expect(await say('kill store HUP', supervisor)).toMatchObject({
      kind: 'refused',
      reason: 'denied',
      names: ['store'],
    });
  });

  it('that has reached some of several is told of the others', async () => {
    const supervisor = new FakeSupervisor(['store', 'web'].map((name) => serviceStatus(`${name}.service`, 'ready')));
    supervisor.kill = (name) => Promise.resolve(name === 'store.service' ? 'sent' : 'notRunning');
    expect(await say('kill store web HUP', supervisor)).toMatchObject({ reason: 'noProcess', names: ['web'] });
  });
});

describe('what could not be started again', () => {
  const supervisorWith = () => {
    const supervisor = world();
    supervisor.lost = [
      { name: 'store.service', reason: 'db is stopped' },
      { name: 'prepare.service', reason: 'its program is missing' },
    ];
    return supervisor;
  };

  it('is not restarted', async () => {
    const supervisor = supervisorWith();
    expect(await say('restart prepare store web', supervisor)).toEqual({
      kind: 'refused',
      reason: 'unrestartable',
      names: ['store', 'prepare'],
      text: "Command error: can't restart services which could not be started again: store (db is stopped), prepare (its program is missing)",
    });
    expect(supervisor.asked).toEqual([]);
  });

  it('is restarted by force, and hinders nobody else', async () => {
    const supervisor = supervisorWith();
    await say('restart --force store', supervisor);
    await say('restart web', supervisor);
    expect(supervisor.asked).toEqual(['restart --force store.service', 'restart web.service']);
  });

  it('keeps a reload from being carried out', async () => {
    const supervisor = world();
    supervisor.reloadResult = { kind: 'unstartable', services: [{ name: 'web.service', reason: 'db is stopped' }] };
    expect(await say('reload', supervisor)).toEqual({
      kind: 'refused',
      reason: 'unstartable',
      names: ['web'],
      text: 'Command error: nothing was changed: the reload would stop services that it could not start again: web (db is stopped); --force goes on',
    });
  });

  it('with mistakes has them as text and, with their codes, as fields', async () => {
    const supervisor = world();
    const diagnostics = [{ severity: 'error', code: 'unknown-key', message: 'unknown key "comand"' }] as const;
    supervisor.reloadResult = { kind: 'mistakes', report: '1 mistake', diagnostics };
    expect(await say('reload', supervisor)).toEqual({ kind: 'failed', names: [], text: '1 mistake', diagnostics });
  });

  it('is told by a plan', async () => {
    const supervisor = world();
    const unstartable = [{ name: 'web.service', reason: 'db is stopped' }];
    const plan = { steps: [{ action: 'stop', name: 'db.service', reasons: ['disabled'] }], settings: [] } as const;
    supervisor.reloadResult = { kind: 'planned', plan, warnings: '', unstartable };
    expect(await say('reload --dry-run', supervisor)).toEqual({
      kind: 'done',
      plan,
      unstartable,
      text: `stop     db.service   disabled
refused  web.service  db is stopped
0 services kept as they are
`,
    });
  });
});

describe('--drain', () => {
  const scheduled = () =>
    new FakeSupervisor([
      serviceStatus('report.service', 'ready', { type: 'cron', stage: 'ready.scheduled' }),
      serviceStatus('echo.service', 'ready', { type: 'inetd', stage: 'ready.scheduled' }),
      serviceStatus('late.service', 'stopped', { type: 'cron' }),
      serviceStatus('web.service', 'ready'),
    ]);

  it('is passed on for what is scheduled', async () => {
    const supervisor = scheduled();
    await say('stop --drain --disable report echo', supervisor);
    expect(supervisor.asked).toEqual(['stop --disable --drain report.service echo.service']);
  });

  it.each([
    ['stop --drain report web', "can't drain services which are not scheduled: web"],
    ['stop --drain --force web', "can't drain services which are not scheduled: web"],
    ['stop --drain late', "can't stop services which aren't started: late"],
  ])('%s is refused', async (line, refusal) => {
    const supervisor = scheduled();
    expect(await say(line, supervisor)).toMatchObject({ kind: 'refused', text: `Command error: ${refusal}` });
    expect(supervisor.asked).toEqual([]);
  });
});

describe('--wait', () => {
  it('answers when the last of them is ready', async () => {
    const supervisor = world();
    const answer = say('start --wait web', supervisor);
    supervisor.move('web.service', 'starting');
    supervisor.move('web.service', 'ready');
    expect(await answer).toEqual({ kind: 'done', text: 'services started.' });
  });

  it('says why where one fails', async () => {
    const supervisor = world();
    const answer = say('start --wait web', supervisor);
    supervisor.move('web.service', 'failed');
    expect(await answer).toMatchObject({ kind: 'failed', names: ['web.service'] });
  });

  it('ends at its time-out, with the reason', async () => {
    const supervisor = world();
    const clock = new VirtualClock();
    const answer = say('wait store --for stopped --timeout 2', supervisor, clock);
    clock.run();
    expect(await answer).toMatchObject({ kind: 'timedOut', names: ['store.service'] });
    expect(supervisor.events$.observed).toBe(false);
  });

  it('ends with who waits, and with the system', async () => {
    const supervisor = world();
    const gone = new AbortController();
    const answer = say('stop --wait store', supervisor, new VirtualClock(), gone.signal);
    gone.abort();
    expect((await answer).kind).toBe('failed');
    const waiting = say('wait late', supervisor);
    supervisor.state = 'draining';
    supervisor.events$.next({ type: 'system', time: 0, state: 'draining' });
    expect((await waiting).kind).toBe('failed');
    expect(supervisor.events$.observed).toBe(false);
  });

  it('leaves no timer and no subscription behind', async () => {
    const supervisor = world();
    const clock = new VirtualClock();
    const answer = say('wait web --timeout 5', supervisor, clock);
    supervisor.move('web.service', 'ready');
    expect((await answer).kind).toBe('done');
    expect(supervisor.events$.observed).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe('status', () => {
  it('is the table of the reference', async () => {
    const supervisor = world();
    supervisor.move('store.service', 'ready', { note: '512 keys' });
    expect(await text('status', supervisor)).toBe(`
Running:           chaperone version 1.2.3
Uptime:            0:04:02
Managed processes: 6 (5 enabled)

Services:

pid  name             enabled  status    note    
---  ---------------  -------  --------  --------
-    extra.service    false    disabled  -       
-    late.service     true     starting  -       
-    prepare.service  true     started   -       
61   store.service    true     running   512 keys
-    web-two.service  true     exit(3)   -       
-    web.service      true     ready     -       
`);
  });

  const holds: readonly (readonly [Hold, string])[] = [
    [{ kind: 'none' }, 'starting'],
    [{ kind: 'prerequisites', names: ['db.service'] }, 'starting'],
    [{ kind: 'stage', group: 'INIT', names: ['db.service'] }, 'starting'],
    [{ kind: 'idleDelay' }, 'starting'],
    [{ kind: 'reload', names: ['db.service'] }, 'starting'],
    [{ kind: 'blocked', names: ['db.service'], roots: ['db.service'] }, '-'],
  ];

  it.each(holds)('of a service that waits (%j) says %s', async (hold, word) => {
    const why = explainState({ stage: 'pending', since: 0, spec: serviceSpec(), hold, restartsUsed: 0 });
    const supervisor = new FakeSupervisor([
      serviceStatus('late.service', 'pending', { prerequisitesReady: false, why }),
    ]);
    expect(await text('status', supervisor)).toMatch(new RegExp(`late\\.service +true +${word} `));
  });
});
