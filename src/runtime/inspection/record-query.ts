/** The request of a page for older records. */
import type { RecordQuery } from '../../inspect/record-search.ts';

/** Undefined where a field makes no sense. */
export function readRecordQuery(query: URLSearchParams): RecordQuery | undefined {
  const before = Number(query.get('before') ?? Number.NaN);
  if (!(before >= 0)) return undefined;
  const service = query.get('service');
  return {
    before,
    find: query.get('find') ?? '',
    isExpression: query.get('expression') === 'true',
    ignoreCase: query.get('ignoreCase') === 'true',
    ...(service === null ? {} : { service }),
  };
}
