/** Booleans as they stand in confs and in the original's commands: `True`, `no`. */
import { parseBoolean } from '../../config/values.ts';

export function isTruth(text: string): boolean {
  return parseBoolean(text) !== undefined || text === '0' || text === '1';
}

export function truthOf(text: string): boolean {
  return text === '1' || parseBoolean(text) === true;
}
