import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../../src/model/log/log-record.ts';
import {
  compileSelector,
  parseSelector,
  type SelectorResult,
  selectsNothing,
} from '../../../src/model/log/selector.ts';
import { facilities, severities } from '../../../src/model/log/syslog-names.ts';

function record(changes: Partial<LogRecord> = {}): LogRecord {
  return { time: 0, facility: 'daemon', severity: 'info', program: 'web', pid: 12, message: 'ready', ...changes };
}

/**
 * Section 3 of the reference, read literally and slowly: no tables, no masks, each part asked about each record. It shares
 * nothing with the program but the text that it reads.
 */
function literally(selector: string, it: LogRecord, widenTo?: string): boolean {
  const facilityNames = (
    'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock ' +
    'local0 local1 local2 local3 local4 local5 local6 local7'
  ).split(' ');
  const priorityNames: Record<string, number> = { debug: 7, info: 6, notice: 5, warn: 4, warning: 4 };
  Object.assign(priorityNames, { err: 3, error: 3, crit: 2, alert: 1, emerg: 0, panic: 0 });
  const severity = priorityNames[it.severity] ?? -1;
  const text = it.raw ?? `${it.program}[${it.pid}]: ${it.message}`;

  const facilityMatches = (facility: string): boolean => {
    if (facility === '*') return true;
    if (/^\[[^\]]+@\]$/.test(facility)) return it.program.toLowerCase().startsWith(facility.slice(1, -1).toLowerCase());
    if (facility.startsWith('[')) return it.program.toLowerCase() === facility.slice(1, -1).toLowerCase();
    if (facility.startsWith('/')) return new RegExp(facility.slice(1, -1), 'i').test(text);
    return facility.split(',').some((name) => {
      const asNumber = /^\d+$/.test(name) ? facilityNames[Number(name)] : name.toLowerCase();
      return (asNumber === 'altcron' ? 'clock' : asNumber) === it.facility;
    });
  };

  let taken = false;
  let excluded = false;
  for (const part of (selector.trim() === '' ? '*.*' : selector).split(';')) {
    const match = /^(!?)(\*|\[.*\]|\/.*\/|[\w,]+)\.(!?)(=?)(\*|\w+)$/.exec(part.trim());
    if (match === null) throw new Error(`the test cannot read ${part}`);
    const [, before, facility = '', behind, exactly, word = ''] = match;
    const negative = before === '!' || behind === '!';
    const wanted = priorityNames[word.toLowerCase()] ?? -1;
    let priority = word === '*' || (exactly === '=' ? severity === wanted : severity <= wanted);
    if (!negative && word !== '*' && widenTo !== undefined && severity <= (priorityNames[widenTo] ?? -1))
      priority = true;
    const named = facilityMatches(facility);
    if (!negative) taken ||= named && priority;
    else if (before === '!' && behind === '!') excluded ||= named || priority;
    else excluded ||= named && priority;
  }
  return taken && !excluded;
}

/** One letter a severity, from emerg to debug: what a selector takes of one facility. */
function taken(selector: string, facility: LogRecord['facility'], changes: Partial<LogRecord> = {}): string {
  const takes = compileSelector(selector);
  return [...'eacrwnid']
    .filter((_, number) => takes(record({ facility, severity: severities[number] ?? 'info', ...changes })))
    .join('');
}

describe('a compiled selector', () => {
  // Written by hand, from the reference: what is taken of mail, of cron and of local5.
  it.each([
    ['', 'eacrwnid', 'eacrwnid', 'eacrwnid'],
    ['*.*', 'eacrwnid', 'eacrwnid', 'eacrwnid'],
    ['*.info', 'eacrwni', 'eacrwni', 'eacrwni'],
    ['*.err', 'eacr', 'eacr', 'eacr'],
    ['*.=err', 'r', 'r', 'r'],
    ['*.error', 'eacr', 'eacr', 'eacr'],
    ['*.panic', 'e', 'e', 'e'],
    ['*.warning', 'eacrw', 'eacrw', 'eacrw'],
    ['*.=*', 'eacrwnid', 'eacrwnid', 'eacrwnid'],
    ['mail.*', 'eacrwnid', '', ''],
    ['MAIL.Info', 'eacrwni', '', ''],
    ['2.info', 'eacrwni', '', ''],
    ['mail,cron.crit', 'eac', 'eac', ''],
    ['mail,9.crit', 'eac', 'eac', ''],
    ['mail.info;cron.=debug', 'eacrwni', 'd', ''],
    ['*.!info', '', '', ''],
    ['!mail.*', '', '', ''],
    ['*.*;*.!err', 'wnid', 'wnid', 'wnid'],
    ['*.*;*.!=err', 'eacwnid', 'eacwnid', 'eacwnid'],
    ['*.*;!mail.*', '', 'eacrwnid', 'eacrwnid'],
    ['*.*;!mail.err', 'wnid', 'eacrwnid', 'eacrwnid'],
    ['*.*;mail.!err', 'wnid', 'eacrwnid', 'eacrwnid'],
    ['*.*;!mail.=err', 'eacwnid', 'eacrwnid', 'eacrwnid'],
    ['*.*;mail.!=err', 'eacwnid', 'eacrwnid', 'eacrwnid'],
    // Both: whatever is of mail or at err and more severe.
    ['*.*;!mail.!err', '', 'wnid', 'wnid'],
    ['*.*;!mail.!=err', '', 'eacwnid', 'eacwnid'],
    ['*.*;!mail.!*', '', '', ''],
    ['*.info;!mail,cron.*', '', '', 'eacrwni'],
    ['*.* ; !local5.* ;!cron.*', 'eacrwnid', '', ''],
    ['local5.notice;*.!=alert', '', '', 'ecrwn'],
    ['*.debug;mail.!*', '', 'eacrwnid', 'eacrwnid'],
    ['21.*', '', '', 'eacrwnid'],
  ] as const)('%j takes mail %j, cron %j, local5 %j', (selector, mail, cron, local5) => {
    expect([taken(selector, 'mail'), taken(selector, 'cron'), taken(selector, 'local5')]).toEqual([mail, cron, local5]);
  });

  it.each([
    '*.*',
    '*.debug',
    '*.=debug',
    'kern.*',
    'kern,user,mail,daemon.info',
    '0,1,2,23.notice',
    'clock.*',
    'altcron.=crit',
    'audit,alert,ntp.*;audit.!err',
    'auth,authpriv.*',
    '*.info;!auth,authpriv.*',
    '*.info;auth,authpriv.!*',
    '*.*;!*.!debug',
    '*.*;!kern.!emerg',
    '*.*;!23.!=info;user.!crit',
    'local0.*;local1.info;local2.=err;local7.!err',
    '*.emerg;*.=debug',
    '*.=info;*.=notice;*.=warning',
    'lpr,news,uucp.crit;*.alert',
    'ftp.*;!ftp.=debug;!ftp.=info',
    '*.*;!*.=debug',
    '*.*;*.!=debug;*.!=emerg',
    'syslog.panic',
    'cron.*;!cron.err;cron.!=debug',
    '!kern.*;user.*',
    'daemon.*;!daemon.*',
    '*.*;!daemon.*;daemon.=info',
    'local3,local4,local5,local6.warn',
    'mail.debug;mail.!info',
    '!mail.!warning;*.*',
    '*.crit;[web].*',
    '[other].*',
    '*.*;![WEB].*',
    '*.*;![web].!err',
    '![web].!err;*.info',
    '/READY/.info',
    '*.*;!/ready/.*',
    '*.*;!/nothing/.!crit',
    '/web\\[12\\]/.=info;kern.*',
  ])('%j agrees with the reference, for each facility and severity', (selector) => {
    const takes = compileSelector(selector);
    for (const facility of facilities) {
      for (const severity of severities) {
        const it = record({ facility, severity });
        expect([facility, severity, takes(it)]).toEqual([facility, severity, literally(selector, it)]);
      }
    }
  });

  const name = fc.constantFrom(...facilities, 'altcron', 'Mail', ...facilities.map((_, number) => String(number)));
  const facility = fc.oneof(
    { weight: 2, arbitrary: fc.constant('*') },
    { weight: 4, arbitrary: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join(',')) },
    { weight: 2, arbitrary: fc.constantFrom('[web]', '[WEB]', '[web@]', '[cron]', '[a b]', '[x.y]') },
    { weight: 2, arbitrary: fc.constantFrom('/ready/', '/^<13>/', '/web.*(up|down)/', '/a\\/b/', '/x$/', '/.*/') },
  );
  const priority = fc.constantFrom(
    '*',
    'debug',
    'info',
    'notice',
    'warn',
    'error',
    'err',
    'CRIT',
    'alert',
    'panic',
    'emerg',
  );
  const mark = (character: string) => fc.constantFrom('', '', character);
  const part = fc.tuple(mark('!'), facility, mark('!'), mark('='), priority);
  const selectors = fc
    .array(
      part.map(([before, named, behind, exactly, word]) => `${before}${named}.${behind}${exactly}${word}`),
      { minLength: 1, maxLength: 5 },
    )
    .chain((parts) => fc.constantFrom(';', ' ; ', '; ').map((separator) => parts.join(separator)));
  const records = fc.record({
    time: fc.constant(0),
    facility: fc.constantFrom(...facilities),
    severity: fc.constantFrom(...severities),
    program: fc.constantFrom('web', 'Cron', 'a b', 'x.y', 'chaperone'),
    pid: fc.constant(7),
    message: fc.constantFrom('ready', 'is up', 'a/b', 'x', 'going down', ''),
    raw: fc.option(fc.constantFrom('<13>web: ready', '<30>x', 'web is DOWN'), { nil: undefined }),
  });

  it('agrees with the reference, whatever the selector and the record', () => {
    fc.assert(
      fc.property(selectors, fc.array(records, { minLength: 1, maxLength: 20 }), (selector, all) => {
        const takes = compileSelector(selector);
        expect(all.map(takes)).toEqual(all.map((one) => literally(selector, one)));
      }),
      { numRuns: 2000 },
    );
  });

  it('agrees with the reference when --log-level widens it', () => {
    fc.assert(
      fc.property(selectors, fc.constantFrom(...severities), records, (selector, widenTo, one) => {
        expect(compileSelector(selector, { widenTo })(one)).toBe(literally(selector, one, widenTo));
      }),
      { numRuns: 2000 },
    );
  });

  it('is widened in positive parts that name a priority, and nowhere else', () => {
    const wide = (selector: string) => {
      const takes = compileSelector(selector, { widenTo: 'info' });
      return severities.filter((severity) => takes(record({ severity }))).length;
    };
    expect(wide('*.err')).toBe(7);
    expect(wide('*.debug')).toBe(8);
    expect(wide('*.=debug')).toBe(8);
    expect(wide('mail.err')).toBe(0);
    expect(wide('*.err;*.!crit')).toBe(4);
    expect(wide('*.!err')).toBe(0);
  });

  it('compares programs whole and in any case', () => {
    expect(taken('[Nginx].*', 'user', { program: 'NGINX' })).toBe('eacrwnid');
    expect(taken('[nginx].*', 'user', { program: 'nginx2' })).toBe('');
    expect(taken('[my app].*', 'user', { program: 'My App' })).toBe('eacrwnid');
    expect(taken('[nginx].*', 'user', { program: '' })).toBe('');
  });

  it('takes a name that ends in @ for all instances of a template', () => {
    expect(taken('[worker@].*', 'user', { program: 'worker@1' })).toBe('eacrwnid');
    expect(taken('[Worker@].*', 'user', { program: 'WORKER@mail' })).toBe('eacrwnid');
    expect(taken('[worker@].*', 'user', { program: 'worker' })).toBe('');
    expect(taken('[worker@1].*', 'user', { program: 'worker@12' })).toBe('');
    expect(taken('[@].*', 'user', { program: 'worker@1' })).toBe('');
  });

  it('searches the whole record as it came in', () => {
    const raw = '<13>Jan  5 04:03:02 web[12]: GET /a/b';
    expect(taken('/^<13>/.*', 'user', { raw })).toBe('eacrwnid');
    expect(taken('/get \\/A\\/b$/.*', 'user', { raw })).toBe('eacrwnid');
    expect(taken('/^web\\[12\\]: ready$/.*', 'user')).toBe('eacrwnid');
    expect(taken('/^ready$/.*', 'user')).toBe('');
    expect(taken('/^\\?\\?: ready/.*', 'user', { program: '?', unprioritized: true })).toBe('eacrwnid');
  });

  it('runs a regular expression only where that can change the answer', () => {
    let asked = 0;
    const counting = (severity: LogRecord['severity']): LogRecord => ({
      ...record({ severity }),
      get raw() {
        asked += 1;
        return 'text';
      },
    });
    const takes = compileSelector('*.err;/text/.info;!/other/.=crit');
    expect([takes(counting('err')), takes(counting('debug')), asked]).toEqual([true, false, 0]);
    expect([takes(counting('info')), takes(counting('crit')), asked]).toEqual([true, true, 2]);
  });
});

describe('selectsNothing', () => {
  const nothing = (text: string) => {
    const result = parseSelector(text);
    return result.ok ? selectsNothing(result.selector) : undefined;
  };

  it.each([
    '*.!info',
    '!mail.*',
    '!mail.!err;![web].*',
    'mail.*;!mail.*',
    'mail.err;*.!err',
    '*.*;!*.!debug',
    '[web].err;*.!err',
    '/x/.*;!*.*',
  ])('is true of %j', (text) => {
    expect(nothing(text)).toBe(true);
  });

  it.each([
    '',
    '*.emerg',
    'mail.err;*.!crit',
    '[web].*;![web].*',
    '*.*;!/x/.*',
    'mail,cron.*;!mail.*',
  ])('is false of %j', (text) => {
    expect(nothing(text)).toBe(false);
  });
});

describe('parseSelector', () => {
  const mistake = (text: string) => {
    const result: SelectorResult = parseSelector(text);
    if (result.ok) throw new Error(`${text} was read`);
    return { at: text.slice(result.index, result.index + result.length), message: result.message, hint: result.hint };
  };

  it.each([
    ['*.loud', 'loud', '"loud" is not a priority', /^expected \*, debug, info/],
    ['*.info;*.erorr', 'erorr', '"erorr" is not a priority', /expected/],
    ['*.3', '3', '"3" is not a priority', /expected/],
    ['*.=!err', '=!err'.slice(1), '"!err" is not a priority', /at most one "!" and then one "="/],
    ['mial.info', 'mial', '"mial" is not a facility', /^expected \* or a list/],
    ['mail,corn.info', 'corn', '"corn" is not a facility', /list/],
    ['mail,.info', ',', 'a facility is missing in a list', /no ","/],
    ['24.info', '24', 'there is no facility 24', /0 to 23/],
    ['*,mail.info', '*', '"*" cannot stand in a list', /alone/],
    ['mail, cron.info', ' cron', '" cron" is not a facility', /no spaces/],
    ['*.info;', ';', 'nothing stands behind the last ";"', /no ";" at the end/],
    ['*.info ; ', ';', 'nothing stands behind the last ";"', /another part/],
    [';*.info', ';', 'nothing stands before a ";"', /FACILITY/],
    ['*.info;;*.err', ';', 'nothing stands behind a ";"', /FACILITY/],
    ['*', '*', '"*" has no priority', /FACILITY\.\[!\]\[=\]PRIORITY/],
    ['mail', 'mail', '"mail" has no priority', /such as/],
    ['*.', '.', '"*." has no priority', /expected/],
    ['*.info;.err', '.', 'a part has no facility', /expected/],
    ['!', '!', 'a part has no facility', /expected/],
    ['[web.info', '[web.info', 'a program name is never closed', /\[PROGRAM\]/],
    ['[].info', '[]', 'a program has no name', /between/],
    ['[web]info', 'info', '"info" cannot follow "[web]"', /\.PRIORITY/],
    ['[web]', '[web]', '"[web]" has no priority', /such as/],
    ['/x.info', '/x.info', 'a regular expression is never closed', /expected a "\/" after it/],
    ['/a;b/.info', '/a', 'a regular expression is never closed', /\\x3b/],
    ['//.info', '//', 'a regular expression is empty', /REGEX/],
    ['*.err;/(/.info', '/(/', 'the regular expression /(/ cannot be used: missing closing )', undefined],
    [
      '*.*;/a**/.*',
      '**',
      'the regular expression /a**/ cannot be used: invalid nested repetition operator: **',
      undefined,
    ],
    [
      '*.*;/a(?=b)/.*',
      '(?=',
      'the regular expression /a(?=b)/ cannot be used: it has a look-around, (?=…)',
      /"!\/REGEX\/\.\*"/,
    ],
  ])('tells what is wrong with %j, and where', (text, at, message, hint) => {
    const found = mistake(text);
    expect([found.at, found.message]).toEqual([at, message]);
    if (hint !== undefined) expect(found.hint).toMatch(hint);
  });

  it('names what may have been meant', () => {
    const facility = parseSelector('mial.info');
    const priority = parseSelector('mail.inof');
    expect(facility.ok ? [] : facility.candidates).toEqual(expect.arrayContaining(['mail', 'altcron', 'local7']));
    expect(priority.ok ? [] : priority.candidates).toEqual(expect.arrayContaining(['info', 'panic', 'warning']));
  });

  it('never throws, and places each mistake within the text', () => {
    const pieces = fc.constantFrom(
      '*',
      '.',
      ';',
      '!',
      '=',
      '[',
      ']',
      '/',
      ',',
      ' ',
      'mail',
      'info',
      '(',
      '+',
      '\\',
      '24',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((all) => all.join('')),
        ),
        (text) => {
          const result = parseSelector(text);
          if (result.ok) return;
          expect(result.index).toBeGreaterThanOrEqual(0);
          expect(result.length).toBeGreaterThan(0);
          expect(result.index + result.length).toBeLessThanOrEqual(text.length);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('how much of a record an expression looks through', () => {
  const selects = (regex: string, raw: string): boolean => {
    const parsed = parseSelector(`/${regex}/.*`);
    if (!parsed.ok) throw new Error(parsed.message);
    return compileSelector(parsed.selector)(record({ raw }));
  };
  const at = (index: number): string => `${'-'.repeat(index)}x${'-'.repeat(10_000)}`;

  it.each([
    ['a small one', '[x]', 8_191],
    ['one of a thousand instructions', '(?:a?b?c?){160}[x]', 1_000],
  ])('%s: up to its bound', (_, regex, within) => {
    expect(selects(regex, at(within))).toBe(true);
    expect(selects(regex, at(8_192))).toBe(false);
  });

  it('a large one: less than a small one', () => {
    expect(selects('(?:a?b?c?){160}[x]', at(8_000))).toBe(false);
    expect(selects('[x]', at(8_000))).toBe(true);
  });
});
