/** What `chaperonectl import` writes is accepted by `check`, and boots. */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { untilState } from './by-hand.ts';
import { boot, untilFile } from './namespace.ts';

const run = promisify(execFile);

/** Runs chaperonectl; gives what it prints, and its exit status. */
async function chaperonectl(...words: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  try {
    return { status: 0, ...(await run(process.execPath, [inDist('chaperonectl.cjs'), ...words])) };
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error && 'stdout' in error && 'stderr' in error)) throw error;
    return { status: Number(error.code), stdout: String(error.stdout), stderr: String(error.stderr) };
  }
}

/** A folder with these files; those that begin with `#!` are programs. `@` in a text is the folder itself. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-import-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text.replaceAll('@', folder));
    if (text.startsWith('#!')) chmodSync(path, 0o755);
  }
  return folder;
}

/** Imports a folder, checks the outcome as a user would, and boots it. */
async function bootImported(files: Readonly<Record<string, string>>, path: string, from?: string) {
  const folder = folderOf(files);
  const out = join(folder, 'out');
  const kind = from === undefined ? [] : ['--from', from];
  const imported = await chaperonectl('import', join(folder, path), '--to', out, ...kind);
  expect(imported).toMatchObject({ status: 0, stderr: '' });
  const checked = await chaperonectl('check', '--config', out);
  expect(checked).toMatchObject({ status: 0, stderr: '' });
  expect(checked.stdout).toContain('no mistakes');
  const system = boot({ from: out, merge: true });
  await system.waitForLine(/chaperone version \S+, ready\.$/);
  return { folder, system, told: imported.stdout.replaceAll(folder, '@') };
}

const waiter = 'exec sleep 1000';

describe('what is imported boots', () => {
  it('from runit', async () => {
    const { system } = await bootImported({ 'service/web/run': `#!/bin/sh\necho web runs\n${waiter}\n` }, 'service');
    await system.waitForLine(/web\[\d+\]: web runs/);
    await untilState(system, 'web.service', 'ready');
  });

  it('from supervisord', async () => {
    const { folder, system, told } = await bootImported(
      {
        'supervisord.conf': '[supervisord]\nnodaemon=true\n[include]\nfiles=conf.d/*.conf\n',
        'conf.d/work.conf': [
          '[program:work]',
          'command=/bin/sh -c \'echo "$NAME %(process_num)d \\`" $(pwd) >&2; exec sleep 1000\'',
          'process_name=%(program_name)s_%(process_num)d',
          'numprocs=2\nstartsecs=0\nredirect_stderr=true',
          'environment=NAME="a, b"\ndirectory=@\nstdout_logfile=@/%(program_name)s_%(process_num)d.log',
          '[program:off]\ncommand=/bin/false\nautostart=false',
        ].join('\n'),
      },
      'supervisord.conf',
    );
    expect(told).toContain('@/supervisord.conf:1: nodaemon in [supervisord] is about supervisord itself, and not used');
    await untilState(system, 'work_0.service', 'ready');
    await untilState(system, 'work_1.service', 'ready');
    await untilState(system, 'off.service', 'disabled');
    for (const number of [0, 1]) {
      const file = join(folder, `work_${number}.log`);
      await untilFile(file);
      expect(readFileSync(file, 'utf8')).toBe(`a, b ${number} \` ${folder}\n`);
    }
  });

  it('from s6-overlay', async () => {
    const { folder, system } = await bootImported(
      {
        's6-rc.d/user/contents.d/web': '',
        's6-rc.d/web/type': 'longrun',
        's6-rc.d/web/run': `#!/bin/sh\ncat @/made\necho ready >&3\nexec sleep 1000\n`,
        's6-rc.d/web/notification-fd': '3',
        's6-rc.d/web/finish': '#!/bin/sh\necho "$1 $2" > @/finished\n',
        's6-rc.d/web/dependencies.d/init': '',
        's6-rc.d/init/type': 'oneshot',
        's6-rc.d/init/up': '/bin/sh @/script\n',
        script: 'echo made by init > @/made\n',
        'cont-init.d/10-first': '#!/bin/sh\necho first\n',
        'services.d/old/run': `#!/bin/sh\necho old runs\nexec sleep 1000\n`,
        'services.d/old/log/run': '#!/bin/sh\nexec sed -u "s/^/logged: /"\n',
      },
      '.',
    );
    await system.waitForLine(/web\[\d+\]: made by init/);
    await system.waitForLine(/old-log\[\d+\]: logged: old runs/);
    system.signal('SIGTERM');
    await system.exit;
    expect(readFileSync(join(folder, 'finished'), 'utf8')).toBe('256 15\n');
  });

  it('from systemd', async () => {
    const { folder, system, told } = await bootImported(
      {
        'units/prepare.service': '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo $$0 prepared > @/made" one\n',
        'units/web.service': [
          '[Unit]\nRequires=prepare.service\nAfter=prepare.service network.target',
          '[Service]\nExecStartPre=/bin/cat @/made',
          'Environment="WORD=two words"\nEnvironmentFile=@/more',
          `ExecStart=/bin/sh -c "echo got $$1, $$2, $$3; exec sleep 1000" web \${WORD} $MORE`,
          'ExecStopPost=/bin/sh -c "echo $$EXIT_CODE > @/stopped"',
          'WorkingDirectory=/tmp\nUMask=0077\nNice=3',
        ].join('\n'),
        'units/tick.service': '[Service]\nType=oneshot\nExecStart=/bin/echo ticked\n',
        'units/tick.timer': '[Timer]\nOnCalendar=*:*:*\n',
        more: 'MORE="a b"\n',
      },
      'units',
    );
    expect(told).toContain('@/units/web.service:3: After=network.target is left out');
    await system.waitForLine(/web\[\d+\]: one prepared/);
    await system.waitForLine(/web\[\d+\]: got two words, a, b/);
    await system.waitForLine(/tick\[\d+\]: ticked/);
    system.signal('SIGTERM');
    await system.exit;
    expect(existsSync(join(folder, 'stopped'))).toBe(true);
  });

  it('from a Procfile', async () => {
    const { system } = await bootImported(
      {
        Procfile: `release: echo released > done\nweb: cat done; echo port $PORT $WORD; ${waiter}\nworker: echo port $PORT; ${waiter}\n`,
        '.env': 'WORD=word\n',
      },
      'Procfile',
    );
    await system.waitForLine(/web\[\d+\]: released/);
    await system.waitForLine(/web\[\d+\]: port 5000 word/);
    await system.waitForLine(/worker\[\d+\]: port 5100/);
  });

  it('from Compose', async () => {
    const { system } = await bootImported(
      {
        'compose.yaml': [
          'services:',
          '  web:',
          '    command: ["sh", "-c", "echo web $$WORD; exec sleep 1000"]',
          `    environment: { WORD: "it is $\${x}" }`,
          '    depends_on: { migrate: { condition: service_completed_successfully }, db: { condition: service_healthy } }',
          '  migrate: { command: echo migrated }',
          '  db:',
          '    command: sleep 1000',
          '    healthcheck: { test: ["CMD", "true"], interval: 1s }',
          '    restart: always',
        ].join('\n'),
      },
      '.',
    );
    await system.waitForLine(/migrate\[\d+\]: migrated/);
    await system.waitForLine(/web\[\d+\]: web it is \$\{x\}/);
  });
});

describe('chaperonectl import', () => {
  it('overwrites nothing', async () => {
    const folder = folderOf({ Procfile: 'web: true\n', 'out/imported.conf': 'mine\n' });
    const told = await chaperonectl('import', join(folder, 'Procfile'), '--to', join(folder, 'out'));
    expect(told.status).toBe(1);
    expect(told.stderr).toContain('imported.conf is there already');
    expect(readFileSync(join(folder, 'out/imported.conf'), 'utf8')).toBe('mine\n');
  });

  it('writes nothing where the files have mistakes, and tells where', async () => {
    const folder = folderOf({ 'supervisord.conf': '[program:web]\ncommand=web\nautostart=maybe\n' });
    const told = await chaperonectl('import', folder, '--to', join(folder, 'out'));
    expect(told).toMatchObject({ status: 1, stdout: '' });
    expect(told.stderr).toContain(`${folder}/supervisord.conf:3:11: autostart in [program:web] is "maybe"`);
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });

  it('prints JSON, and the configuration where it is to go to standard output', async () => {
    const folder = folderOf({ 'x.service': '[Service]\nExecStart=/bin/x\nPrivateTmp=yes\n' });
    const { stdout } = await chaperonectl('import', join(folder, 'x.service'), '--to', '-', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      kinds: ['systemd'],
      sections: ['x.service'],
      withoutCounterpart: [{ message: 'PrivateTmp=yes has no counterpart', line: 3, column: 1 }],
      text: expect.stringContaining('command: /bin/x'),
    });
    const plain = await chaperonectl('import', join(folder, 'x.service'), '--to', '-');
    expect(plain.stdout).toContain('\nx.service:\n  type: simple\n');
    expect(await chaperonectl('import')).toMatchObject({ status: 2 });
  });
});
