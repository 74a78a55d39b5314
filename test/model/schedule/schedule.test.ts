import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { parseSchedule, type Schedule } from '../../../src/model/schedule/schedule.ts';
import {
  parseScheduleFields,
  type ScheduleProblem,
  timeZoneProblem,
} from '../../../src/model/schedule/schedule-fields.ts';
import { tries } from '../../effort.ts';

function schedule(text: string, timeZone = 'UTC'): Schedule {
  const result = parseSchedule(text, timeZone);
  if (!result.ok) throw new Error(`${text}: ${JSON.stringify(result.problems)}`);
  return result.schedule;
}

function problems(text: string, timeZone = 'UTC'): readonly ScheduleProblem[] {
  const result = parseSchedule(text, timeZone);
  if (result.ok) throw new Error(`${text} is accepted`);
  return result.problems;
}

/** Each mistake as the part of the text it covers and what it says. */
function told(text: string): string[] {
  return problems(text).map(({ index, length, message }) => `${text.slice(index, index + length)} → ${message}`);
}

const times = (read: Schedule, from: string, count: number): string[] => {
  const found: string[] = [];
  let time: number | undefined = Date.parse(from);
  while (found.length < count) {
    time = read.next(time);
    if (time === undefined) break;
    found.push(new Date(time).toISOString().replace('.000', ''));
  }
  return found;
};

describe('the mistakes of a schedule', () => {
  /** Each on a line: its place, what it says, and what is expected. */
  const mistakes = (text: string): readonly string[] =>
    problems(text).map(
      ({ index, length, message, hint }) => `${index}+${length} ${message}${hint === undefined ? '' : ` → ${hint}`}`,
    );
  const five = 'expected *, a number from 0 to 59, a range such as 0-4, a step such as */2, or a list of these';

  it.each<[string, readonly string[]]>([
    ['99 99 * * *', ['0+2 minute 99 is not from 0 to 59', '3+2 hour 99 is not from 0 to 23']],
    [
      '0 0 99 99 * 99',
      [
        '4+2 day of month 99 is not from 1 to 31',
        '7+2 month 99 is not from 1 to 12',
        '12+2 second 99 is not from 0 to 59',
      ],
    ],
    ['/5 * * * *', [`0+2 cannot read minute "/5" → ${five}`]],
    ['-5 * * * *', [`0+2 cannot read minute "-5" → ${five}`]],
    ['5- * * * *', [`0+2 cannot read minute "5-" → ${five}`]],
    ['1-2-3 * * * *', [`0+5 cannot read minute "1-2-3" → ${five}`]],
    ['1,,2 * * * *', ['2+1 a value is missing in the list of the minute']],
    ['*/0 * * * *', ['2+1 minute step 0 is not from 1 to 60']],
    ['*/61 * * * *', ['2+2 minute step 61 is not from 1 to 60']],
    ['*/x * * * *', ['2+1 minute step "x" is not from 1 to 60']],
    ['*/ * * * *', ['2+1 minute step "" is not from 1 to 60']],
    ['0 */25 * * *', ['4+2 hour step 25 is not from 1 to 24']],
    ['0 0 */32 * *', ['6+2 day of month step 32 is not from 1 to 31']],
    ['0 0 * * */8', ['10+1 day of week step 8 is not from 1 to 7']],
    ['30-10 * * * *', ['0+5 minute "30-10" runs backwards → did you mean "30-59,0-10"?']],
    ['59-0 * * * *', ['0+4 minute "59-0" runs backwards → did you mean "59,0"?']],
    ['1,60-70 * * * *', ['2+2 minute 60 is not from 0 to 59', '5+2 minute 70 is not from 0 to 59']],
    ['0 0 * x *', ['6+1 month "x" is not known → expected 1 to 12, or jan to dec']],
    ['0 x * * *', ['2+1 hour "x" is not a number → expected 0 to 23']],
    ['0 mon * * *', ['2+3 hour "mon" is not a number → "mon" is a day of week']],
    ['0 0 * mon *', ['6+3 month "mon" is not known → "mon" is a day of week']],
    ['0 0 * * january', ['8+7 day of week "january" is not known → expected 0 to 7, or sun to sat']],
    ['0 0 L L *', ['6+1 L, the last day, is not for the month → it is for the day of month']],
    ['0 0 * * L', ['8+1 day of week L has no day before it → the last Friday of the month is 5L']],
    ['0 0 1W * *', ['4+2 W, the nearest working day, is not supported']],
    ['H(0-5)/2 * * * *', ['0+8 H, a random value, is not supported']],
    ['0 0 5L * *', ['4+2 day of month "5L" has an L: that is for the day of week']],
    ['0 0 5#1 * *', ['4+3 day of month "5#1" has a #: that is for the day of week']],
    ['0 0 * * 5#6', ['10+1 day of week "5#6": "6" is not from 1 to 5 → the third Friday of the month is 5#3']],
    ['0 0 * * 5#', ['10+1 day of week "5#": "" is not from 1 to 5 → the third Friday of the month is 5#3']],
    [
      '0 0 * * 9#22',
      [
        '8+1 day of week 9 is not from 0 to 7',
        '10+2 day of week "9#22": "22" is not from 1 to 5 → the third Friday of the month is 5#3',
      ],
    ],
    ['0 0 * * 1,5#3', ['10+3 day of week "5#3" stands in a list → a # is alone in its field']],
    ['0 0 31 2,4 *', ['4+6 the schedule never runs: no day 31 in month 2,4']],
    ['30 0 0 1 * 7', ['5+1 day of month 0 is not from 1 to 31 → the seconds stand last: "0 0 1 * 7 30"']],
    ['30 0 4 * * mon', ['11+3 second "mon" is not a number → the seconds stand last: "0 4 * * mon 30"']],
    [
      '@reboot',
      [
        '0+7 "@reboot" is no schedule → what runs once at the start is a oneshot service in the group INIT: "service_groups: INIT"',
      ],
    ],
    [' @daily x yy', ['8+4 nothing may follow "@daily"']],
    [
      '@dayly x',
      [
        '0+6 "@dayly" is not the name of a schedule → expected @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly or five fields',
        '7+1 nothing may follow "@dayly"',
      ],
    ],
    [
      '  ',
      [
        '0+2 the schedule is empty → expected five fields (minute, hour, day of month, month, day of week), or six with the seconds last',
      ],
    ],
    [
      '',
      [
        '0+1 the schedule is empty → expected five fields (minute, hour, day of month, month, day of week), or six with the seconds last',
      ],
    ],
  ])('in %j are told where they stand', (text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  it('of a long text are cut, and hold nothing that a terminal would carry out', () => {
    const name = (length: number): string => 'x'.repeat(length);
    expect(timeZoneProblem(name(40))?.message).toBe(`the time zone "${name(40)}" is not known`);
    expect(timeZoneProblem(name(41))?.message).toBe(`the time zone "${name(40)}…" is not known`);
    expect(timeZoneProblem('a\u001bb')?.message).toBe('the time zone "a\ufffdb" is not known');
    expect(timeZoneProblem('')).toMatchObject({ index: 0, length: 1 });
  });
});

describe('the text of a schedule', () => {
  it.each([
    ['* * * * *', '2026-01-01T00:00:59Z', '2026-01-01T00:01:00Z'],
    ['* * * * * */15', '2026-01-01T00:00:15Z', '2026-01-01T00:00:30Z'],
    ['30 2 1 * * 7', '2026-01-01T02:30:00Z', '2026-01-01T02:30:07Z'],
    ['  5\t4  * * *\n', '2026-01-01T00:00:00Z', '2026-01-01T04:05:00Z'],
    ['05 04 * * *', '2026-01-01T00:00:00Z', '2026-01-01T04:05:00Z'],
    ['0 0 1 JAN *', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['0 0 1 feb-Apr/2 *', '2026-02-01T00:00:00Z', '2026-04-01T00:00:00Z'],
    ['0 0 * * Mon', '2026-01-01T00:00:00Z', '2026-01-05T00:00:00Z'],
    ['0 0 * * 0', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00Z'],
    ['0 0 * * 7', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00Z'],
    ['0 0 * * 6-7', '2026-01-03T00:00:00Z', '2026-01-04T00:00:00Z'],
    ['0 0 * * fri-sun', '2026-01-03T00:00:00Z', '2026-01-04T00:00:00Z'],
    ['0 0 * * fri-sun', '2026-01-04T00:00:00Z', '2026-01-09T00:00:00Z'],
    ['0 0 * * sun-tue', '2026-01-06T00:00:00Z', '2026-01-11T00:00:00Z'],
    ['0 0 * * */7', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00Z'],
    ['1,1,3-5,4 * * * *', '2026-01-01T00:01:00Z', '2026-01-01T00:03:00Z'],
    ['50/5 * * * *', '2026-01-01T00:50:00Z', '2026-01-01T00:55:00Z'],
    ['*/60 * * * *', '2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z'],
    ['0-59 0-23 * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'],
    ['0 0 ? * ?', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
    // The last day of the month, the last Friday, the third Friday.
    ['0 0 L * *', '2028-02-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['0 0 15,l * *', '2026-02-15T00:00:00Z', '2026-02-28T00:00:00Z'],
    ['0 0 * * 5L', '2026-01-01T00:00:00Z', '2026-01-30T00:00:00Z'],
    ['0 0 * * friL', '2026-01-30T00:00:00Z', '2026-02-27T00:00:00Z'],
    ['0 0 * * 7L', '2026-01-01T00:00:00Z', '2026-01-25T00:00:00Z'],
    ['0 0 * * 1,5L', '2026-01-26T00:00:00Z', '2026-01-30T00:00:00Z'],
    ['0 0 * * FRI#3', '2026-01-01T00:00:00Z', '2026-01-16T00:00:00Z'],
    ['0 0 * * 7#1', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00Z'],
  ])('%j runs after %s at %s', (text, after, expected) => {
    expect(times(schedule(text), after, 1)).toEqual([expected]);
  });

  it.each([
    ['yearly', '0 0 1 1 *'],
    ['annually', '0 0 1 1 *'],
    ['monthly', '0 0 1 * *'],
    ['weekly', '0 0 * * 0'],
    ['daily', '0 0 * * *'],
    ['midnight', '0 0 * * *'],
    ['hourly', '0 * * * *'],
  ])('may be %s', (nickname, fields) => {
    for (const text of [nickname, `@${nickname}`, ` @${nickname.toUpperCase()}\n`]) {
      const { next, ...read } = schedule(text);
      expect(read).toEqual({ text, fields, nickname, note: `${nickname} (${fields})` });
      expect(next(0)).toBe(schedule(fields).next(0));
    }
  });

  it('is kept as it was given, and shown with single spaces', () => {
    const { next: _, ...read } = schedule(' 0\t*/2  * * MON-fri ');
    expect(read).toEqual({
      text: ' 0\t*/2  * * MON-fri ',
      fields: '0 */2 * * MON-fri',
      note: '0 */2 * * MON-fri',
    });
  });

  it('with both days restricted runs on either', () => {
    expect(times(schedule('0 0 13 * 5'), '2026-01-01T00:00:00Z', 4)).toEqual([
      '2026-01-02T00:00:00Z',
      '2026-01-09T00:00:00Z',
      '2026-01-13T00:00:00Z',
      '2026-01-16T00:00:00Z',
    ]);
    expect(times(schedule('0 0 */10 * mon'), '2026-01-01T00:00:00Z', 2)).toEqual([
      '2026-01-05T00:00:00Z',
      '2026-01-11T00:00:00Z',
    ]);
    // A day that never comes does not matter beside a weekday that does.
    expect(times(schedule('0 0 31 2 mon'), '2026-02-01T00:00:00Z', 1)).toEqual(['2026-02-02T00:00:00Z']);
    // Every day by a star is no restriction, by a list it is one.
    expect(times(schedule('0 0 */1 * mon'), '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-05T00:00:00Z']);
    expect(times(schedule('0 0 1-31 * mon'), '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-02T00:00:00Z']);
  });
});

describe('mistakes in a schedule', () => {
  it('are all told, each with its place', () => {
    expect(told('61 25 0 feburary funday 75')).toEqual([
      '61 → minute 61 is not from 0 to 59',
      '25 → hour 25 is not from 0 to 23',
      '0 → day of month 0 is not from 1 to 31',
      'feburary → month "feburary" is not known',
      'funday → day of week "funday" is not known',
      '75 → second 75 is not from 0 to 59',
    ]);
    expect(told('1,61,,5-70,*/0 * * * *')).toEqual([
      '61 → minute 61 is not from 0 to 59',
      ', → a value is missing in the list of the minute',
      '70 → minute 70 is not from 0 to 59',
      '0 → minute step 0 is not from 1 to 60',
    ]);
  });

  it.each([
    ['-5 * * * *', '-5 → cannot read minute "-5"'],
    ['5- * * * *', '5- → cannot read minute "5-"'],
    ['1-2-3 * * * *', '1-2-3 → cannot read minute "1-2-3"'],
    ['1.5 * * * *', '1.5 → cannot read minute "1.5"'],
    ['*5 * * * *', '*5 → cannot read minute "*5"'],
    ['/5 * * * *', '/5 → cannot read minute "/5"'],
    ['*/ * * * *', '  → minute step "" is not from 1 to 60'],
    ['*/5/2 * * * *', '5/2 → minute step "5/2" is not from 1 to 60'],
    ['*/90 * * * *', '90 → minute step 90 is not from 1 to 60'],
    ['* * * * */8', '8 → day of week step 8 is not from 1 to 7'],
    ['? * * * *', '? → cannot read minute "?"'],
    ['* mon * * *', 'mon → hour "mon" is not a number'],
    ['* * * mon *', 'mon → month "mon" is not known'],
    ['* * * * 8', '8 → day of week 8 is not from 0 to 7'],
    ['* * 15W * *', '15W → W, the nearest working day, is not supported'],
    ['* * LW * *', 'LW → W, the nearest working day, is not supported'],
    ['H/5 * * * *', 'H/5 → H, a random value, is not supported'],
    ['L * * * *', 'L → L, the last day, is not for the minute'],
    ['* * * * L', 'L → day of week L has no day before it'],
    ['* * 5L * *', '5L → day of month "5L" has an L: that is for the day of week'],
    ['* * * 1#2 *', '1#2 → month "1#2" has a #: that is for the day of week'],
    ['* * * * 1#6', '6 → day of week "1#6": "6" is not from 1 to 5'],
    ['* * * * 9#1', '9 → day of week 9 is not from 0 to 7'],
    ['* * * * #1', '# → cannot read day of week ""'],
    ['* * * * 1#1,3', '1#1 → day of week "1#1" stands in a list'],
    ['* * * * 1-5L', '5L → cannot read day of week "5L"'],
    ['0 0 31 2 *', '31 2 → the schedule never runs: no day 31 in month 2'],
    ['0 0 30-31 feb *', '30-31 feb → the schedule never runs: no day 30-31 in month feb'],
    ['0 0 31 4,jun,9,11 *', '31 4,jun,9,11 → the schedule never runs: no day 31 in month 4,jun,9,11'],
    ['99999999999999999999 * * * *', '99999999999999999999 → minute 99999999999999999999 is not from 0 to 59'],
    ['\u001b[2J * * * *', '\u001b[2J → cannot read minute "\ufffd[2J"'],
    ['@hourly now', 'now → nothing may follow "@hourly"'],
    ['* * * *', '* * * * → 4 fields found in the schedule'],
    [' 5 ', '5 → 1 field found in the schedule'],
    ['0 0 * * * 0 2026 *', '2026 * → 8 fields found in the schedule'],
  ])('%j: %s', (text, expected) => {
    expect(told(text)).toEqual([expected]);
  });

  it.each(['', ' \n'])('in %j: nothing is there', (text) => {
    expect(problems(text)).toEqual([
      expect.objectContaining({ index: 0, length: Math.max(1, text.length), message: 'the schedule is empty' }),
    ]);
  });

  it.each([
    ['* * * *', 'expected five fields (minute, hour, day of month, month, day of week), or six with the seconds last'],
    ['0 22-2 * * *', 'did you mean "22-23,0-2"?'],
    ['0 0 * * 5-1', 'did you mean "5-6,0-1"?'],
    ['0 0 1 january *', 'did you mean "jan"?'],
    ['0 0 * * Monday', 'did you mean "mon"?'],
    ['0 0 1 mon *', '"mon" is a day of week'],
    ['0 30 9 * * mon-fri', 'the seconds stand last: "30 9 * * mon-fri 0"'],
    ['@reboot', 'what runs once at the start is a oneshot service in the group INIT: "service_groups: INIT"'],
    ['Reboot', 'what runs once at the start is a oneshot service in the group INIT: "service_groups: INIT"'],
    ['0 0 * * 1#9', 'the third Friday of the month is 5#3'],
  ])('%j comes with: %s', (text, hint) => {
    expect(problems(text).map((problem) => problem.hint)[0]).toBe(hint);
  });

  it('name the words that are known there', () => {
    expect(problems('0 0 1 jann *')[0]).toEqual(expect.objectContaining({ hint: 'did you mean "jan"?' }));
    expect(problems('0 0 1 jnu *')[0]?.candidates).toContain('jan');
    expect(problems('0 0 * * tus')[0]?.candidates).toEqual(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']);
    expect(problems('@dayly')[0]?.candidates).toContain('@daily');
    expect(problems('dayly')[0]?.candidates).toContain('daily');
  });

  it('take no longer for a long text', () => {
    expect(problems(` ${'1 '.repeat(1_000_000)}`)).toEqual([
      { index: 1, length: 1_999_999, message: '1999999 characters are too long for a schedule: at most 1024' },
    ]);
  });

  it('never throw, and lie within the text', () => {
    const alphabet = fc.constantFrom(...'0123456789*/-,?LW#H@ \t', 'jan', 'mon', 'x', '\0', '\ud800');
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: alphabet, maxLength: 40 })), (text) => {
        const result = parseSchedule(text, 'UTC');
        if (result.ok) return expect(result.schedule.next(0)).toBeGreaterThan(0);
        expect(result.problems.length).toBeGreaterThan(0);
        for (const { index, length } of result.problems) {
          expect(index).toBeGreaterThanOrEqual(0);
          expect(length).toBeGreaterThanOrEqual(1);
          expect(index + length).toBeLessThanOrEqual(text.length + 1);
        }
      }),
      { numRuns: tries(500, 3_000) },
    );
  });
});

describe('the time zone of a schedule', () => {
  const processZone = process.env['TZ'];
  afterEach(() => {
    if (processZone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = processZone;
  });

  it('is told where nobody knows it', () => {
    expect(problems('61 * * * *', 'Europe/Berlni').map((problem) => problem.message)).toEqual([
      'minute 61 is not from 0 to 59',
      'the time zone "Europe/Berlni" is not known',
    ]);
    const problem = timeZoneProblem('Europe/Berlni');
    expect(problem).toMatchObject({ index: 0, length: 13 });
    expect(problem?.candidates).toEqual(expect.arrayContaining(['UTC', 'Europe/Berlin']));
    expect(timeZoneProblem('')).toMatchObject({ index: 0, length: 1 });
    expect(timeZoneProblem('europe/berlin')).toBeUndefined();
  });

  it.each([
    'Europe/Berlin',
    'America/St_Johns',
    'Australia/Lord_Howe',
    'UTC',
  ])('is by default that of the process: %s', (zone) => {
    process.env['TZ'] = zone;
    const local = parseSchedule('30 2 * * *');
    if (!local.ok) throw new Error('a good schedule is refused');
    for (const from of ['2026-03-01T00:00:00Z', '2026-10-01T00:00:00Z']) {
      expect(times(local.schedule, from, 60)).toEqual(times(schedule('30 2 * * *', zone), from, 60));
    }
  });

  it('may be half an hour off', () => {
    expect(times(schedule('0 9 * * *', 'Asia/Kolkata'), '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-01T03:30:00Z']);
  });
});

describe('where the clocks go forward', () => {
  // Berlin, 2026-03-29: 02:00 is 03:00, at 01:00 UTC.
  it.each([
    ['30 2 * * *', ['28T01:30', '29T01:00', '30T00:30']],
    ['0,15,30 2 * * *', ['28T01:00', '28T01:15', '28T01:30', '29T01:00', '30T00:00']],
    ['30 1-3 * * *', ['28T00:30', '28T01:30', '28T02:30', '29T00:30', '29T01:00', '29T01:30', '29T23:30']],
    ['0,30 2,3 * * *', ['28T01:00', '28T01:30', '28T02:00', '28T02:30', '29T01:00', '29T01:30', '30T00:00']],
    ['*/20 2 * * *', ['28T01:00', '28T01:20', '28T01:40', '29T01:00', '30T00:00']],
    ['0 */2 29 * *', ['28T23:00', '29T01:00', '29T02:00', '29T04:00']],
    ['30 * 29 * *', ['28T23:30', '29T00:30', '29T01:30', '29T02:30']],
    ['*/30 * 29 * *', ['28T23:00', '28T23:30', '29T00:00', '29T00:30', '29T01:00', '29T01:30']],
    ['30 2 29 3 * */20', ['29T01:00']],
  ])('%j', (text, expected) => {
    const found = times(schedule(text, 'Europe/Berlin'), '2026-03-28T00:00:00Z', expected.length);
    expect(found).toEqual(expected.map((time) => `2026-03-${time}:00Z`));
  });

  it('at midnight, by half an hour, or by a whole day, what was skipped runs at the first moment after it', () => {
    expect(times(schedule('@daily', 'America/Sao_Paulo'), '2018-11-03T12:00:00Z', 2)).toEqual([
      '2018-11-04T03:00:00Z',
      '2018-11-05T02:00:00Z',
    ]);
    expect(times(schedule('15,45 2 * * *', 'Australia/Lord_Howe'), '2026-10-03T00:00:00Z', 3)).toEqual([
      '2026-10-03T15:30:00Z',
      '2026-10-03T15:45:00Z',
      '2026-10-04T15:15:00Z',
    ]);
    // Samoa had no 30 December 2011.
    expect(times(schedule('0 3 * * *', 'Pacific/Apia'), '2011-12-29T13:00:00Z', 2)).toEqual([
      '2011-12-30T10:00:00Z',
      '2011-12-30T13:00:00Z',
    ]);
  });
});

describe('where the clocks go back', () => {
  // Berlin, 2026-10-25: 03:00 is 02:00 again, at 01:00 UTC.
  it.each([
    ['30 2 * * *', ['25T00:30', '26T01:30']],
    ['0,30 2,3 * * *', ['25T00:00', '25T00:30', '25T02:00', '25T02:30', '26T01:00']],
    ['*/30 * * * *', ['24T23:00', '24T23:30', '25T00:00', '25T00:30', '25T01:00', '25T01:30', '25T02:00', '25T02:30']],
    ['30 * * * *', ['24T23:30', '25T00:30', '25T01:30', '25T02:30']],
    ['*/30 2-3 * * *', ['25T00:00', '25T00:30', '25T01:00', '25T01:30', '25T02:00', '25T02:30', '26T01:00']],
    ['0 */2 25 * *', ['25T00:00', '25T03:00', '25T05:00']],
    ['0 3 * * *', ['25T02:00', '26T02:00']],
    ['@daily', ['25T23:00']],
  ])('%j', (text, expected) => {
    const found = times(schedule(text, 'Europe/Berlin'), '2026-10-24T22:30:00Z', expected.length);
    expect(found).toEqual(expected.map((time) => `2026-10-${time}:00Z`));
  });

  it('the answer does not depend on where one asks from', () => {
    const daily = schedule('30 2 * * *', 'Europe/Berlin');
    // Between the two 02:30, and within the second hour before its 02:30.
    expect(times(daily, '2026-10-25T00:45:00Z', 1)).toEqual(['2026-10-26T01:30:00Z']);
    expect(times(daily, '2026-10-25T01:10:00Z', 1)).toEqual(['2026-10-26T01:30:00Z']);
    expect(times(schedule('15 2 * * *', 'Europe/Berlin'), '2026-10-25T00:59:59Z', 1)).toEqual(['2026-10-26T01:15:00Z']);
  });

  it('at midnight a day has two last hours', () => {
    expect(times(schedule('30 23 * * *', 'America/Sao_Paulo'), '2018-02-17T12:00:00Z', 2)).toEqual([
      '2018-02-18T01:30:00Z',
      '2018-02-19T02:30:00Z',
    ]);
  });
});

describe('the calendar', () => {
  it.each([
    ['0 0 29 2 *', '2024-02-29T00:00:00Z', ['2028-02-29T00:00:00Z']],
    ['0 0 29 2 *', '2096-02-29T00:00:00Z', ['2104-02-29T00:00:00Z']],
    ['0 0 31 * *', '2026-01-31T00:00:00Z', ['2026-03-31T00:00:00Z', '2026-05-31T00:00:00Z', '2026-07-31T00:00:00Z']],
    ['@yearly', '2026-01-01T00:00:00Z', ['2027-01-01T00:00:00Z']],
    ['59 23 31 12 * 59', '2026-12-31T23:59:59Z', ['2027-12-31T23:59:59Z']],
    // Forty years, over 2100: the longest wait there is.
    ['0 0 * 2 1#5', '2072-02-29T00:00:00Z', ['2112-02-29T00:00:00Z']],
  ])('%j after %s', (text, after, expected) => {
    expect(times(schedule(text), after, expected.length)).toEqual(expected);
  });

  it('has an end', () => {
    const every = schedule('* * * * *');
    for (const after of [Number.NaN, Infinity, -Infinity, 8.64e15, Date.UTC(9999, 11, 31)]) {
      expect(every.next(after)).toBeUndefined();
    }
    expect(schedule('@yearly').next(Date.UTC(9999, 5))).toBeUndefined();
  });

  it('is read between the seconds too', () => {
    const every = schedule('* * * * * *');
    expect(every.next(0)).toBe(1000);
    expect(every.next(0.5)).toBe(1000);
    expect(every.next(999)).toBe(1000);
    expect(every.next(-1)).toBe(0);
    expect(every.next(1000)).toBe(2000);
  });
});

/** A field as text, and what it means. */
interface Generated {
  readonly text: string;
  readonly has: (value: number) => boolean;
  readonly star: boolean;
}

function field(least: number, most: number): fc.Arbitrary<Generated> {
  const value = fc.integer({ min: least, max: most });
  const range = fc.tuple(value, value).map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);
  const step = fc.integer({ min: 1, max: Math.min(15, most - least + 1) });
  const item = fc.oneof(
    value.map((only) => ({ text: `${only}`, has: (other: number) => other === only })),
    range.map(([from, to]) => ({ text: `${from}-${to}`, has: (other: number) => other >= from && other <= to })),
    fc.tuple(range, step).map(([[from, to], by]) => ({
      text: `${from}-${to}/${by}`,
      has: (other: number) => other >= from && other <= to && (other - from) % by === 0,
    })),
  );
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant<Generated>({ text: '*', has: () => true, star: true }) },
    step.map((by) => ({ text: `*/${by}`, has: (other: number) => (other - least) % by === 0, star: by === 1 })),
    fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => ({
      text: items.map(({ text }) => text).join(','),
      has: (other: number) => items.some(({ has }) => has(other)),
      star: false,
    })),
  );
}

const [minutes, hours, days, months, weekdays] = [field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)];

/** Literally: does the wall clock, told as a UTC time, stand on the schedule? */
function dayMatches([, , day, month, weekday]: readonly Generated[], date: Date): boolean {
  if (month?.has(date.getUTCMonth() + 1) !== true || day === undefined || weekday === undefined) return false;
  const [onDay, onWeekday] = [day.has(date.getUTCDate()), weekday.has(date.getUTCDay())];
  return day.star || weekday.star ? onDay && onWeekday : onDay || onWeekday;
}

function matches(fields: readonly Generated[], date: Date): boolean {
  const [minute, hour, , , , second] = fields;
  if (minute?.has(date.getUTCMinutes()) !== true || hour?.has(date.getUTCHours()) !== true) return false;
  if (second === undefined ? date.getUTCSeconds() !== 0 : !second.has(date.getUTCSeconds())) return false;
  return dayMatches(fields, date);
}

describe('any schedule', () => {
  const start = fc.integer({ min: 0, max: Date.UTC(2120, 0) });
  const six = fc.tuple(minutes, hours, days, months, weekdays, minutes);
  const five = fc.tuple(minutes, hours, days, months, weekdays);

  it('runs next where a slow, literal reading does', () => {
    fc.assert(
      fc.property(fc.oneof(five, six), start, (fields, after) => {
        const result = parseSchedule(fields.map(({ text }) => text).join(' '), 'UTC');
        if (!result.ok) {
          expect(result.problems[0]?.message).toMatch(/never runs/);
          return;
        }
        const next = result.schedule.next(after) ?? Number.NaN;
        expect(next).toBeGreaterThan(after);
        expect(matches(fields, new Date(next))).toBe(true);
        // Every second (every minute, of five fields) at first, and then every day: hours and minutes are never empty.
        const unit = fields.length === 6 ? 1000 : 60_000;
        let time = (Math.floor(after / unit) + 1) * unit;
        for (let step = 0; step < 5000 && time < next; step++, time += unit) {
          if (matches(fields, new Date(time))) throw new Error(`missed ${new Date(time).toISOString()}`);
        }
        const day = 86_400_000;
        for (time = Math.ceil(time / day) * day; time + day <= next; time += day) {
          if (dayMatches(fields, new Date(time))) throw new Error(`missed ${new Date(time).toISOString()}`);
        }
      }),
      { numRuns: tries(100, 400) },
    );
  });

  it('is refused as never running only where it never does', () => {
    const subset = (...values: number[]) => fc.subarray(values, { minLength: 1 });
    fc.assert(
      fc.property(subset(29, 30, 31), subset(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), (chosenDays, chosenMonths) => {
        // 2028 is a leap year.
        const occurs = chosenMonths.some((month) =>
          chosenDays.some((day) => new Date(Date.UTC(2028, month - 1, day)).getUTCDate() === day),
        );
        expect(parseScheduleFields(`0 0 ${chosenDays} ${chosenMonths} *`).ok).toBe(occurs);
      }),
    );
  });

  it.each([
    ['Europe/Berlin', '2026-03-29T01:00:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30:00Z'],
    ['America/Sao_Paulo', '2018-02-18T02:00:00Z'],
    ['America/Sao_Paulo', '2018-11-04T03:00:00Z'],
    ['America/St_Johns', '2026-03-08T05:30:00Z'],
    ['America/St_Johns', '2026-11-01T04:30:00Z'],
  ])('runs in %s around %s as a minute by minute walk says', (zone, change) => {
    const [from, to] = [Date.parse(change) - 6 * 3_600_000, Date.parse(change) + 6 * 3_600_000];
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
    const walls: [number, number][] = [];
    for (let time = from; time < to; time += 60_000) walls.push([time, Date.parse(`${format.format(time)}Z`)]);
    fc.assert(
      fc.property(minutes, fc.oneof(hours, field(0, 4)), (minute, hour) => {
        const all: Generated = { text: '*', has: () => true, star: true };
        const fields = [minute, hour, all, all, all];
        const everyHour = Array.from({ length: 24 }, (_, value) => value).every((value) => hour.has(value));
        const repeats = everyHour || minute.text.startsWith('*');
        const expected: number[] = [];
        let latest = (walls[0]?.[1] ?? 0) - 60_000;
        for (const [time, wall] of walls) {
          let runs = matches(fields, new Date(wall)) && (repeats || wall > latest);
          for (let skipped = latest + 60_000; skipped < wall && !everyHour; skipped += 60_000) {
            runs ||= matches(fields, new Date(skipped));
          }
          if (runs) expected.push(time);
          latest = Math.max(latest, wall);
        }
        const read = schedule(`${minute.text} ${hour.text} * * *`, zone);
        const found: number[] = [];
        for (let time = read.next(from - 1); time !== undefined && time < to; time = read.next(time)) found.push(time);
        expect(found).toEqual(expected);
        // From wherever one asks, the answer is the next of the same list.
        for (const [time] of walls.filter((_, index) => index % 37 === 0)) {
          const next = read.next(time) ?? Number.NaN;
          if (next < to) expect(next).toBe(expected.find((tick) => tick > time));
        }
      }),
      { numRuns: 40 },
    );
  });
});
