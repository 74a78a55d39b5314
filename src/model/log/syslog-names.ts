/** Severities by number, RFC 5424 section 6.2.1. */
export const severities = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const;
export type Severity = (typeof severities)[number];

/** Facilities by number, RFC 5424 section 6.2.1, under the names of syslog.conf. */
export const facilities = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'audit',
  'alert',
  'clock',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const;
export type Facility = (typeof facilities)[number];

/** How many different `<PRI>` there are: 24 facilities of 8 severities. */
export const priorityValues = facilities.length * severities.length;

/** The names under which users write priorities in a selector. */
const priorityNames = new Map<string, Severity>([
  ...severities.map((name): [string, Severity] => [name, name]),
  ['error', 'err'],
  ['warn', 'warning'],
  ['panic', 'emerg'],
]);

/** The names under which users write facilities in a selector. */
const facilityNames = new Map<string, Facility>([
  ...facilities.map((name): [string, Facility] => [name, name]),
  ['altcron', 'clock'],
]);

/** What people may write for a priority and for a facility, for "did you mean". */
export const priorityCandidates: readonly string[] = ['*', ...priorityNames.keys()];
export const facilityCandidates: readonly string[] = ['*', ...facilityNames.keys()];

/** Reads a priority's name; undefined where it is none. */
export function parseSeverity(text: string): Severity | undefined {
  return priorityNames.get(text.toLowerCase());
}

/** Reads a facility's name, or its number from 0 to 23; undefined where it is none. */
export function parseFacility(text: string): Facility | undefined {
  return facilityNames.get(text.toLowerCase()) ?? (/^\d{1,2}$/.test(text) ? facilities[Number(text)] : undefined);
}

const severityNumbers = numbered(severities);
const facilityNumbers = numbered(facilities);

export function severityNumber(severity: Severity): number {
  return severityNumbers[severity];
}

/** The number that `<PRI>` carries, RFC 5424 section 6.2.1. */
export function priorityNumber(facility: Facility, severity: Severity): number {
  return facilityNumbers[facility] * 8 + severityNumbers[severity];
}

function numbered<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  const numbers: Partial<Record<Name, number>> = {};
  names.forEach((name, number) => {
    numbers[name] = number;
  });
  return numbers as Record<Name, number>;
}
