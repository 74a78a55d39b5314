import { createHash } from 'node:crypto';
import type { Digest } from '../model/recorded-spec.ts';

/** The first 16 hexadecimal digits of SHA-256. */
export const digest: Digest = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16);
