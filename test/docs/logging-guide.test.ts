import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { type BootOptions, boot, config, until } from '../boot/namespace.ts';

const guide = readFileSync(new URL('../../docs/guide/logging.md', import.meta.url), 'utf8');
const recipes = new Map(
  [...guide.matchAll(/<!-- recipe: (\w+) -->\n+```yaml\n(.*?)```/gs)].map(([, name = '', text = '']) => [name, text]),
);
const tried = new Set<string>();

const said = [
  'logger -p authpriv.notice -t sudo root did it',
  'logger -p user.err -t tool it broke',
  'logger -p user.debug -t tool a detail',
  'echo web says; echo "<4>worker warns" >&2',
].join('; ');

const services = {
  'web.service': { type: 'oneshot', command: `/bin/sh -c '${said}'` },
  'worker.service': { type: 'oneshot', command: 'echo worker says', after: 'web' },
};

const toolFile = {
  'tool.conf': config({ 'tool.service': { type: 'oneshot', command: 'logger -p user.err -t tool it broke' } }),
};

/** Runs a recipe as it stands; `keep` shows what is in /var/log, file by file. */
async function run(name: string, options: BootOptions = {}) {
  tried.add(name);
  const recipe = recipes.get(name);
  if (recipe === undefined) throw new Error(`docs/guide/logging.md has no recipe ${name}`);
  const system = boot({
    ownDev: true,
    before: 'mount -t tmpfs tmpfs /var/log',
    keep: 'grep -r . /var/log | sed s,^,FILE:,',
    files: { 'services.conf': config(services), 'logging.conf': recipe },
    ...options,
  });
  expect(await system.exit).toBe(0);
  const all = system.lines('stdout');
  return {
    stdout: all.filter((line) => !line.startsWith('FILE:')),
    stderr: system.lines('stderr'),
    files: all.filter((line) => line.startsWith('FILE:')).map((line) => line.slice('FILE:/var/log/'.length)),
  };
}

it('JSON for docker logs', async () => {
  const { stdout } = await run('json');
  const records = stdout.map((line): Record<string, unknown> => JSON.parse(line));
  expect(records).toContainEqual(
    expect.objectContaining({ facility: 'daemon', severity: 'info', service: 'web.service', message: 'web says' }),
  );
  expect(records).toContainEqual(expect.objectContaining({ severity: 'warning', message: 'worker warns' }));
  expect(records).not.toContainEqual(expect.objectContaining({ severity: 'debug' }));
});

it('JSON for Loki', async () => {
  const { stdout } = await run('loki', {
    files: {
      'services.conf': config({
        'web.service': { type: 'oneshot', command: `sh -c 'echo "{\\"level\\":\\"info\\"}"; echo plain'` },
      }),
      'logging.conf': recipes.get('loki') ?? '',
    },
  });
  const messages = stdout.map((line): unknown => JSON.parse(line));
  expect(messages).toContainEqual(expect.objectContaining({ message: { level: 'info' } }));
  expect(messages).toContainEqual(expect.objectContaining({ message: 'plain' }));
});

it('what happens when a sink does not keep up', async () => {
  const { stdout, files } = await run('overflow');
  expect(stdout).toContainEqual(expect.stringMatching(/ worker\[\d+\]: worker says$/));
  expect(files).toEqual([expect.stringMatching(/^audit\.log:.* sudo: root did it$/)]);
});

it('a split audit log', async () => {
  const { stdout, files } = await run('audit');
  expect(files).toEqual([expect.stringMatching(/^audit\/auth-\d{4}-\d\d\.log:authpriv\.notice .* sudo: root did it$/)]);
  expect(stdout).toContainEqual(expect.stringMatching(/ tool: it broke$/));
  expect(stdout).not.toContainEqual(expect.stringMatching(/root did it/));
});

it('ship to a remote host', async () => {
  const server = createSocket('udp4');
  const packets: string[] = [];
  server.on('message', (packet) => packets.push(packet.toString()));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  await run('remote', { env: { SYSLOG_HOST: `127.0.0.1:${server.address().port}` } });
  await until('the packets have come', () => (packets.some((text) => text.includes('warns')) ? true : undefined));
  expect(packets).toContainEqual(expect.stringMatching(/^<85>1 \S+ web-1 sudo - - - root did it$/));
  expect(packets).not.toContainEqual(expect.stringMatching(/web says/));
});

it('a quiet console', async () => {
  const { stdout, stderr, files } = await run('quiet');
  expect(stdout).toEqual([]);
  expect(stderr).toEqual(['it broke']);
  expect(files).toContainEqual(expect.stringMatching(/^container\.log:.* tool: a detail$/));
  expect(files).toContainEqual(expect.stringMatching(/^container\.log:.* worker\[\d+\]: worker says$/));
});

it('a file for each service', async () => {
  const { stdout, files } = await run('services');
  expect(files.map((line) => line.replace(/\d{4}-\S+/, 'TIME')).sort()).toEqual([
    'web.log:TIME web says',
    'web.log:TIME worker warns',
    'worker.log:TIME worker says',
  ]);
  expect(stdout).toContainEqual(expect.stringMatching(/ tool: it broke$/));
  expect(stdout).not.toContainEqual(expect.stringMatching(/says$/));
});

it('one entry for one service', async () => {
  const { stdout, files } = await run('named', { files: { 'logging.conf': recipes.get('named') ?? '', ...toolFile } });
  expect([...files].sort()).toEqual(['access.log:web says', 'errors.log:it broke', 'errors.log:worker warns']);
  expect(stdout).toContainEqual(expect.stringMatching(/ tool: it broke$/));
  expect(stdout).not.toContainEqual(expect.stringMatching(/says$/));
});

it('a service that takes the log of others', async () => {
  tried.add('consumer');
  const system = boot({ files: { 'logging.conf': recipes.get('consumer') ?? '' } });
  await system.waitForLine(/collector\[\d+\]: collected web says$/);
  await system.waitForLine(/collector\[\d+\]: collected worker warns$/);
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
  expect(system.lines()).not.toContainEqual(expect.stringMatching(/ web\[\d+\]: /));
});

it('at most so many lines', async () => {
  const { stdout } = await run('rate', { files: { 'logging.conf': recipes.get('rate') ?? '' } });
  const lines = stdout.filter((line) => / chatty\[\d+\]: \d+$/.test(line));
  expect(lines.length).toBeGreaterThanOrEqual(100);
  const [, dropped = ''] =
    /: (\d+) lines of chatty\.service dropped: more than its log_rate of 100\/s$/m.exec(stdout.join('\n')) ?? [];
  expect(Number(dropped)).toBe(1000 - lines.length);
});

it('rotation', async () => {
  const { files } = await run('rotation', {
    before: 'mount -t tmpfs tmpfs /var/log && (yes filling | head -c 10485760) > /var/log/app.log',
    keep: 'ls /var/log | sed s,^,FILE:/var/log/, && grep -H says /var/log/app.log | sed s,^,FILE:,',
  });
  expect(files).toContainEqual('app.log');
  // The container may end before the compression does.
  expect(files).toContainEqual(expect.stringMatching(/^app\.log\.1(\.gz)?$/));
  expect(files).toContainEqual(expect.stringMatching(/^app\.log:.* web\[\d+\]: web says$/));
});

it('has no recipe that is not run', () => {
  expect([...recipes.keys()].sort()).toEqual([...tried].sort());
});
