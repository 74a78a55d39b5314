/**
 * What images bring along that was made for other inits: where it stands, and what becomes of it. The readers are in
 * src/conventions, which is loaded only where one of these paths exists.
 */
export interface ConventionRow {
  /** The key in `compat` of the settings. */
  readonly name: ConventionName;
  /** Absolute paths of folders and files; the convention is met where one of them exists. */
  readonly paths: readonly string[];
  /** Whether it is read where the settings say nothing. */
  readonly on: boolean;
  /** For documentation: what becomes of it. */
  readonly becomes: string;
}

export type ConventionName =
  | 'persistence'
  | 'environment_folder'
  | 'my_init'
  | 'prestart'
  | 'shutdown_scripts'
  | 'runit'
  | 'supervisord'
  | 'crontab'
  | 'sshd';

/** In the order in which they are read. */
export const conventions: readonly ConventionRow[] = [
  {
    name: 'persistence',
    paths: ['/persistent'],
    on: true,
    becomes: 'folders that are kept there',
  },
  {
    name: 'environment_folder',
    paths: ['/etc/container_environment'],
    on: true,
    becomes: 'variables, a file each',
  },
  {
    name: 'my_init',
    paths: ['/etc/my_init.d', '/etc/rc.local', '/etc/boot.d'],
    on: true,
    becomes: 'oneshots before all other services',
  },
  {
    name: 'prestart',
    paths: ['/prestartup', '/entrypoint-local.sh'],
    on: true,
    becomes: 'scripts behind those',
  },
  {
    name: 'shutdown_scripts',
    paths: ['/etc/my_init.pre_shutdown.d', '/etc/my_init.post_shutdown.d'],
    on: true,
    becomes: 'scripts around the stop of all services',
  },
  { name: 'runit', paths: ['/etc/service'], on: true, becomes: 'a service a folder' },
  {
    name: 'supervisord',
    paths: ['/etc/supervisord.conf', '/etc/supervisor/supervisord.conf', '/etc/supervisor/conf.d'],
    on: true,
    becomes: 'a service a program',
  },
  {
    name: 'crontab',
    paths: [
      '/etc/crontab',
      '/etc/cron.d',
      '/etc/cron.hourly',
      '/etc/cron.daily',
      '/etc/cron.weekly',
      '/etc/cron.monthly',
    ],
    on: false,
    becomes: 'cron services',
  },
  {
    name: 'sshd',
    paths: ['/usr/sbin/sshd'],
    on: false,
    becomes: 'a service `sshd` with host keys of its own, for the keys that the container is given',
  },
];
