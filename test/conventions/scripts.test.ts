import { describe, expect, it } from 'vitest';
import { renderWarnings } from '../../src/config/render-diagnostics.ts';
import { type ImageFile, loadImage } from './memory-image.ts';

const program = '#!/bin/sh\n';
const script = (modified: number): ImageFile => ({ text: program, modified });

/** The services of an image in their order, with what each waits for. */
function chain(files: Readonly<Record<string, ImageFile>>) {
  const { spec } = loadImage(files);
  return spec?.services.map(({ name, argv, prerequisites }) => [name.replace(/\.service$/, ''), argv, prerequisites]);
}

describe('boot scripts', () => {
  it('are a chain of oneshots in INIT: my_init in byte order, rc.local, boot.d in the order of numbers', () => {
    expect(
      chain({
        '/etc/my_init.d/a': program,
        '/etc/my_init.d/10': program,
        '/etc/my_init.d/9': program,
        '/etc/my_init.d/.hidden': program,
        '/etc/rc.local': program,
        '/etc/boot.d/10_x': program,
        '/etc/boot.d/2_y': program,
      }),
    ).toEqual([
      ['boot-script-my_init-10', ['/etc/my_init.d/10'], []],
      ['boot-script-my_init-9', ['/etc/my_init.d/9'], ['boot-script-my_init-10.service']],
      ['boot-script-my_init-a', ['/etc/my_init.d/a'], ['boot-script-my_init-9.service']],
      ['boot-script-rc.local', ['/etc/rc.local'], ['boot-script-my_init-a.service']],
      ['boot-script-boot-2_y', ['/etc/boot.d/2_y'], ['boot-script-rc.local.service']],
      ['boot-script-boot-10_x', ['/etc/boot.d/10_x'], ['boot-script-boot-2_y.service']],
    ]);
    const { spec } = loadImage({ '/etc/rc.local': program });
    expect(spec?.services[0]).toMatchObject({
      type: 'oneshot',
      groups: ['INIT', 'boot-scripts'],
      ignoreFailures: false,
    });
  });

  it('may have names that shells and chaperone treat in their own ways', () => {
    const name = "a b$(x)'$HOME";
    const { spec, diagnostics } = loadImage({ [`/etc/my_init.d/${name}`]: program, '/etc/my_init.d/`id`': program });
    expect(spec?.services.map(({ argv }) => argv)).toEqual([[`/etc/my_init.d/${name}`]]);
    expect(renderWarnings(diagnostics)).toContain('is not run: its name holds a backtick');
  });

  it('are left out with a warning that names them where they cannot be run', () => {
    const { spec, diagnostics } = loadImage({
      '/etc/my_init.d/text': 'no program',
      '/etc/my_init.d/folder/x': '',
      '/etc/my_init.d/circle': { error: 'ELOOP' },
      '/etc/boot.d/unnumbered': program,
      '/etc/rc.local': { text: program, executable: false },
    });
    expect(spec?.services).toEqual([]);
    const said = renderWarnings(diagnostics);
    for (const path of ['my_init.d/text', 'my_init.d/folder', 'my_init.d/circle', 'boot.d/unnumbered', 'rc.local']) {
      expect(said).toContain(`"/etc/${path}" is not r`);
    }
  });
});

describe('pre-start scripts', () => {
  it('are run with bash behind all boot scripts, the oldest first, whether they are executable or not', () => {
    expect(
      chain({
        '/etc/rc.local': program,
        '/prestartup/b.sh': script(1),
        '/prestartup/a.sh': { text: 'echo', modified: 2 },
        '/prestartup/readme.txt': 'text',
        '/entrypoint-local.sh': script(0),
      }),
    ).toEqual([
      ['boot-script-rc.local', ['/etc/rc.local'], []],
      ['prestart-script-entrypoint-local.sh', ['bash', '/entrypoint-local.sh'], ['boot-script-rc.local.service']],
      ['prestart-script-b.sh', ['bash', '/prestartup/b.sh'], ['prestart-script-entrypoint-local.sh.service']],
      ['prestart-script-a.sh', ['bash', '/prestartup/a.sh'], ['prestart-script-b.sh.service']],
    ]);
  });
});

describe('shutdown scripts', () => {
  it('are commands of the stop of two services, of which one starts first and the other last', () => {
    const { spec, diagnostics } = loadImage({
      '/etc/my_init.pre_shutdown.d/2': program,
      '/etc/my_init.pre_shutdown.d/1': program,
      '/etc/my_init.post_shutdown.d/x': program,
      '/etc/my_init.post_shutdown.d/text': 'text',
    });
    expect(renderWarnings(diagnostics)).toContain(
      '"/etc/my_init.post_shutdown.d/text" is not run: it is not executable',
    );
    const shown = spec?.services.map(({ name, groups, hooks }) => [
      name,
      groups[0],
      hooks?.commands['before_stop']?.map(({ command }) => command),
    ]);
    expect(shown).toEqual([
      ['pre-shutdown-scripts.service', 'IDLE', ['/etc/my_init.pre_shutdown.d/1', '/etc/my_init.pre_shutdown.d/2']],
      ['post-shutdown-scripts.service', 'INIT', ['/etc/my_init.post_shutdown.d/x']],
    ]);
  });

  it('make no service where there are none', () => {
    expect(loadImage({ '/etc/my_init.pre_shutdown.d/': '' }).spec?.services).toEqual([]);
  });
});

describe('the folder of variables', () => {
  const folder = '/etc/container_environment';

  it('adds to what the container was started with, as data', () => {
    const { spec, diagnostics } = loadImage(
      {
        [`${folder}/FROM`]: 'folder $(HOME) `id`\n\n',
        [`${folder}/GIVEN`]: 'folder',
        '/etc/chaperone.d/x.conf': 'x.service: { command: "echo $(GIVEN)" }\n',
      },
      { GIVEN: 'started with', HOME: '/root' },
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(['unexpanded-value']);
    expect(spec?.services[0]?.environment).toMatchObject({ FROM: 'folder $(HOME) `id`\n', GIVEN: 'started with' });
    expect(spec?.services[0]?.argv).toEqual(['echo', 'started', 'with']);
    expect(spec?.variableFolder).toBe(folder);
  });

  it('tells of each file that gives no variable', () => {
    const { diagnostics } = loadImage({
      [`${folder}/NUL`]: 'a\0b',
      [`${folder}/no-name`]: 'x',
      [`${folder}/FOLDER/x`]: 'x',
      [`${folder}/SECRET`]: { error: 'EACCES' },
    });
    expect(diagnostics.map(({ message }) => message).sort()).toEqual([
      `"${folder}/FOLDER" is not read: it is no file`,
      `"${folder}/NUL" is not read: it holds a NUL byte, which no variable can hold`,
      `"${folder}/SECRET" is not read: permission denied`,
      `"${folder}/no-name" is not read: its name is no name of a variable`,
    ]);
  });
});
