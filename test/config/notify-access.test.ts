import { describe, expect, it } from 'vitest';
import { errorsOf, serviceOf, warningsOf } from './loading.ts';

const web = (more: string): string => `web.service: { command: /bin/true, ${more} }`;

describe('notify_access', () => {
  it.each(['main', 'exec', 'all'] as const)('may be %s', (access) => {
    expect(serviceOf(web(`type: notify, notify_access: ${access}`)).notifyAccess).toBe(access);
  });

  it('takes no other word, and not that which only a service itself may say', () => {
    expect(errorsOf(web('type: notify, notify_access: exek'))).toContain('did you mean "exec"?');
    expect(errorsOf(web('type: notify, notify_access: none'))).toContain('notify_access');
  });

  it('has no effect on a service that has no notify socket', () => {
    expect(warningsOf(web('notify_access: all'))).toContain(
      'notify_access of web.service has no effect: its type is simple',
    );
    expect(serviceOf(web('notify_access: all')).notifyAccess).toBeUndefined();
  });
});
