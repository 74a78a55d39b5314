import { describe, expect, it } from 'vitest';
import { cutTo, inCell, widthOf } from '../../../src/cli/top/cell-width.ts';
import { keyTable } from '../../../src/cli/top/keys.ts';
import {
  emptyState,
  type Message,
  type Order,
  shownRows,
  type TopState,
  update,
} from '../../../src/cli/top/top-state.ts';
import { type Place, smallest, spark, view } from '../../../src/cli/top/top-view.ts';
import type { ServiceStatus } from '../../../src/control/supervisor.ts';
import { FakeSupervisor, serviceStatus } from '../../control/fake-supervisor.ts';

const place: Place = { rows: 23, columns: 80, now: 1_000, wallTime: Date.UTC(2026, 0, 1) };

function services(...list: readonly ServiceStatus[]): Message {
  return { type: 'services', services: list, all: true, now: 1_000 };
}

/** Takes messages one after the other; texts are keys. */
function topAfter(...messages: readonly (Message | string)[]): {
  readonly state: TopState;
  readonly orders: readonly Order[];
} {
  let state = emptyState;
  let orders: readonly Order[] = [];
  for (const message of messages) {
    const step = update(state, typeof message === 'string' ? { type: 'key', key: message } : message);
    state = step.state;
    orders = step.orders;
  }
  return { state, orders };
}

const textOf = (state: TopState, at: Place = place): readonly string[] =>
  view(state, at).map((line) => line.map(({ text }) => text).join(''));

const db = serviceStatus('db.service', 'starting', {
  why: {
    owner: 'pid 7',
    since: 0,
    next: 'failed',
    condition: 'READY=1',
    left: 18_000,
    sentence: 'waits for READY=1; failed',
  },
});
const web = serviceStatus('web.service', 'pending', {
  why: { owner: 'db', since: 0, next: 'it starts', services: ['db.service'], sentence: 'waits for db; it starts' },
});
const api = serviceStatus('api.service', 'ready');

describe('the state of top', () => {
  it('chooses a service, keeps it, and asks for what belongs to it', () => {
    expect(topAfter(services(db, web)).orders).toEqual([{ type: 'follow', name: 'db.service' }]);
    const { state, orders } = topAfter(services(db, web), 'j', services(api, db, web));
    expect(state.chosen).toBe('web.service');
    expect(orders).toEqual([]);
    expect(topAfter(services(db, web), 'j', services(api, db)).state.chosen).toBe('api.service');
  });

  it('stays within the table, whatever key is pressed', () => {
    expect(topAfter(services(db, web, api), 'up', 'k').state.chosen).toBe('db.service');
    expect(topAfter(services(db, web, api), 'G', 'pageDown', 'j').state.chosen).toBe('api.service');
    expect(topAfter('j', 'G', 's', 'r', 'b', 'return', 'l', '?', 'o', 'O', 'escape').state.chosen).toBeUndefined();
  });

  it('asks before it ends a process, and not before it starts one', () => {
    const { state, orders } = topAfter(services(api), 's');
    expect([state.question?.text, orders]).toEqual(['stop api?', []]);
    expect(topAfter(services(api), 's', 'y').orders).toEqual([{ type: 'command', words: ['stop', 'api.service'] }]);
    expect(topAfter(services(api), 'r', 'x').orders).toEqual([]);
    const stopped = serviceStatus('api.service', 'stopped');
    expect(topAfter(services(stopped), 's').orders).toEqual([{ type: 'command', words: ['start', 'api.service'] }]);
    expect(topAfter(services(api), 'R').orders).toEqual([{ type: 'command', words: ['reload', 'api.service'] }]);
  });

  it('goes to the service that the chosen one waits for, also if the filter hides it', () => {
    const { state, orders } = topAfter(services(db, web), '/', 'w', 'e', 'b', 'return', 'b');
    expect([state.chosen, state.filter]).toEqual(['db.service', '']);
    expect(orders).toEqual([{ type: 'follow', name: 'db.service' }]);
    expect(topAfter(services(db), 'b').state.notice?.text).toBe('db waits for no other service');
  });

  it('filters by name, state and health, and hears no commands while that is typed', () => {
    const { state } = topAfter(services(db, web, api), '/', 'q', 'backspace', 'P', 'e', 'n', 'd');
    expect(shownRows(state).map(({ service }) => service.name)).toEqual(['web.service']);
    expect(topAfter(services(db, web, api), '/', 'x', 'escape').state.filter).toBe('');
    expect(topAfter(services(db), '/', '\u0007').state.filter).toBe('');
  });

  it('sorts by each of its keys', () => {
    const big = serviceStatus('big.service', 'ready', { pid: 62, age: 9, restarts: { used: 3 } });
    const usage: Message = {
      type: 'usage',
      usage: new Map([
        [61, { cpu: 1, memory: 5 }],
        [62, { cpu: 80, memory: 900 }],
      ]),
    };
    const firsts = Array.from({ length: 7 }, (_, index) => {
      const keys = Array.from({ length: index }, () => 'o');
      return shownRows(topAfter(services(web, api, big), usage, ...keys).state)[0]?.service.name;
    });
    expect(firsts).toEqual(['web', 'web', 'api', 'big', 'big', 'big', 'big'].map((name) => `${name}.service`));
    expect(shownRows(topAfter(services(web, api), 'O').state)[0]?.service).toBe(api);
  });

  it('knows a new state before chaperone was asked for its reason', () => {
    const event = { type: 'service', time: 0, service: 'api.service', state: 'failed', stage: 'failed' } as const;
    const { state } = topAfter(services(db, api), { type: 'event', event, now: 2_000 });
    expect(state.rows[1]?.service).toMatchObject({ state: 'failed', age: 0 });
    expect(spark(state.changes, 2_000)).toBe('▁▁▁▁▁▁▁█');
    expect(spark(state.changes, 20_000)).toBe('▁▁▁▁▁█▁▁');
  });

  it('takes the log and the history of the chosen service alone, and a bounded number of records', () => {
    const line = { time: 1, text: 'x' };
    const { state } = topAfter(services(db, api), { type: 'log', name: 'api.service', line });
    expect(state.log).toEqual([]);
    const many = Array.from({ length: 600 }, (): Message => ({ type: 'log', name: 'db.service', line }));
    expect(topAfter(services(db), ...many).state.log).toHaveLength(500);
  });
});

describe('the view of top', () => {
  it.each([
    [80, 23],
    [200, 59],
    [50, 10],
    [132, 40],
  ])('fills %i columns and %i rows, and no more, in each of its panes', (columns, rows) => {
    const long = serviceStatus(`${'中文'.repeat(40)}.service`, 'ready', { note: 'x\u001b[31m'.repeat(100) });
    const status = new FakeSupervisor([]).status();
    const system: Message = { type: 'system', status, host: 'h'.repeat(300), now: 1_000 };
    const record: Message = {
      type: 'log',
      name: long.name,
      line: { time: 1, text: `a\tb\u001b[2J${'c'.repeat(400)}` },
    };
    for (const pane of ['', 'l', 'return', '?']) {
      const { state } = topAfter(services(long, db, web), system, record, ...(pane === '' ? [] : [pane]));
      const lines = textOf(state, { ...place, columns, rows });
      expect(lines).toHaveLength(rows);
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing of a service may move the cursor
      expect(lines.join('')).not.toMatch(/[\u0000-\u001f]/);
    }
  });

  it('says when the terminal is too small', () => {
    expect(textOf(emptyState, { ...place, columns: smallest.columns - 1 })[0]).toMatch(/^too small/);
  });

  it('counts times on while nothing is heard', () => {
    const { state } = topAfter(services(db));
    expect(textOf(state)[2]).toMatch(/^› db +starting +4 s +61 +– +– +– +18 s waits for READY=1; failed/);
    expect(textOf(state, { ...place, now: 11_000 })[2]).toMatch(/^› db +starting +14 s +61 +– +– +– +8 s /);
  });

  it('draws the rows round the chosen one, of however many', () => {
    const list = Array.from({ length: 2_000 }, (_, index) => serviceStatus(`s${index}.service`, 'ready'));
    const { state } = topAfter(services(...list), 'G', 'pageUp');
    const lines = textOf(state);
    expect(lines.some((line) => line.startsWith('› s1989 '))).toBe(true);
    expect(lines[1]).toMatch(/\(1985 to 1995 of 2000\)/);
  });

  it('has words for each key, and each key once', () => {
    const keys = keyTable.flatMap((entry) => entry.keys);
    expect(new Set(keys).size).toBe(keys.length);
    const { state } = topAfter(services(db), '?');
    const text = textOf(state, { ...place, columns: 160 }).join('\n');
    for (const { words } of keyTable) expect(text).toContain(words);
  });
});

describe('cells', () => {
  it('count columns as terminals do', () => {
    expect(['abc', '中文', 'é', 'e\u0301', '🙂', ''].map(widthOf)).toEqual([3, 4, 1, 1, 2, 0]);
    expect(inCell('中文字', 4)).toBe('中… ');
    expect(inCell('ab', 4, 'right')).toBe('  ab');
    expect([cutTo('abc', 0), cutTo('abc', 1), cutTo('abc', 3)]).toEqual(['', '…', 'abc']);
  });
});
