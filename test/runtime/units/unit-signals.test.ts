/** Whom the signals of a unit reach, and what a unit tells of them. */
import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { SignalName } from '../../../src/model/service/signal.ts';
import type { UnitRequest } from '../../../src/model/service/unit-events.ts';
import type { Script, Step } from '../../../src/runtime/simulated/script.ts';
import { detach, exit, fork, hang, hanging, machineOf, stubborn, wait, web } from './running-units.ts';

type Send = UnitRequest & { readonly type: 'unit.send' };

const send = (signal: SignalName, purpose: Send['purpose']): Send => ({ type: 'unit.send', signal, purpose });
const term = send('SIGTERM', 'stop');
const kill = send('SIGKILL', 'stop');
const again = send('SIGKILL', 'again');
const gone: Script = { steps: [wait(50)] };

/** A service that has begun and forked. */
function running(changes: Partial<ServiceSpec>, steps: readonly Step[], onSignal: Script['onSignal'] = {}) {
  const machine = machineOf({ web: { steps, onSignal } });
  const unit = machine.run(web(changes));
  machine.pass(1);
  machine.news();
  return { ...machine, ...unit };
}

describe('a signal that asks a service to end', () => {
  it.each([
    ['the group of its leader', {}, ['group 2']],
    ['the leader alone under kill_mode process', { killMode: 'process' }, ['process 2']],
    ['the leader alone under kill_mode mixed', { killMode: 'mixed' }, ['process 2']],
    ['the leader alone where it has no group', { ownGroup: false }, ['process 2']],
    ['all that the start has left where that is the service’s', { type: 'notify' }, ['group 2', 'process 4']],
  ] as const)('goes to %s', (_, changes, targets) => {
    const { ask, signals, news } = running(changes, [fork(stubborn), detach(stubborn), hang], { SIGTERM: 'ignore' });
    ask(term);
    expect(signals()).toEqual(targets.flatMap((target) => [`SIGTERM ${target}`, `SIGCONT ${target}`]));
    expect(news()).toEqual(['using SIGTERM to terminate web.service']);
  });

  it('goes to all under kill_mode mixed once it is SIGKILL, which needs no SIGCONT', () => {
    const { ask, signals, news, kernel, pass } = running({ killMode: 'mixed' }, [fork(), hang]);
    ask(kill);
    expect(signals()).toEqual(['SIGKILL group 2']);
    expect(news()).toEqual(['using SIGKILL to terminate web.service (pid 2)']);
    pass(1);
    expect(kernel.livePids).toEqual([]);
  });

  it('reaches a stopped process', () => {
    const { ask, kernel, pass, facts } = running({}, [hang]);
    kernel.strike(2, 'SIGSTOP');
    ask(term);
    pass(10);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', status: { signal: 'SIGTERM' } });
  });

  it('tells whom SIGKILL is for, and what came before it', () => {
    const { ask, news } = running({ type: 'notify' }, [fork(), detach(), hang]);
    ask({ ...kill, asked: { signal: 'SIGTERM', for: 2_000 } });
    expect(news()).toEqual([
      'using SIGKILL to terminate web.service (pid 2, 4): it has not ended within 2 s of SIGTERM',
    ]);
  });

  it('goes to each process that is left once the leader is gone, and is followed by a look', () => {
    const { ask, signals, news, facts, pass } = running({}, [fork(stubborn), fork(), wait(10), exit(1)]);
    pass(100);
    news();
    ask(term);
    expect(signals()).toEqual([3, 4].flatMap((pid) => [`SIGTERM process ${pid}`, `SIGCONT process ${pid}`]));
    expect(news()).toEqual(['using SIGTERM to terminate web.service']);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.seen', left: 1, fresh: false });
  });

  it('goes to nobody under kill_mode mixed once the leader is gone', () => {
    const { ask, signals, news, pass } = running({ killMode: 'mixed' }, [fork(), wait(10)]);
    pass(100);
    news();
    ask(term);
    expect(signals()).toEqual([]);
    expect(news()).toEqual([]);
  });

  it('goes to nobody, and says nothing, where nothing is left', () => {
    const { ask, signals, news, facts, pass } = running({}, [wait(10)]);
    pass(100);
    news();
    ask(term);
    ask(kill);
    expect(signals()).toEqual([]);
    expect(news()).toEqual([]);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.seen', left: 0, fresh: false });
  });

  it('is followed by no look while the leader lives', () => {
    const { ask, facts } = running({}, [hang], { SIGTERM: 'ignore' });
    ask(term);
    expect(facts.map(({ type }) => type)).toEqual(['unit.spawned']);
  });

  it('is followed by no look while the program has not begun', () => {
    const { run } = machineOf({ web: hanging }, { spawnDelay: () => 1_000 });
    const { ask, facts } = run(web());
    ask(term);
    expect(facts.filter(({ type }) => type === 'unit.seen')).toEqual([]);
  });

  it('goes to the group of a leader whose end is not known yet', () => {
    const machine = machineOf({ web: { steps: [fork(stubborn), hang] } }, { deliveryDelay: () => 50 });
    const { ask } = machine.run(web());
    machine.pass(10);
    machine.kernel.strike(2, 'SIGKILL');
    ask(term);
    expect(machine.signals()).toEqual(['SIGTERM group 2', 'SIGCONT group 2']);
  });

  it('is no signal by hand, and makes nobody look for others where the group is all', () => {
    const { ask, signalled, kernel } = running({}, [fork(), hang], { SIGTERM: 'ignore' });
    ask(term);
    expect(signalled).toEqual([]);
    expect(kernel.trees).toEqual(['group 2']);
  });

  it.each([
    ['with its group where it leads one', detach(), ['group 3', 'process 2', 'process 4']],
    ['alone where it leads none', fork(), ['process 3', 'process 2', 'process 4']],
  ] as const)('goes to another leader %s, and to the others', (_, step, targets) => {
    const { ask, signals } = running({ type: 'notify' }, [step, fork(), hang]);
    ask({ type: 'unit.lead', pid: 3 });
    ask({ ...kill });
    expect(signals()).toEqual(targets.map((target) => `SIGKILL ${target}`));
  });

  it('goes to another leader alone under kill_mode process', () => {
    const { ask, signals } = running({ type: 'notify', killMode: 'process' }, [detach(), fork(), hang]);
    ask({ type: 'unit.lead', pid: 3 });
    ask(kill);
    expect(signals()).toEqual(['SIGKILL process 3']);
  });

  it('does not go to a process that has got the number of a leader since', () => {
    const { ask, signals, live } = running({}, [hang]);
    live.add(2, web({ name: 'db.service' }));
    ask(term);
    expect(signals()).toEqual([]);
  });
});

describe('SIGKILL for those that began after it', () => {
  it('goes to none that it has been sent to before', () => {
    const stuck: Script = { steps: [hang], stuck: 1_000 };
    const { ask, signals, kernel, pass, look, news, facts } = running({ type: 'notify' }, [fork(stuck), wait(10)]);
    pass(100);
    expect(look()).toMatchObject({ left: 1, fresh: false });
    ask(kill);
    expect(signals()).toEqual(['SIGKILL process 3']);
    expect(look()).toMatchObject({ left: 1, fresh: false });
    kernel.inject(3, [fork(stuck)]);
    expect(look()).toMatchObject({ left: 2, fresh: true });
    news();
    ask(again);
    expect(signals()).toEqual(['SIGKILL process 4']);
    expect(news()).toEqual(['using SIGKILL to terminate web.service (pid 4)']);
    expect(look()).toMatchObject({ left: 2, fresh: false });
    ask(again);
    expect(signals()).toEqual([]);
    ask(kill);
    expect(signals()).toEqual(['SIGKILL process 3', 'SIGKILL process 4']);
    expect(facts.filter(({ type }) => type === 'unit.signalled')).toHaveLength(1);
  });

  it('does not go to the leader', () => {
    const { ask, signals } = running({}, [fork(), hang]);
    ask(again);
    expect(signals()).toEqual(['SIGKILL process 3']);
  });

  it('counts a signal by hand for none', () => {
    const stuck: Script = { steps: [hang], stuck: 1_000 };
    const { ask, look, pass, kernel } = running({ type: 'notify' }, [fork(stuck), wait(10)]);
    pass(100);
    ask(send('SIGKILL', 'hand'));
    kernel.inject(3, [fork(stuck)]);
    expect(look()).toMatchObject({ left: 2, fresh: false });
  });
});

describe('a signal by hand', () => {
  it('goes to the group of the leader, without SIGCONT, and is told', async () => {
    const { ask, signals, news, signalled, facts } = running({}, [fork(), hang], { SIGHUP: 'ignore' });
    ask(send('SIGHUP', 'hand'));
    expect(signals()).toEqual(['SIGHUP group 2']);
    expect(news()).toEqual(['sending SIGHUP to web.service as asked']);
    expect(await Promise.all(signalled)).toEqual(['sent']);
    expect(facts.map(({ type }) => type)).toEqual(['unit.spawned']);
  });

  it('goes to the leader and its group alone, also where more is the service’s', () => {
    const { ask, signals } = running({ type: 'notify' }, [detach(), hang]);
    ask(send('SIGHUP', 'hand'));
    expect(signals()).toEqual(['SIGHUP group 2']);
  });

  it('goes to what is left of a service whose leader is gone, and no look follows', () => {
    const { ask, signals, facts, pass } = running({ type: 'notify' }, [detach(), wait(10)]);
    pass(100);
    ask(send('SIGHUP', 'hand'));
    expect(signals()).toEqual(['SIGHUP process 3']);
    expect(facts.at(-1)?.type).toBe('unit.leaderExited');
  });

  it('is no order to end', () => {
    const { ask, pass, said } = running({}, [fork(), hang], { SIGTERM: [exit(0)] });
    ask(send('SIGTERM', 'hand'));
    pass(10);
    expect(said.filter((text) => text.includes('as a daemon does'))).toHaveLength(0);
    const other = running({}, [fork(stubborn), hang], { SIGTERM: [exit(0)] });
    other.ask(send('SIGTERM', 'hand'));
    other.pass(10);
    expect(other.said.filter((text) => text.includes('as a daemon does'))).toHaveLength(1);
  });

  it('that finds nobody has vanished', async () => {
    const { ask, signalled, facts, pass } = running({}, [wait(10)]);
    pass(100);
    ask(send('SIGHUP', 'hand'));
    expect(await Promise.all(signalled)).toEqual(['vanished']);
    expect(facts.at(-1)).toEqual({ type: 'unit.signalled', signal: 'SIGHUP', outcome: 'vanished', at: 101 });
  });

  it.each([
    [['sent', 'vanished'], 'sent', undefined],
    [['vanished', 'sent'], 'sent', undefined],
    [['vanished', 'denied'], 'denied', 'vanished'],
    [['denied', 'vanished'], 'denied', 'denied'],
    [['sent', 'denied'], 'denied', undefined],
    [['denied', 'sent'], 'denied', undefined],
    [['vanished', 'vanished'], 'vanished', 'vanished'],
  ] as const)('of whose parts %j becomes is %s as a whole', async (fates, whole, told) => {
    const { ask, kernel, signalled, facts, pass, news } = running({ type: 'notify' }, [fork(), fork(), wait(10)]);
    pass(100);
    news();
    for (const [index, fate] of fates.entries()) kernel.fates.set(3 + index, fate);
    ask(send('SIGHUP', 'hand'));
    expect(await Promise.all(signalled)).toEqual([whole]);
    const reports = facts.filter(({ type }) => type === 'unit.signalled');
    expect(reports).toMatchObject(told === undefined ? [] : [{ signal: 'SIGHUP', outcome: told }]);
    const denied = fates.map((fate) => fate === 'denied').indexOf(true);
    expect(news().slice(1)).toEqual(
      denied < 0
        ? []
        : [
            `cannot send SIGHUP to web.service (pid ${3 + denied}): not permitted; for another account chaperone needs CAP_KILL`,
          ],
    );
  });
});

describe('a look that nobody has asked for', () => {
  const ends = (ms: number): Script => ({ steps: [wait(ms)] });

  it('comes soon after the end of a process, once the leader is gone', () => {
    const { facts, pass } = running({}, [fork(ends(200)), fork(ends(205)), fork(), wait(10)]);
    pass(150);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited', left: 3 });
    pass(68);
    expect(facts.at(-1)).toMatchObject({ type: 'unit.leaderExited' });
    pass(10);
    // Both ends share one look.
    expect(facts.slice(2)).toEqual([{ type: 'unit.seen', left: 1, fresh: false, at: 220 }]);
  });

  it('comes after each of two ends that are further apart, and no more once nothing is left', () => {
    const { facts, pass, endOrphan } = running({}, [fork(ends(100)), fork(ends(200)), wait(10)]);
    pass(1_000);
    expect(facts.slice(2)).toMatchObject([{ left: 1 }, { left: 0 }]);
    endOrphan();
    expect(facts).toHaveLength(4);
  });

  it('does not come while the leader lives, nor after the unit has ended', () => {
    const { facts, pass, end, kernel } = running({}, [fork(gone), fork(ends(200)), wait(100)]);
    pass(80);
    expect(facts.map(({ type }) => type)).toEqual(['unit.spawned']);
    pass(40);
    expect(facts.at(-1)).toMatchObject({ left: 1 });
    const { length } = facts;
    end();
    pass(1_000);
    expect(facts).toHaveLength(length);
    expect(kernel.livePids).toEqual([]);
  });

  it('does not come once another process leads', () => {
    const { facts, pass, ask } = running({ type: 'notify' }, [detach(stubborn), fork(ends(200)), wait(10)]);
    pass(100);
    ask({ type: 'unit.lead', pid: 3 });
    pass(1_000);
    ask(term);
    expect(facts.map(({ type }) => type)).toEqual(['unit.spawned', 'unit.leaderExited']);
  });

  it('is there for each of the units', () => {
    const machine = machineOf({
      web: { steps: [fork(ends(100)), wait(10)] },
      db: { steps: [fork(hanging), wait(10)] },
    });
    const one = machine.run(web());
    const two = machine.run(web({ name: 'db.service', argv: ['db'] }));
    machine.pass(1_000);
    expect(one.facts.at(-1)).toMatchObject({ type: 'unit.seen', left: 0 });
    expect(two.facts.at(-1)).toMatchObject({ type: 'unit.seen', left: 1 });
  });
});
