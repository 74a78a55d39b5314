import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { badRequests } from '../control/bad-requests.ts';
import { ctl, telchap } from './by-hand.ts';
import { type Booted, boot, config, fixtures, isRoot, logAll } from './namespace.ts';

/** What fixtures/attack.mjs reports. */
interface Attack {
  readonly uid: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly pages: readonly string[];
  readonly fifo?: string;
  readonly signals: readonly (string | null)[];
}

const ticks = 400;
const counting = `sh -c 'i=0; while [ $i -lt ${ticks} ]; do i=$((i+1)); echo tick $i; sleep 0.01; done; echo counted; exec sleep 1000'`;

interface Attacker {
  /** Resolves once the attack is under way. */
  readonly begun: Promise<unknown>;
  /** Ends the attack, and tells what it has met. */
  readonly end: () => Promise<Attack>;
}

/** Attacks as an account without rights, from inside of the PID namespace. */
function attack(system: Booted, uid: number, port: string): Attacker {
  const requests = system.path('bad-requests');
  writeFileSync(requests, JSON.stringify(badRequests));
  chmodSync(system.directory, 0o755);
  const account = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const program = [process.execPath, `${fixtures}/attack.mjs`, system.path('control.sock'), requests, port];
  const [file = '', ...args] = [...system.inside(), ...account, ...program];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } });
  onTestFinished(() => {
    child.kill();
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const begun = lines.next();
  return {
    begun,
    end: async () => {
      await begun;
      child.stdin.end();
      const { value } = await lines.next();
      return JSON.parse(value);
    },
  };
}

describe.runIf(isRoot)('guests who attack a working system', () => {
  it('get nothing, hold nothing up and end nothing', async () => {
    const system = boot({
      args: ['--inspect=web'],
      files: {
        'x.conf': config({
          'count.service': { command: counting, startup_pause: 0 },
          'web.service': { command: 'sleep 1000', startup_pause: 0 },
          ...logAll,
        }),
      },
    });
    const [, port = ''] = await system.waitForLine(/inspect at http:\/\/127\.0\.0\.1:(\d+)\//);
    await system.waitForLine(/ready\.$/);
    const attackers = [1000, 1001].map((uid) => attack(system, uid, port));
    for (const { begun } of attackers) await begun;
    for (let count = 0; count < 10; count += 1) {
      expect(await telchap(system, 'status')).toMatchObject({ status: 0, stderr: '' });
      expect((await ctl(system, 'status', 'web', '--json')).status).toBe(0);
    }
    for (const { end } of attackers) {
      const { answers, pages, fifo, signals } = await end();
      // Each request has an answer, or finds no place.
      expect(Object.keys(answers).filter((status) => !/^(200|400|403|404|411|413|429|nothing)$/.test(status))).toEqual(
        [],
      );
      expect(pages.filter((status) => !/^4\d\d$/.test(status))).toEqual([]);
      expect([fifo, signals]).toEqual(['EACCES', ['EPERM']]);
    }
    await system.waitForLine(/count\[\d+\]: counted$/);
    const told = system.lines().flatMap((line) => /count\[\d+\]: tick (\d+)$/.exec(line)?.[1] ?? []);
    expect(told.map(Number)).toEqual(Array.from({ length: ticks }, (_, index) => index + 1));
    expect(system.lines().filter((line) => /internal error|failed:/.test(line))).toEqual([]);
    expect((await telchap(system, 'stop', '--wait', 'web')).status).toBe(0);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('from outside of the PID namespace may not even what root may', async () => {
    const system = boot({ files: { 'x.conf': config({ 'web.service': { command: 'sleep 1000' }, ...logAll }) } });
    await system.waitForLine(/ready\.$/);
    const ask = (words: string): Promise<string> => {
      const socket = connect(system.path('control.sock'));
      socket.end(`${words}\n`);
      return text(socket);
    };
    expect(await ask('status')).toMatch(/^RESULT\n/);
    for (const words of ['shutdown now', 'stop web', 'kill web TERM', 'loglevel debug', 'reload']) {
      expect(await ask(words)).toContain('not permitted for uid 0 from outside of the container');
    }
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('an environment that somebody else has chosen', () => {
  it('is passed on byte for byte, and nothing in it is run', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-guests-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const made = join(folder, 'made');
    const value = `q\`touch ${made}\`w$(\`touch ${made}\`)$(HOME)`;
    const system = boot({
      env: { DB_PASSWORD: value },
      files: {
        'x.conf': config({
          settings: { env_set: { OWN: '<$(DB_PASSWORD)>', CHANGED: '$(DB_PASSWORD:/^q/p/)' } },
          'show.service': {
            type: 'oneshot',
            command: 'sh -c \'printf "%s\\n" "$DB_PASSWORD" "$OWN" "$CHANGED"\'',
          },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const shown = system.lines().flatMap((line) => /show\[\d+\]: (.*)$/.exec(line)?.[1] ?? []);
    expect(shown).toEqual([value, `<${value}>`, value.replace('q', 'p')]);
    expect(existsSync(made)).toBe(false);
    const warnings = system.lines('stderr').filter((line) => line.includes('unexpanded-value'));
    expect(warnings).toEqual([expect.stringContaining('the inherited variable DB_PASSWORD holds')]);
    expect(system.lines('stderr').join('\n')).not.toContain('touch ');
  });
});
