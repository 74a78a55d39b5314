/** The rows of the timeline. */
import { computed } from '@preact/signals';
import { inTrouble } from './incidents.tsx';
import { inOrder } from './order.ts';
import { foundServices, instant, shownStates, sort, troubleFirst } from './store.ts';

const nobody: ReadonlySet<string> = new Set();

/** The services that have a row, in the order of the rows. */
export const shownServices = computed<readonly string[]>(() =>
  inOrder(foundServices.value, instant.value, {
    sort: sort.value,
    first: troubleFirst.value ? inTrouble.value : nobody,
    states: shownStates.value,
  }),
);
