import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arch } from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inDist } from '../dist.ts';
import { type BootOptions, boot, config, fixtures } from './namespace.ts';

let tools: string;
beforeAll(() => {
  tools = mkdtempSync(join(tmpdir(), 'chaperone-tools-'));
  execFileSync('cc', ['-o', join(tools, 'forbid'), join(import.meta.dirname, '../native/forbid.c')]);
});
afterAll(() => rmSync(tools, { recursive: true }));

const isRoot = process.getuid?.() === 0;

interface Line {
  readonly program?: string;
  readonly pid?: number;
  readonly message: string;
  readonly trust?: string;
  readonly sender?: { readonly pid: number; readonly uid: number };
}

/** Runs a client, and returns what it has logged: JSON, syslog lines and plain lines. */
async function loggedBy(client: string, options: BootOptions = {}) {
  const system = boot({
    ownDev: true,
    files: {
      'x.conf': config({
        'client.service': { type: 'oneshot', command: `${join(fixtures, 'log-client.py')} ${client}` },
        'json.logging': { selector: '*.*', file: '$(_CHAP_CONFIG_DIR)/json', format: 'json' },
        'syslog.logging': { selector: '*.*', file: '$(_CHAP_CONFIG_DIR)/syslog' },
        'plain.logging': { selector: 'local5,user.*', file: '$(_CHAP_CONFIG_DIR)/plain', format: 'plain' },
      }),
    },
    ...options,
  });
  expect(await system.exit).toBe(0);
  expect(system.lines('stderr')).toEqual([]);
  const linesOf = (name: string) => readFileSync(system.path(name), 'utf8').trimEnd().split('\n');
  return {
    json: linesOf('json').map((line): Line => JSON.parse(line)),
    syslog: linesOf('syslog'),
    plain: linesOf('plain'),
  };
}

describe.runIf(isRoot)("what pretends to be chaperone's own", () => {
  it('is marked in every format', async () => {
    const { json, syslog, plain } = await loggedBy('forged');
    const texts = ['in the old form', 'in the new form', 'chaperone[1]: without a tag'];
    for (const text of texts) {
      expect(syslog.filter((line) => line.endsWith(text))).toEqual([
        expect.stringMatching(/^\w{3} [ \d]\d [\d:]{8} \S+ chaperone\?(?:\[1\])?: /),
      ]);
      expect(plain.filter((line) => line.endsWith(text))).toEqual([expect.stringMatching(/^chaperone\?(?:\[1\])?: /)]);
      expect(json.filter(({ message }) => message === text)).toMatchObject([
        { program: 'chaperone?', trust: 'claimed', sender: { uid: 65_534 } },
      ]);
    }
    const behind =
      /^\w{3} [ \d]\d [\d:]{8} \S+ app\[\d+\]: one#012Jan {2}5 04:03:02 box chaperone\[1\]: behind a line feed$/;
    expect(syslog).toContainEqual(expect.stringMatching(behind));
    const own = json.filter(({ program }) => program === 'chaperone');
    expect(own.length).toBeGreaterThan(2);
    for (const line of own) expect(line).not.toHaveProperty('trust');
    const app = json.find(({ program }) => program === 'app');
    expect(app).toMatchObject({ trust: 'known', sender: { pid: app?.pid, uid: 65_534 } });
  });
});

describe.runIf(isRoot)('descriptors that are sent to the log socket', () => {
  const seconds = 1_000;
  /** The connections of the client take 60 s to be closed. */
  async function inTime(options: BootOptions = {}): Promise<ReadonlySet<string>> {
    const begun = performance.now();
    const { json } = await loggedBy('descriptors', options);
    expect(performance.now() - begun).toBeLessThan(30 * seconds);
    const sent = json.filter(({ program }) => program === 'client').map(({ message }) => message);
    expect(sent.at(-1)).toBe('after that');
    expect(sent).toHaveLength(9);
    return new Set(sent.slice(0, -1));
  }

  it('hold chaperone up in nothing', async () => {
    expect(['taken', 'refused']).toEqual(expect.arrayContaining([...(await inTime())]));
  });

  // ENOPROTOOPT for setsockopt(2) with SO_PASSRIGHTS.
  it.runIf(arch === 'x64')('hold chaperone up in nothing where the kernel cannot refuse them', async () => {
    const program = join(tools, 'without-refusal');
    writeFileSync(program, `#!/bin/sh\nexec ${join(tools, 'forbid')} 92 54:2:83 -- ${inDist('chaperone')} "$@"\n`);
    chmodSync(program, 0o755);
    expect([...(await inTime({ program }))]).toEqual(['taken']);
  });
});

describe.runIf(isRoot)('a flood of large datagrams', () => {
  it('costs no line of another account', async () => {
    const system = boot({
      ownDev: true,
      files: {
        'x.conf': config({
          'flood.service': { command: `${join(fixtures, 'log-client.py')} large` },
          'quiet.service': {
            type: 'oneshot',
            after: 'flood',
            command: "sh -c 'for i in $(seq 200); do logger -t quiet $i; done; kill -TERM 1'",
          },
          'file.logging': { selector: 'user.*', file: '$(_CHAP_CONFIG_DIR)/out', format: 'json', timestamp: 'none' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const lines = readFileSync(system.path('out'), 'utf8').trimEnd().split('\n');
    const quiet = lines.map((line): Line => JSON.parse(line)).filter(({ program }) => program === 'quiet');
    expect(quiet.map(({ message }) => message)).toEqual(Array.from({ length: 200 }, (_, index) => String(index + 1)));
    expect(lines.length).toBeGreaterThan(250);
  });
});
