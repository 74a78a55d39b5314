import type { Place } from '../../config/source.ts';
import { type Draft, type DraftDirective, type Remark, withHelpers } from '../draft.ts';
import type { Written } from '../written.ts';

/** A section that is put together directive by directive, with what has no counterpart in it. */
export class Drafting {
  readonly name: string;
  readonly place: Place;
  readonly comments: string[] = [];
  readonly remarks: Remark[] = [];
  readonly #directives = new Map<string, DraftDirective>();

  constructor(name: string, place: Place) {
    this.name = name;
    this.place = place;
  }

  has(key: string): boolean {
    return this.#directives.has(key);
  }

  /** A directive that is given again replaces the earlier one. */
  set(key: string, value: Written, place: Place = this.place, comment?: string): void {
    this.#directives.set(key, { key, value, place, ...(comment === undefined ? {} : { comment }) });
  }

  /** Adds to a directive that holds a list. */
  add(key: string, values: readonly Written[], place: Place = this.place): void {
    const before = this.#directives.get(key)?.value;
    const all = [...(Array.isArray(before) ? before : before === undefined ? [] : [before]), ...values];
    if (all.length > 0) this.set(key, all, place);
  }

  /** The values of a directive that holds a list. */
  values(key: string): readonly Written[] {
    const value = this.#directives.get(key)?.value;
    return Array.isArray(value) ? value : [];
  }

  /** Takes values out of a directive that holds a list. */
  exclude(key: string, values: readonly Written[]): void {
    const directive = this.#directives.get(key);
    if (directive === undefined) return;
    const rest = this.values(key).filter((value) => !values.includes(value));
    if (rest.length === 0) this.drop(key);
    else this.set(key, rest, directive.place);
  }

  /** Adds to a directive that holds a map. */
  merge(key: string, values: Readonly<Record<string, Written>>, place: Place = this.place): void {
    const before = this.#directives.get(key)?.value;
    const known = typeof before === 'object' && !Array.isArray(before) ? before : {};
    this.set(key, { ...known, ...values }, place);
  }

  drop(key: string): void {
    this.#directives.delete(key);
  }

  remark(message: string, place: Place | undefined): void {
    this.remarks.push({ message, place });
  }

  finish(): Draft {
    const directives = withHelpers([...this.#directives.values()], this.place);
    return { name: this.name, place: this.place, directives, comments: this.comments };
  }
}
