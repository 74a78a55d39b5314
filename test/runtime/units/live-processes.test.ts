import { describe, expect, it } from 'vitest';
import { LiveProcesses } from '../../../src/runtime/units/live-processes.ts';
import { serviceSpec } from '../../model/specs.ts';

const web = serviceSpec({ name: 'web.service' });
const db = serviceSpec({ name: 'db.service' });

describe('the living leaders', () => {
  it('have one service each', () => {
    const live = new LiveProcesses();
    live.add(7, web);
    live.add(8, db);
    expect([...live.all()]).toEqual([
      [7, web],
      [8, db],
    ]);
    expect([live.ownerOf(7), live.ownerOf(8), live.ownerOf(9)]).toEqual(['web.service', 'db.service', undefined]);
    expect([live.has(7), live.has(9)]).toEqual([true, false]);
    expect([live.isOf(7, 'web.service'), live.isOf(7, 'db.service'), live.isOf(9, 'web.service')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('are told from a later process of the same number where it is known when they began', () => {
    const live = new LiveProcesses();
    live.add(7, web, 100);
    expect([live.ownerOf(7), live.ownerOf(7, 100), live.ownerOf(7, 101)]).toEqual([
      'web.service',
      'web.service',
      undefined,
    ]);
    live.add(7, db);
    expect(live.ownerOf(7, 101)).toBe('db.service');
    live.add(8, web);
    expect(live.ownerOf(8, 5)).toBe('web.service');
  });

  it('are forgotten by the service that had them, and not once another one has reused the number', () => {
    const live = new LiveProcesses();
    live.add(7, web, 100);
    live.add(7, db, 200);
    live.forget(7, web);
    expect(live.ownerOf(7)).toBe('db.service');
    live.forget(7, db);
    expect([live.ownerOf(7), live.has(7)]).toEqual([undefined, false]);
    live.add(7, web);
    expect(live.ownerOf(7, 300)).toBe('web.service');
    live.forget(7);
    expect(live.all().size).toBe(0);
  });

  it('are none of the starts, whose times are kept until the service is removed', () => {
    const live = new LiveProcesses();
    live.noteStart('web.service', 100);
    live.noteStart('web.service', undefined);
    expect([live.startOf('web.service'), live.startOf('db.service')]).toEqual([100, undefined]);
    live.forgetService('web.service');
    expect(live.startOf('web.service')).toBeUndefined();
  });
});
