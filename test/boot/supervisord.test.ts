/** Programs of supervisord and crontabs, read at boot as an image brings them along. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ctl, signalInner, untilState } from './by-hand.ts';
import { boot, config, isRoot, logAll, until } from './namespace.ts';

/** A folder with these files; `@` in a text is the folder itself. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-image-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text.replaceAll('@/', `${folder}/`));
  }
  return folder;
}

const says = (words: string): string => `/bin/sh -c 'printf "%%s\\n\\n\\t \\n" "${words} "; exec sleep 1000'`;

describe('a file of supervisord', () => {
  it('is booted with its programs, log files and order; what it lacks is told', async () => {
    const folder = folderOf({
      'supervisord.conf':
        '[supervisord]\nenvironment=WORD="of all"\n[include]\nfiles=conf.d/*.conf\n[supervisorctl]\nserverurl=x\n',
      'conf.d/a.conf': [
        `[program:late]\ncommand=${says('late $WORD')}\npriority=20\nstdout_logfile=@/late.log`,
        `[program:early]\ncommand=${says('early')}\npriority=10\nautorestart=true\nstopasgroup=true`,
        '[program:hopeless]\ncommand=/bin/false\nstartretries=1',
        '[program:gone]\ncommand=/no/such/program',
      ].join('\n'),
    });
    const settings = { compat: { supervisord: join(folder, 'supervisord.conf') } };
    const system = boot({ files: { 'x.conf': config({ settings, ...logAll }) }, merge: true });
    await system.waitForLine(/supervisord\.conf:5:1: \[supervisorctl\] has no counterpart/);
    await system.waitForLine(/hopeless\.service \(ignored\) failure on start-up/);
    await untilState(system, 'late.service', 'ready');
    await untilState(system, 'hopeless.service', 'failed');
    await until('the log is written', () => readFileSync(join(folder, 'late.log'), 'utf8').endsWith('\t \n'));
    expect(readFileSync(join(folder, 'late.log'), 'utf8')).toBe('late of all \n\n\t \n');
    const starts = system.lines().filter((line) => /attempting start/.test(line));
    expect(starts.findIndex((line) => line.includes('early'))).toBeLessThan(
      starts.findIndex((line) => line.includes('late')),
    );
    const pid = async (): Promise<number> => {
      const { stdout } = await ctl(system, 'status', 'early', '--json');
      return JSON.parse(stdout)[0]?.pid ?? 0;
    };
    await untilState(system, 'early.service', 'ready');
    const before = await pid();
    signalInner(system, before, 'SIGKILL');
    await system.waitForLine(/early\.service restart succeeded/);
    expect(await pid()).not.toBe(before);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('with a mistake starts nothing, and tells the place', async () => {
    const folder = folderOf({ 'supervisord.conf': '[program:web]\ncommand=web\nstartsecs=soon\n' });
    const settings = { compat: { supervisord: join(folder, 'supervisord.conf') } };
    const system = boot({ files: { 'x.conf': config({ settings }) }, merge: true });
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toContain(
      `${folder}/supervisord.conf:3:11: startsecs in [program:web] is "soon" [not-a-number]`,
    );
  });
});

describe.runIf(isRoot)('a crontab', () => {
  it('runs its lines with their users, variables and input', async () => {
    const folder = folderOf({
      crontab:
        'WORD=word\n@reboot root echo "once $WORD" `echo twice` `echo thrice`\n* * * * * root cat > @/read%one%two\n',
    });
    const settings = { compat: { crontab: join(folder, 'crontab') } };
    const system = boot({ files: { 'x.conf': config({ settings, ...logAll }) }, merge: true });
    await system.waitForLine(/crontab-1\[\d+\]: once word twice thrice/);
    const { status } = await ctl(system, 'run-now', 'crontab-2', '--wait');
    expect(status).toBe(0);
    await until('the input is read', () => readFileSync(join(folder, 'read'), 'utf8') === 'one\ntwo\n');
  });
});
