/** Makes the entry action that reports a chart's new stage; every state has it in which a chart may rest. */
export function enter<T extends string>(stage: T) {
  return { type: 'enter', params: { stage } } as const;
}
