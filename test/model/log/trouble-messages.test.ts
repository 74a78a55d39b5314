/** What is said of what goes wrong at the edges: sinks, journals, daemons, notifications. */
import { describe, expect, it } from 'vitest';
import {
  failureText,
  helperFailed,
  journalRefuses,
  notifyRefused,
  notifyTruncated,
  pidfileKept,
  pidRefused,
  pidVanished,
  sinkRefuses,
} from '../../../src/model/log/messages.ts';
import type { FollowRefusal, PidfileTrouble } from '../../../src/model/service/pidfile.ts';
import { oneLine } from '../../../src/model/words/printable.ts';
import { serviceSpec } from '../specs.ts';

describe('a sink that refuses', () => {
  it.each([
    [
      'EROFS',
      false,
      'cannot write log records to /var/log/a (EROFS, read-only file system); those that are lost are counted',
    ],
    ['EXYZ', true, 'cannot write log records to /var/log/a (EXYZ); they go to stderr until that works again'],
  ])('%s', (code, diverted, text) => {
    expect(sinkRefuses('/var/log/a', code, diverted)).toEqual({ severity: 'warning', text });
  });
});

describe('a journal that refuses', () => {
  it.each([
    ['ENOSPC', 'entries wait in memory, and those that are lost are counted'],
    ['EDQUOT', 'entries wait in memory, and those that are lost are counted'],
    ['EACCES', 'this boot is not recorded'],
    ['NOT_A_JOURNAL', 'it holds something other than a journal): this boot is not recorded'],
    ['NOT_A_FILE', 'it is not a regular file): this boot is not recorded'],
    ['ELOOP', 'ELOOP, it is a symbolic link): this boot is not recorded'],
  ])('%s: %s', (code, consequence) => {
    const { severity, text } = journalRefuses('/var/log/boots', code);
    expect(severity).toBe('warning');
    expect(text).toContain('cannot write the journal /var/log/boots (');
    expect(text.endsWith(consequence)).toBe(true);
  });
});

describe('a process that is not followed', () => {
  it('is one that is none of the service, or is not there', () => {
    const refused = (refusal: FollowRefusal, owner?: string): string =>
      pidRefused('web', 7, "pid file '/run/a'", refusal, owner).text;
    const why = "web does not follow pid 7 from pid file '/run/a': ";
    expect(refused('foreign')).toBe(
      `${why}it neither belongs to the service nor runs under the service's own account, and only root may name any other process`,
    );
    expect(refused('own')).toBe(`${why}it is a process of chaperone itself`);
    expect(refused('first')).toBe(`${why}PID 1 is never a process of a service`);
    expect(refused('owned', 'store.service')).toBe(`${why}the process belongs to store.service`);
    expect(refused('owned')).toBe(`${why}the process belongs to another service`);
    expect(refused('old')).toBe(`${why}the process is older than this start of the service`);
    expect(pidVanished('web', 7, 'MAINPID').text).toBe(
      'web does not follow pid 7 from MAINPID: there is no such process',
    );
    expect(pidfileKept('web', '/run/a', 'EACCES').text).toBe(
      "web is stopped, but its pid file '/run/a' cannot be removed (EACCES)",
    );
  });

  it.each<[PidfileTrouble, string]>([
    ['absent', "web.service did not find pid file '/run/a' before 30sec process_timeout expired"],
    ['unchanged', "web.service did not find pid file '/run/a' before 30sec process_timeout expired"],
    ['garbage', "web.service found pid file '/run/a' but contents did not contain an integer"],
    ['dead', "web.service found pid file '/run/a' but no process lives under the pid in it"],
    ['refused', "web.service found pid file '/run/a' but the pid in it may not be followed"],
  ])('is told as its start fails: %s', (trouble, text) => {
    expect(failureText(serviceSpec(), { kind: 'pidfile', file: '/run/a', trouble, timeout: 30_000 })).toContain(text);
  });
});

it('a notification that does not count, or is too long, is told', () => {
  const refused = 'which may not send any (NOTIFYACCESS=main): the sender,';
  const rest = 'is none that notify_access permits; further ones are ignored without a word';
  expect(notifyRefused('web', { pid: 7, uid: 1000 }, 'main')).toEqual({
    severity: 'warning',
    text: `web got a notification from pid 7, ${refused} of uid 1000, ${rest}`,
  });
  expect(notifyRefused('web', { pid: 0, uid: 0 }, 'main').text).toBe(
    `web got a notification from pid 0, ${refused} from outside of the pid namespace, ${rest}`,
  );
  expect(helperFailed('web', 7, 'ERRNO=2')).toEqual({
    severity: 'debug',
    text: "web got ERRNO=2 from pid 7, which is not its main process: it does not count as the service's error",
  });
  expect(notifyTruncated('web')).toEqual({
    severity: 'warning',
    text: 'web sent a notification that is too long; only its beginning was read',
  });
});

it.each([
  ['one', 'one'],
  ['  one\ntwo  ', 'one two'],
  ['one  \n\n\t two', 'one two'],
  ['one two', 'one two'],
  ['one\u001btwo', 'one\\x1btwo'],
])('%j is one line: %j', (text, line) => {
  expect(oneLine(text)).toBe(line);
});
