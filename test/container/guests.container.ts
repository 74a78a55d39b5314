import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { config, logAll } from '../boot/namespace.ts';
import { badRequests } from '../control/bad-requests.ts';
import { clientEnvironment, start } from './engine.ts';

/** What fixtures/attack.mjs reports. */
interface Attack {
  readonly answers: Readonly<Record<string, number>>;
  readonly pages: readonly string[];
  readonly fifo?: string;
  readonly signals: readonly (string | null)[];
}

const node = '/usr/local/lib/chaperone/node';
const folder = '/usr/local/lib/chaperone';
const ticks = 500;

it('finds status answered and nothing lost while an account without rights attacks', async () => {
  const container = await start({
    args: ['--inspect=web'],
    files: {
      'x.conf': config({
        'count.service': {
          command: `sh -c 'i=0; while [ $i -lt ${ticks} ]; do i=$((i+1)); echo tick $i; sleep 0.01; done; echo counted; exec sleep 1000'`,
          startup_pause: 0,
        },
        'web.service': { command: 'sleep 1000', startup_pause: 0 },
        ...logAll,
      }),
      'bad-requests': JSON.stringify(badRequests),
    },
  });
  const [, port = ''] = await container.waitForLine(/inspect at http:\/\/127\.0\.0\.1:(\d+)\//);
  await container.waitForLine(/ready\.$/);
  const account = ['exec', '--interactive', '--user', '1000:1000', container.id];
  const attack = ['/fixtures/attack.mjs', '/dev/chaperone.sock', '/etc/chaperone.d/bad-requests', port];
  const child = spawn('docker', [...account, node, ...attack], {
    env: clientEnvironment,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill();
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('begun');
  for (let count = 0; count < 10; count += 1) {
    // A status that is not answered ends with 124.
    const status = await container.exec('timeout', '10', `${folder}/telchap`, 'status');
    expect([status.status, status.stderr]).toEqual([0, '']);
    expect(status.stdout).toMatch(/^\s*\d+\s+web\b/m);
  }
  child.stdin.end();
  const { answers, pages, fifo, signals }: Attack = JSON.parse((await lines.next()).value);
  expect(Object.keys(answers).filter((status) => !/^(200|400|403|404|411|413|429|nothing)$/.test(status))).toEqual([]);
  expect(pages.filter((status) => !/^4\d\d$/.test(status))).toEqual([]);
  expect([fifo, signals]).toEqual(['EACCES', ['EPERM']]);
  await container.waitForLine(/count\[\d+\]: counted$/);
  const told = container.lines().flatMap((line) => /count\[\d+\]: tick (\d+)$/.exec(line)?.[1] ?? []);
  expect(told.map(Number)).toEqual(Array.from({ length: ticks }, (_, index) => index + 1));
  expect(container.lines().filter((line) => /internal error|failed:/.test(line))).toEqual([]);
  expect((await container.exec(`${folder}/telchap`, 'stop', '--wait', 'web')).status).toBe(0);
  expect(await container.stop()).toBe(0);
});
