/** Templates as people use them: workers that share a queue, scaled up and down under load. */
import { readdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ctl } from './by-hand.ts';
import { boot, config, isRoot, logAll, until } from './namespace.ts';

/** Takes jobs one by one; at SIGTERM it finishes the one that it has. */
const workScript = `#!/bin/sh
trap 'ending=1' TERM
echo "worker $WORKER begins"
while [ -z "$ending" ]; do
  for job in new/*; do
    name="\${job##*/}"
    mv "$job" "taken/$name" 2>/dev/null || continue
    sleep 0.01
    mv "taken/$name" "done/$name.$WORKER"
    [ -z "$ending" ] || break
  done
  sleep 0.01
done
`;

const jobs = 300;

describe.runIf(isRoot)('a template of workers', () => {
  it('loses no job and does none twice when it is scaled from 2 to 5 and back under load', async () => {
    const worker = {
      instances: 2,
      command: '/bin/sh $(_CHAP_CONFIG_DIR)/work',
      directory: '$(_CHAP_CONFIG_DIR)/queue',
      env_set: { WORKER: '$(_CHAP_SERVICE_INSTANCE)' },
      kill_mode: 'process',
      startup_pause: 0,
    };
    const system = boot({
      files: { 'services.conf': config({ ...logAll, 'worker@.service': worker, settings: { detect_exit: false } }) },
      before: 'mkdir -p queue/new queue/taken queue/done',
    });
    writeFileSync(system.path('work'), workScript);
    await system.waitForLine(/ready\.$/);
    const queue = (folder: string): readonly string[] => readdirSync(system.path(`queue/${folder}`));
    const add = (from: number, to: number): void => {
      for (let job = from; job < to; job += 1) writeFileSync(system.path(`queue/new/job${job}`), '');
    };
    add(0, jobs / 3);
    expect(await ctl(system, 'scale', 'worker', '5', '--wait')).toEqual({
      status: 0,
      stdout: 'worker@.service: 5 instances.\n',
      stderr: '',
      text: 'worker@.service: 5 instances.\n',
    });
    await system.waitForLine(/worker 5 begins/);
    add(jobs / 3, jobs);
    await until('the fifth worker has done a job', () => queue('done').find((name) => name.endsWith('.5')));
    expect(queue('new').length).toBeGreaterThan(0);
    expect(await ctl(system, 'scale', 'worker', '2', '--wait')).toMatchObject({
      status: 0,
      stdout: 'worker@.service: 2 instances.\n',
    });
    expect(JSON.parse((await ctl(system, 'status', '--json')).stdout)).toMatchObject([
      { name: 'worker@1.service', state: 'ready' },
      { name: 'worker@2.service', state: 'ready' },
    ]);
    await until('all jobs are done', () => (queue('done').length >= jobs ? true : undefined));
    expect(queue('new')).toEqual([]);
    expect(queue('taken')).toEqual([]);
    const done = queue('done').map((name) => name.replace(/\.\d$/, ''));
    expect(new Set(done).size).toBe(jobs);
    expect(done).toHaveLength(jobs);
    const exits = system.lines().filter((line) => /worker@\d\.service exit status/.test(line));
    expect(exits.map((line) => /worker@(\d)/.exec(line)?.[1]).sort()).toEqual(['3', '4', '5']);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('is asked for by variables, names and words as one, and told apart', async () => {
    const system = boot({
      files: {
        'services.conf': config({
          ...logAll,
          'worker@.service': { instances: '$(WORKERS:-1)', command: 'sleep 1000', startup_pause: 0 },
          'late.service': { command: 'sleep 1000', startup_pause: 0, after: 'worker@.service' },
        }),
      },
      env: { WORKERS: 'mail, web' },
    });
    await system.waitForLine(/ready\.$/);
    expect(await ctl(system, 'scale', 'worker', '2')).toMatchObject({ status: 1 });
    expect((await ctl(system, 'stop', '--wait', 'worker@')).stdout).toBe('services stopped.\n');
    expect(JSON.parse((await ctl(system, 'status', 'worker@.service', '--json')).stdout)).toMatchObject([
      { name: 'worker@mail.service', state: 'stopped' },
      { name: 'worker@web.service', state: 'stopped' },
    ]);
    expect((await ctl(system, 'restart', 'late')).stderr).toMatch(/worker@mail is stopped|worker@mail/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});
