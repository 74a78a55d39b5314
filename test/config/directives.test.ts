import { describe, expect, it } from 'vitest';
import { directives, type SectionKind } from '../../src/config/directives.ts';

function keys(kind: SectionKind): string {
  return [...directives[kind].values()]
    .map(({ key }) => key)
    .sort()
    .join(' ');
}

describe('directives', () => {
  it('has every key, and no other', () => {
    expect(keys('settings')).toBe(
      'control debug detect_exit enable_syslog env_inherit env_set env_unset gid idle_delay ignore_failures inspect log_socket logrec_hostname process_timeout shutdown_timeout startup_pause status_interval timezone uid',
    );
    expect(keys('inspect')).toBe('journal max_size records');
    expect(keys('service')).toBe(
      'after before command debug directory enabled env_inherit env_set env_unset exit_kills gid ignore_failures interval kill_mode kill_signal max_connections on_failure optional pidfile port process_timeout remain_after_exit restart restart_delay restart_limit service_groups setpgrp startup_pause stderr stdout type uid watchdog',
    );
    expect(keys('logging')).toBe(
      'enabled extended file format gid logrec_hostname overwrite selector stderr stdout syslog_host timestamp uid',
    );
  });

  it('expands what the reference marks as env', () => {
    const expanding = (kind: SectionKind) =>
      [...directives[kind].values()]
        .filter(({ expands }) => expands)
        .map(({ key }) => key)
        .sort()
        .join(' ');
    expect(expanding('settings')).toBe('gid log_socket timezone uid');
    expect(expanding('inspect')).toBe('journal');
    expect(expanding('service')).toBe(
      'command directory enabled gid interval on_failure pidfile port remain_after_exit stderr stdout uid',
    );
    expect(expanding('logging')).toBe('enabled file gid logrec_hostname selector syslog_host uid');
  });
});
