import { describe, expect, it } from 'vitest';
import { codeOf, messageOf } from '../../../src/model/words/errno.ts';

describe('codeOf', () => {
  it('is the code of a system error', () => {
    expect(codeOf(Object.assign(new Error('no'), { code: 'ENOENT' }))).toBe('ENOENT');
  });

  it('is undefined for what has no code, or one that is no text', () => {
    expect(codeOf(new Error('no'))).toBeUndefined();
    expect(codeOf(Object.assign(new Error('no'), { code: 2 }))).toBeUndefined();
    expect(codeOf({ code: 'ENOENT' })).toBeUndefined();
  });
});

describe('messageOf', () => {
  it('is the message of an Error', () => {
    expect(messageOf(new TypeError('no such thing'))).toBe('no such thing');
  });

  it('is the text of anything else that was thrown', () => {
    expect(messageOf('no such thing')).toBe('no such thing');
    expect(messageOf(undefined)).toBe('undefined');
  });
});
