import { describe, expect, it } from 'vitest';
import { importOf, systemOf } from './imported.ts';

/** Services by their names, with what their outcome depends on. */
function commandsOf(text: string, environment?: Readonly<Record<string, string>>) {
  return Object.fromEntries(systemOf(text, environment).services.map(({ name, argv }) => [name, argv]));
}

const s6 = {
  '/etc/s6-overlay/s6-rc.d/user/type': 'bundle\n',
  '/etc/s6-overlay/s6-rc.d/user/contents.d/web': '',
  '/etc/s6-overlay/s6-rc.d/user/contents.d/stack': '',
  '/etc/s6-overlay/s6-rc.d/stack/type': 'bundle\n',
  '/etc/s6-overlay/s6-rc.d/stack/contents.d/db': '',
  '/etc/s6-overlay/s6-rc.d/web/type': 'longrun\n',
  '/etc/s6-overlay/s6-rc.d/web/run': '#!/command/with-contenv bash\nexec httpd\n',
  '/etc/s6-overlay/s6-rc.d/web/finish': '#!/bin/sh\nexit 125\n',
  '/etc/s6-overlay/s6-rc.d/web/notification-fd': '3\n',
  '/etc/s6-overlay/s6-rc.d/web/timeout-kill': '5000\n',
  '/etc/s6-overlay/s6-rc.d/web/down-signal': 'SIGQUIT\n',
  '/etc/s6-overlay/s6-rc.d/web/dependencies.d/init': '',
  '/etc/s6-overlay/s6-rc.d/web/dependencies.d/base': '',
  '/etc/s6-overlay/s6-rc.d/web/dependencies.d/stack': '',
  '/etc/s6-overlay/s6-rc.d/init/type': 'oneshot\n',
  '/etc/s6-overlay/s6-rc.d/init/up': '/etc/s6-overlay/scripts/init\n',
  '/etc/s6-overlay/s6-rc.d/init/down': 'foreground { rm -f /x }\necho down\n',
  '/etc/s6-overlay/scripts/init': '#!/command/with-contenv sh\ntrue\n',
  '/etc/s6-overlay/s6-rc.d/db/type': 'longrun\n',
  '/etc/s6-overlay/s6-rc.d/db/run': '#!/command/execlineb -P\ndb\n',
  '/etc/s6-overlay/s6-rc.d/db/producer-for': 'db-log\n',
  '/etc/s6-overlay/s6-rc.d/db-log/type': 'longrun\n',
  '/etc/s6-overlay/s6-rc.d/db-log/run': '#!/bin/sh\ncat\n',
  '/etc/s6-overlay/s6-rc.d/unused/type': 'longrun\n',
  '/etc/s6-overlay/s6-rc.d/unused/run': '#!/bin/sh\n',
  '/etc/cont-init.d/02-b': '#!/usr/bin/with-contenv sh\ntrue\n',
  '/etc/cont-init.d/01-a': '#!/bin/sh\ntrue\n',
  '/etc/fix-attrs.d/data': '/data true www:www 0640 0750\n# a comment\n',
  '/etc/cont-finish.d/bye': '#!/bin/sh\ntrue\n',
  '/etc/services.d/old/run': '#!/bin/sh\nexec old\n',
  '/etc/services.d/old/log/run': '#!/bin/sh\nexec svlogd /log\n',
  '/etc/services.d/old/down': '',
};

describe('s6-overlay', () => {
  it('becomes services in the order of their dependencies', () => {
    const { kind, text, remarks, errors } = importOf('/etc', s6);
    expect(errors).toBe('');
    expect(kind).toBe('s6-overlay');
    expect(text).toMatchInlineSnapshot(`
      "
      # starts first and does nothing, so that its stop comes last
      # from /etc/cont-finish.d/bye:1
      cont-finish-bye.service:
        type: oneshot
        service_groups: INIT
        command: 'true'
        stop_command: /etc/cont-finish.d/bye

      # from /etc/fix-attrs.d/data:1
      fix-attrs-data.service:
        type: oneshot
        service_groups: INIT
        command: '/bin/sh -ec ''find /data -exec chown www:www {} +; find /data -type f -exec chmod 0640 {} +; find /data -type d -exec chmod 0750 {} +'''

      # from /etc/cont-init.d/01-a:1
      cont-init-01-a.service:
        type: oneshot
        service_groups: INIT
        command: /etc/cont-init.d/01-a
        process_timeout: 10000h  # s6-overlay waits for it as long as it takes
        after: fix-attrs-data.service

      # from /etc/cont-init.d/02-b:1
      cont-init-02-b.service:
        type: oneshot
        service_groups: INIT
        command: sh /etc/cont-init.d/02-b
        process_timeout: 10000h  # s6-overlay waits for it as long as it takes
        after: cont-init-01-a.service

      # from /etc/services.d/old/run:1
      old.service:
        command: /etc/services.d/old/run
        directory: /etc/services.d/old
        restart: always
        restart_delay: 1
        restart_limit: unlimited
        restart_on_start_failure: true
        enabled: false  # down
        stdout: old-log.service

      # from /etc/s6-overlay/s6-rc.d/db/run:1
      db.service:
        command: /etc/s6-overlay/s6-rc.d/db/run
        directory: /etc/s6-overlay/s6-rc.d/db
        restart: always
        restart_delay: 1
        restart_limit: unlimited
        restart_on_start_failure: true
        service_groups:
          - default
          - stack
        stdout: db-log.service

      # from /etc/s6-overlay/s6-rc.d/db-log/run:1
      db-log.service:
        command: /etc/s6-overlay/s6-rc.d/db-log/run
        directory: /etc/s6-overlay/s6-rc.d/db-log
        restart: always
        restart_delay: 1
        restart_limit: unlimited
        restart_on_start_failure: true

      # from /etc/s6-overlay/s6-rc.d/init/up:1
      init.service:
        type: oneshot
        command: sh /etc/s6-overlay/scripts/init
        process_timeout: 10000h  # s6-rc waits for it as long as it takes
        stop_command: execlineb -P /etc/s6-overlay/s6-rc.d/init/down

      # from /etc/s6-overlay/s6-rc.d/unused/run:1
      unused.service:
        command: /etc/s6-overlay/s6-rc.d/unused/run
        directory: /etc/s6-overlay/s6-rc.d/unused
        restart: always
        restart_delay: 1
        restart_limit: unlimited
        restart_on_start_failure: true
        enabled: false  # no bundle of the user holds it

      # from /etc/s6-overlay/s6-rc.d/web/run:1
      web.service:
        command: bash /etc/s6-overlay/s6-rc.d/web/run
        directory: /etc/s6-overlay/s6-rc.d/web
        restart: always
        restart_delay: 1
        restart_limit: unlimited
        restart_on_start_failure: true
        after_stop: '/bin/sh -c ''if [ "$EXIT_CODE" = exited ]; then exec /etc/s6-overlay/s6-rc.d/web/finish "$EXIT_STATUS" 0; fi; n=1; while [ $n -lt 65 ] && [ "\\$(kill -l $n)" != "$EXIT_STATUS" ]; do n=\\$((n+1)); done; exec /etc/s6-overlay/s6-rc.d/web/finish 256 $n'''
        ready:
          fd: 3
        stop_timeout: 5000ms
        kill_signal: SIGQUIT
        after:
          - init.service
          - db.service

      # from /etc/services.d/old/log/run:1
      old-log.service:
        command: /etc/services.d/old/log/run
        directory: /etc/services.d/old/log
      "
    `);
    expect(remarks).toMatchInlineSnapshot(`
      [
        "/etc/s6-overlay/s6-rc.d/db/run:1: /etc/s6-overlay/s6-rc.d/db/run is run by /command/execlineb, which the image has to keep",
        "/etc/s6-overlay/s6-rc.d/init/down:1: /etc/s6-overlay/s6-rc.d/init/down is a script of execline, which the image has to keep",
        "/etc/s6-overlay/s6-rc.d/web/finish:1: the exit status 125 of finish has no counterpart: the service is started again",
      ]
    `);
    const services = Object.fromEntries(systemOf(text).services.map((service) => [service.name, service]));
    expect(services['web.service']).toMatchObject({
      prerequisites: ['db.service', 'init.service'],
      killSignal: 'SIGQUIT',
      stopTimeout: 5000,
      restartLimit: Number.POSITIVE_INFINITY,
    });
    expect(services['db.service']).toMatchObject({ groups: ['default', 'stack'], stdout: 'db-log.service' });
    expect(services['unused.service']?.enabled).toBe(false);
    expect(services['old.service']).toMatchObject({ enabled: false, stdout: 'old-log.service' });
  });

  it('in the folder of an image has the paths of the image', () => {
    const inImage = Object.fromEntries(Object.entries(s6).map(([path, text]) => [`/build/rootfs${path}`, text]));
    const { text } = importOf('/build/rootfs', inImage);
    expect(commandsOf(text)).toEqual(commandsOf(importOf('/etc', s6).text));
  });
});

describe('a Procfile', () => {
  it('becomes a service for each line, with the ports of foreman', () => {
    const { kind, text, remarks } = importOf('/app', {
      '/app/Procfile':
        'web: bin/web -p $PORT\nworker: bin/work `id` `id` "$(x)"\n\n# note\nrelease: bin/migrate\nbad line\n',
      '/app/.env': 'A=1\n',
    });
    expect(kind).toBe('procfile');
    expect(remarks).toEqual(['/app/Procfile:6: this line is not NAME: COMMAND']);
    const { services } = systemOf(text);
    expect(services).toMatchObject([
      { name: 'web.service', argv: ['/bin/sh', '-c', 'bin/web -p $PORT'], directory: '/app', exitKills: true },
      {
        name: 'worker.service',
        argv: ['/bin/sh', '-c', 'bin/work `id` `id` "$(x)"'],
        prerequisites: ['release.service'],
      },
      { name: 'release.service', type: 'oneshot', argv: ['/bin/sh', '-c', 'bin/migrate'] },
    ]);
    expect(text).toContain("PORT: '5100'");
  });
});

describe('a file of Compose', () => {
  const file = `
x-common: &common { restart: unless-stopped }
services:
  db:
    <<: *common
    image: postgres
    command: ["postgres", "-c", "x=\${SIZE:-4}", "$\${HOME}", "$$(date)", "it's"]
    environment: { A: b, PASSED: , N: 3, P: "$\${x}\${SIZE}" }
    healthcheck: { test: ["CMD-SHELL", "pg_isready || exit 1"], interval: 5s, retries: 5 }
    stop_grace_period: 1m30s
    stop_signal: SIGINT
    user: "www:users"
    ports: ["5432:5432"]
    ulimits: { nofile: { soft: 1024, hard: 4096 }, core: -1 }
  migrate:
    command: bin/migrate --to "last one"
    depends_on: { db: { condition: service_healthy } }
  web:
    entrypoint: /entry.sh
    command: serve $PORT
    working_dir: /srv
    environment:
      - X=1
      - PASSED
    env_file: ./web.env
    depends_on:
      migrate: { condition: service_completed_successfully }
      db: { condition: service_started, restart: true }
      gone: { condition: service_started }
  image-only:
    image: redis
    restart: on-failure:3
    depends_on: [web]
volumes: { data: {} }
`;

  it('becomes services of one container', () => {
    const { kind, text, remarks, errors } = importOf('/app/compose.yaml', { '/app/compose.yaml': file });
    expect(errors).toBe('');
    expect(kind).toBe('compose');
    expect(text).toMatchInlineSnapshot(`
      "
      # where its image has an ENTRYPOINT, that stands before the command
      # from /app/compose.yaml:4
      db.service:
        restart: unless-stopped
        restart_on_start_failure: true
        restart_delay: 100ms  # as Docker begins
        restart_backoff: 2
        restart_limit: unlimited
        env_set:
          A: b
          'N': '3'
          P: '\\\${x}$(SIZE:-)'
        healthcheck:
          test:
            - CMD-SHELL
            - 'pg_isready || exit 1'
          interval: 5s
          retries: 5
        stop_timeout: '1m30s'
        kill_signal: SIGINT
        uid: www
        gid: users
        limits:
          nofile: '1024:4096'
          core: unlimited
        command: 'postgres -c ''x=$(SIZE:-4)'' ''\\\${HOME}'' ''\\$(date)'' ''it''\\''''s'''

      # where its image has an ENTRYPOINT, that stands before the command
      # from /app/compose.yaml:15
      migrate.service:
        after:
          - 'db.service:healthy'
        command: 'bin/migrate --to ''last one'''
        type: oneshot  # another service waits for its end
        process_timeout: 10000h  # Compose waits for it as long as it takes

      # from /app/compose.yaml:18
      web.service:
        directory: /srv
        env_set:
          X: '1'
        env_file:
          - /app/web.env
        after:
          - migrate.service
        requires:
          - 'db.service:started'
        on_prerequisite_restart: restart
        command: '/entry.sh serve ''$(PORT:-)'''
        ignore_failures: true  # a failure does not end the others

      # from /app/compose.yaml:30
      image-only.service:
        restart: 'on-failure:3'
        restart_on_start_failure: true
        restart_delay: 100ms  # as Docker begins
        restart_backoff: 2
        after:
          - 'web.service:started'
        command: 'false'  # write the command of its image here
        enabled: false
        ignore_failures: true  # a failure does not end the others
      "
    `);
    expect(remarks).toMatchInlineSnapshot(`
      [
        "/app/compose.yaml:34: volumes has no counterpart: it is for the program that runs containers",
        "/app/compose.yaml:4: services reach each other at localhost, not at their names",
        "/app/compose.yaml:6: image of db.service has no counterpart: it is for the program that runs containers",
        "/app/compose.yaml:13: ports of db.service has no counterpart: it is for the program that runs containers",
        "/app/compose.yaml:29: depends_on names gone, which is not there",
        "/app/compose.yaml:31: image of image-only.service has no counterpart: it is for the program that runs containers",
        "/app/compose.yaml:30: the command of image-only.service is that of its image: write it in its section, and take "enabled" away",
      ]
    `);
    const environment = { PATH: '/bin', PORT: '80', PASSED: 'yes', SIZE: '8' };
    expect(commandsOf(text, environment)).toEqual({
      'db.service': ['postgres', '-c', 'x=8', `\${HOME}`, '$(date)', "it's"],
      'migrate.service': ['bin/migrate', '--to', 'last one'],
      'web.service': ['/entry.sh', 'serve', '80'],
      'image-only.service': ['false'],
    });
    expect(systemOf(text, environment).services[0]).toMatchObject({
      environment: { A: 'b', N: '3', P: `\${x}8`, PASSED: 'yes' },
      account: { name: 'www', gid: 100 },
      stopTimeout: 90_000,
      killSignal: 'SIGINT',
    });
  });

  it('with mistakes is told where they are', () => {
    const { errors } = importOf('/app/compose.yaml', { '/app/compose.yaml': 'services:\n  web: { command: "x }\n' });
    expect(errors).toContain('/app/compose.yaml:2:19:');
  });
});

describe('other files', () => {
  it('of supervisord keep variables of the environment open', () => {
    const { kind, text, remarks } = importOf(
      '/srv',
      {
        '/srv/supervisord.conf': '[supervisord]\nnodaemon=true\n[include]\nfiles=conf.d/*.conf\n',
        '/srv/conf.d/web.conf':
          '[program:web]\ncommand=web -p %(ENV_PORT)s "%(ENV_NAME)s x" %(host_node_name)s\nnumprocs=%(ENV_N)s\nprocess_name=web%(process_num)d\ndirectory=%(here)s\nenvironment=A="%(ENV_PORT)s"\n',
      },
      { environment: { N: '2' } },
    );
    expect(kind).toBe('supervisord');
    expect(remarks).toEqual([
      '/srv/supervisord.conf:1: nodaemon in [supervisord] is about supervisord itself, and not used',
    ]);
    const environment = { PATH: '/bin', PORT: '80', NAME: 'a b', HOSTNAME: 'box' };
    expect(commandsOf(text, environment)).toEqual({
      'web0.service': ['web', '-p', '80', 'a b x', 'box'],
      'web1.service': ['web', '-p', '80', 'a b x', 'box'],
    });
    expect(systemOf(text, environment).services[0]).toMatchObject({
      directory: '/srv/conf.d',
      environment: { A: '80' },
    });
  });

  it('of runit become what they are where they are read at boot', () => {
    const { kind, text } = importOf('/etc/service', { '/etc/service/web/run': '#!/bin/sh\nexec web\n' });
    expect(kind).toBe('runit');
    expect(systemOf(text).services).toMatchObject([
      { name: 'web.service', argv: ['./run'], directory: '/etc/service/web' },
    ]);
  });

  it('that nobody knows, or that are not there, are refused', () => {
    expect(importOf('/x', { '/x/readme.txt': 'hello' }).errors).toContain('looks like none of the files');
    expect(importOf('/nowhere', {}).errors).toContain('cannot read "/nowhere": it does not exist');
    expect(importOf('/x.yaml', { '/x.yaml': 'web.service: {}' }).errors).toContain('expected --from runit|supervisord');
  });
});
