import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Container, docker, eventually, start, userImage } from './engine.ts';

const image = 'chaperone-test/runit';
const folder = '/usr/local/lib/chaperone';

/** The one image: Debian's runit, services as Debian has them in /etc/sv, and chaperone beside them. */
const dockerfile = `FROM ${userImage}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends runit && rm -rf /var/lib/apt/lists/* /etc/chaperone.d
COPY sv /etc/sv
COPY with-runit talk-to-sv /usr/local/bin/
RUN mkdir -p /etc/sv/web/env /etc/service && cd /etc/sv/web/env \\
 && printf 'hello\\nsecond line\\n' > GREETING && : > DROPPED && printf 'x \\t \\n' > TRAILING && printf 'one\\0two' > LINES \\
 && for name in web plain later checked controlled quick stubborn; do ln -s /etc/sv/$name /etc/service/$name; done \\
 && rm /etc/service/default-syslog
ENV GIVEN=by-the-image DROPPED=by-the-image
ENTRYPOINT ["with-runit"]
`;

beforeAll(async () => {
  const context = mkdtempSync(join(tmpdir(), 'chaperone-runit-'));
  try {
    cpSync(join(import.meta.dirname, 'runit'), context, { recursive: true });
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    await docker('build', '--network=host', '--quiet', '--tag', image, context);
  } finally {
    rmSync(context, { recursive: true });
  }
});

const inits = ['runsvdir', 'chaperone'] as const;
type Init = (typeof inits)[number];

/** Starts the image under its own init, or under chaperone; nothing else differs. */
async function begin(init: Init): Promise<Container> {
  const container = await start({
    image,
    options: ['--hostname', 'image', ...(init === 'runsvdir' ? [] : ['--entrypoint', `${folder}/chaperone`])],
  });
  await eventually('web has told what it was given', async () => {
    const { stdout } = await container.exec('cat', '/var/log/web/current');
    return stdout.includes('TRAILING=') ? true : undefined;
  });
  return container;
}

async function textOf(container: Container, path: string): Promise<string> {
  return (await container.exec('cat', path)).stdout;
}

/** The file of a container that has ended. */
async function leftIn(container: Container, path: string): Promise<string> {
  const target = mkdtempSync(join(tmpdir(), 'chaperone-left-'));
  await docker('cp', `${container.id}:${path}`, join(target, 'file'));
  const text = readFileSync(join(target, 'file'), 'utf8');
  rmSync(target, { recursive: true });
  return text;
}

const run: Readonly<Record<Init, (container: Container, ...words: readonly string[]) => Promise<string>>> = {
  runsvdir: async (container, ...words) => (await container.exec('sv', ...words)).stdout,
  chaperone: async (container, ...words) => (await container.exec(`${folder}/sv`, ...words)).stdout,
};

function pidIn(status: string): number {
  return Number(/\(pid (\d+)\)/.exec(status)?.[1] ?? 0);
}

/** What can be observed of the image from its start to its end. */
async function observe(init: Init) {
  const container = await begin(init);
  const sv = (...words: readonly string[]) => run[init](container, ...words);
  // A kill, as the kernel's when memory is short: finish is told, and run starts again.
  const killed = pidIn(await sv('status', 'web'));
  await container.exec('kill', '-KILL', String(killed));
  await eventually('web runs again', async () => {
    const pid = pidIn(await sv('status', 'web'));
    return pid > 0 && pid !== killed ? pid : undefined;
  });
  await eventually('quick has ended some times', async () => {
    const ended = (await textOf(container, '/tmp/quick')).split('\n').length;
    return ended > 8 ? ended : undefined;
  });
  await eventually('web has told it twice', async () => {
    const lines = (await textOf(container, '/var/log/web/current')).match(/^TRAILING=/gm);
    return lines !== null && lines.length > 1 ? true : undefined;
  });
  const programs = await container.exec(
    'sh',
    '-c',
    "ps -eo args | grep -E '^(sleep|svlogd|/bin/sh \\./run)' | sort | uniq -c",
  );
  const states = (await sv('status', 'web', 'plain', 'later', 'controlled')).replace(/\d+/g, 'N');
  const status = await container.stop();
  return {
    programs: programs.stdout.replace(/^.*sleep 0\.\d.*\n/gm, ''),
    states,
    status,
    // Now and then runsv lets a service have a descriptor of its own.
    log: (await leftIn(container, '/var/log/web/current')).replaceAll(
      /^descriptors 0 1 10 2 3 4 $/gm,
      'descriptors 0 1 10 2 3 ',
    ),
    quick: (await leftIn(container, '/tmp/quick')).split('\n').slice(0, 6),
    controlled: await leftIn(container, '/tmp/controlled'),
  };
}

describe('an image that was made for runit', () => {
  it('does under chaperone what it does under runsvdir', async () => {
    const observed = { runsvdir: await observe('runsvdir'), chaperone: await observe('chaperone') };
    expect(observed.runsvdir.log).toContain('GREETING=hello\n');
    expect(observed.runsvdir.log).toContain('finish 2 arguments: -1 9');
    expect(observed.runsvdir.log).toContain('finish 2 arguments: -1 15');
    expect(observed.chaperone).toEqual(observed.runsvdir);
  });

  it('is shown by status, the graph and the inspector as any other', async () => {
    const container = await begin('chaperone');
    await container.exec('touch', '/tmp/open');
    await eventually('checked is ready', async () =>
      (await run.chaperone(container, 'check', 'checked')) === '' ? undefined : true,
    );
    const { stdout } = await container.exec(`${folder}/chaperonectl`, 'status');
    for (const name of ['web', 'web\\.log', 'plain', 'checked', 'controlled', 'stubborn'])
      expect(stdout).toMatch(new RegExp(`^${name} +ready `, 'm'));
    expect(stdout).toMatch(/^quick +(?:starting|ready|stopping|backoff) /m);
    expect(stdout).toMatch(/^later +disabled /m);
    const graph = await container.exec(`${folder}/chaperonectl`, 'dependencies');
    expect(graph.stdout).toContain('web.log');
  });

  it('hears sv as before', async () => {
    const talks = new Map<Init, string>();
    for (const init of inits) {
      const container = await begin(init);
      const { stdout } = await container.exec('talk-to-sv', init === 'runsvdir' ? '/usr/bin/sv' : `${folder}/sv`);
      talks.set(init, stdout.replaceAll(/pid \d+/g, 'pid P').replaceAll(/\b\d+s\b/g, 'Ns'));
    }
    expect(talks.get('chaperone')).toBe(talks.get('runsvdir'));
  });

  it('takes a service that is added with ln, and drops one that is removed', async () => {
    const container = await begin('chaperone');
    await container.exec(
      'sh',
      '-c',
      'cp -r /etc/sv/plain /etc/sv/another && ln -s /etc/sv/another /etc/service/another',
    );
    await container.waitForLine(/plain runs with environment by-the-image/, 2);
    await container.exec('rm', '/etc/service/another');
    await eventually('another has gone', async () =>
      /unable to change/.test(await run.chaperone(container, 'status', 'another')) ? true : undefined,
    );
    expect(await container.stop()).toBe(0);
  });
});

describe('the guide on coming from runit', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../docs/guide/coming-from-runit.md'), 'utf8');
  const block = (mark: string): string => {
    const found = new RegExp(`<!-- ${mark} -->\\n+\`\`\`\\w*\\n(.*?)\`\`\``, 's').exec(guide)?.[1];
    if (found === undefined) throw new Error(`the guide has lost its block "${mark}"`);
    return found;
  };

  async function build(name: string, text: string, files: readonly string[] = []): Promise<void> {
    const context = mkdtempSync(join(tmpdir(), 'chaperone-guide-'));
    try {
      for (const file of files) {
        mkdirSync(dirname(join(context, file)), { recursive: true });
        writeFileSync(join(context, file), block(`file: ${file}`), { mode: 0o755 });
      }
      writeFileSync(join(context, 'Dockerfile'), text);
      await docker('build', '--network=host', '--quiet', '--tag', name, context);
    } finally {
      rmSync(context, { recursive: true });
    }
  }

  it('has an image that says the same before and after', async () => {
    const said: string[] = [];
    await build('chaperone-test/runit-before', block('before'), ['sv/web/run', 'sv/web/log/run', 'sv/web/finish']);
    await build(
      'chaperone-test/runit-after',
      block('after').replace('FROM before', 'FROM chaperone-test/runit-before'),
    );
    for (const each of ['chaperone-test/runit-before', 'chaperone-test/runit-after']) {
      const container = await start({ image: each });
      const line = await eventually('web has said something', async () => {
        const { stdout } = await container.exec('cat', '/var/log/web/current');
        return stdout.includes('\n') ? stdout : undefined;
      });
      said.push(line);
      if (each.endsWith('after')) {
        const { stdout } = await container.exec('chaperonectl', 'status');
        expect(stdout).toMatch(/^web +ready /m);
        expect(stdout).toMatch(/^web\.log +ready /m);
        expect(await container.stop()).toBe(0);
      }
    }
    expect(said).toEqual(['web says hello\n', 'web says hello\n']);
  });
});
