/** An instant in UTC, to the second: `2030-01-01T00:00:00Z`; `?` where there is none. */
export function dateOf(epoch: number): string {
  const date = new Date(epoch);
  return Number.isNaN(date.getTime()) ? '?' : `${date.toISOString().slice(0, 19)}Z`;
}
