/** Says that a chart has come there: an entry action of every state in which the chart may be found between two events. */
export function enter<T extends string>(stage: T) {
  return { type: 'enter', params: { stage } } as const;
}
