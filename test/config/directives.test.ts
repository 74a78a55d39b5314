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
      'compat control debug detect_exit enable_syslog env_expand env_inherit env_set env_unset gid idle_delay ignore_failures inspect log_socket logrec_hostname max_line metrics otel process_timeout shutdown_timeout startup_pause status_interval timezone uid',
    );
    expect(keys('inspect')).toBe('journal max_size records');
    expect(keys('metrics')).toBe('listen');
    expect(keys('service')).toBe(
      'after after_start after_stop before before_start before_stop capabilities catch_up command cpu_affinity debug directory enabled env_dir env_file env_inherit env_set env_unset exit_kills gid healthcheck healthy ignore_failures instances interval jitter kill_mode kill_signal limits log_rate max_connections max_runtime nice no_new_privileges notify_access on_failure on_prerequisite_failure on_prerequisite_restart on_success on_unhealthy oom_score_adjust optional overlap pidfile port process_timeout ready reload_command reload_signal remain_after_exit requires restart restart_backoff restart_delay restart_delay_max restart_jitter restart_limit restart_on_start_failure restart_prevent restart_window run_at_start secrets service_groups setpgrp start_if startup_pause stderr stdout stop_command stop_timeout success_exit supplementary_groups timezone type uid umask wants watchdog',
    );
    expect(keys('logging')).toBe(
      'compress enabled extended file format gid keep logrec_hostname max_age max_size mode on_error overflow overwrite parse_json rotate_every selector stderr stdout syslog_host timestamp uid',
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
    expect(expanding('metrics')).toBe('listen');
    expect(expanding('service')).toBe(
      'capabilities catch_up command cpu_affinity directory enabled env_dir env_file gid healthcheck healthy instances interval jitter kill_mode kill_signal limits log_rate max_runtime nice no_new_privileges on_failure on_prerequisite_failure on_prerequisite_restart on_success on_unhealthy oom_score_adjust overlap pidfile port ready reload_command reload_signal remain_after_exit restart restart_backoff restart_delay restart_delay_max restart_jitter restart_limit restart_on_start_failure restart_prevent restart_window run_at_start secrets start_if stderr stdout stop_timeout success_exit supplementary_groups timezone uid umask',
    );
    expect(expanding('logging')).toBe(
      'compress enabled file gid keep logrec_hostname max_age max_size mode rotate_every selector syslog_host uid',
    );
  });
});
