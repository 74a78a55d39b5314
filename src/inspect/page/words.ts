/** The texts of the page about states and times. */

import { shortName } from '../../model/service/service-spec.ts';
import { describeDuration } from '../../model/words/duration.ts';
import type { Json, JsonObject } from '../../model/words/json.ts';
import type { Segment } from '../replica.ts';
import type { ServiceNow } from './instant.ts';
import { exitText } from './recording.ts';

/** The text of a duration: `12 ms`, and from a second on as everywhere: `1.2 s`, `4 m 2 s`, `3 h 5 m`. */
export function duration(ms: number): string {
  const whole = Math.round(ms);
  return whole < 1000 ? `${Math.max(0, whole)} ms` : describeDuration(ms);
}

/** The name of a field of a context in words: `restart limit` for `restartLimit`. */
export function contextLabel(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** The value of a field of a context at an instant (ms since the boot): what the record has in ms is a time in words. */
export function contextText(field: string, value: Json, at: number): string {
  if (typeof value === 'number' && field === 'pause') return duration(value);
  if (typeof value === 'number' && field === 'deadline') {
    return value < at ? `${duration(at - value)} ago` : `in ${duration(value - at)}`;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The text of an instant: seconds since the boot, or the wall clock's time if an epoch (Unix ms) is given. */
export function instantText(at: number, epoch?: number): string {
  if (epoch === undefined) {
    const text = (at / 1000).toFixed(3);
    if (at < 60_000) return `${text} s`;
    const minutes = Math.floor(at / 60_000);
    const rest = ((at % 60_000) / 1000).toFixed(3).padStart(6, '0');
    return minutes < 60
      ? `${minutes}:${rest}`
      : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`;
  }
  const date = new Date(epoch + at);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** Joins names of services: `web, store and 3 more`. */
export function names(list: readonly string[], most = 4): string {
  const shown = list.slice(0, most).map(shortName);
  return list.length > most ? `${shown.join(', ')} and ${list.length - most} more` : shown.join(', ');
}

/** What has to happen for the service to go on. */
export function condition({ why, state }: ServiceNow): string | undefined {
  if (why?.condition === undefined) return undefined;
  // Only a command of the user starts such a service again, so the service waits for nothing.
  if (state === 'stopped' || state === 'disabled') return undefined;
  return state === 'failed' ? why.next : `waits for ${why.condition}`;
}

/** Describes the payload of an event in a few words. */
export function eventDetail(event: JsonObject): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(event)) {
    if (key === 'type' || key === 'at' || key === 'serial' || key === 'ended' || key === 'age' || value === null)
      continue;
    if (key === 'left' && value === 0) continue;
    if (key === 'status') parts.push(exitText(value));
    else if (typeof value === 'object') parts.push(`${key} ${JSON.stringify(value)}`);
    else if (key === 'name' || key === 'service' || key === 'waitedFor')
      parts.push(`${key === 'waitedFor' ? 'waited for ' : ''}${shortName(String(value))}`);
    else parts.push(`${key} ${String(value)}`);
  }
  return parts.join(', ');
}

/**
 * Describes a stay in a state: `backoff for 300 ms: exit 1; restart 2 of 5 in 3 s`.
 *
 * @param words what the move to this state means
 */
export function segmentText(segment: Segment, now: number, words = ''): string {
  const lasted = `${segment.to === undefined ? 'for' : 'lasted'} ${duration((segment.to ?? now) - segment.from)}`;
  return `${segment.state} ${lasted}${words === '' ? '' : `: ${words}`}`;
}
