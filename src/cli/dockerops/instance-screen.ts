/** How instances come to their states: on a terminal a line each that changes in place, else a line for each change. */
import { type Fact, systemActor } from '../../facts/fact.ts';
import { oneLine } from '../../model/words/printable.ts';
import type { InstanceKey } from '../../platform/model/instance.ts';
import { LiveLines, printJson } from './console.ts';

interface Row {
  state: string;
  detail: string;
  since: number;
}

export class InstanceScreen {
  readonly #live = new LiveLines(1);
  readonly #rows = new Map<string, Row>();
  readonly #asJson: boolean;
  readonly #width: number;
  #last: Promise<void> = Promise.resolve();

  constructor(keys: readonly InstanceKey[], asJson: boolean) {
    this.#asJson = asJson;
    this.#width = Math.max(4, ...keys.map((key) => key.length));
    for (const key of keys) this.#rows.set(key, { state: 'waiting', detail: '', since: 0 });
  }

  readonly tell = (fact: Fact): void => {
    if (fact.type !== 'moved') return;
    const { at, actor, to, context } = fact;
    const detail = typeof context['detail'] === 'string' ? oneLine(context['detail']) : '';
    if (this.#asJson) {
      const told = { at, instance: actor === systemActor ? null : actor, state: to, detail };
      this.#last = this.#last.then(() => printJson(told));
      return;
    }
    const row = this.#rows.get(actor);
    if (row === undefined || (row.state === 'waiting' && to === 'absent')) return;
    const state = to.split('.')[0] ?? to;
    if (row.state !== state && !this.#live.isTerminal) {
      const time = `${(at / 1000).toFixed(3).padStart(8)}`;
      this.#live.say(`${time}  ${actor.padEnd(this.#width)}  ${state.padEnd(8)}  ${detail}`.trimEnd());
    }
    Object.assign(row, { state, detail, since: at });
    this.#live.show([...this.#rows].map(([key, each]) => this.#line(key, each)));
  };

  async end(): Promise<void> {
    // What a terminal shows last stays: it is the answer.
    if (this.#live.isTerminal && !this.#asJson) {
      for (const [key, row] of this.#rows) this.#live.say(this.#line(key, row));
    }
    await this.#live.end();
    await this.#last;
  }

  #line(key: string, { state, detail, since }: Row): string {
    const time = since === 0 ? '' : `${(since / 1000).toFixed(1)} s`;
    return `${key.padEnd(this.#width)}  ${state.padEnd(8)}  ${time.padStart(7)}  ${detail}`.trimEnd();
  }
}
