/** Requests by people and programs for single services. All of them are ignored during a shutdown. */

import { reachesAll } from '../order/ordering.ts';
import { tieTo } from '../order/prerequisite.ts';
import { isScheduled } from '../schedule/scheduled-runs.ts';
import { isAtRest, isEnded, isLive } from '../service/service-phase.ts';
import { addTied } from './dependents.ts';
import type { Draft } from './ledger.ts';
import {
  definitionOf,
  isLeaving,
  isStopping,
  nothingIntended,
  phaseOf,
  queued,
  type Slot,
  standingOf,
} from './slot.ts';
import { releaseAll, sayBlocked } from './starts.ts';
import { advanceStops, leaveLine, requestStops, type StopRequest } from './stops.ts';

/** A request for services, which are given by their full names. */
export type ServiceRequest =
  | {
      /** Queues the services: each starts once its prerequisites are ready and its own running stop is over. */
      readonly type: 'services.start';
      readonly names: readonly string[];
      readonly enable: boolean;
      /** True: starts unready prerequisites too, enables disabled services, and stops running ones first. */
      readonly force: boolean;
      readonly at: number;
    }
  | {
      /** Stops the services, dependents before their prerequisites. */
      readonly type: 'services.stop';
      readonly names: readonly string[];
      readonly disable: boolean;
      /** True: the services start again after the stop. */
      readonly again: boolean;
      /** cron, inetd: running processes may finish. */
      readonly drain: boolean;
      readonly at: number;
    }
  | {
      readonly type: 'services.reset';
      readonly names: readonly string[];
      /** True: running services are stopped, too. */
      readonly force: boolean;
      /** Those of the services whose process a pidfile or MAINPID has named: the reset ends that daemon. */
      readonly followed?: readonly string[];
      readonly at: number;
    }
  | {
      readonly type: 'services.enable' | 'services.disable';
      readonly names: readonly string[];
      readonly at: number;
    };

export function carryOut(draft: Draft, request: ServiceRequest): void {
  switch (request.type) {
    case 'services.start':
      start(draft, request);
      break;
    case 'services.stop':
      stop(draft, request);
      break;
    case 'services.reset':
      reset(draft, request);
      break;
    case 'services.enable':
      for (const name of request.names) enable(draft, name);
      break;
    case 'services.disable':
      disable(draft, request.names);
      break;
  }
  releaseAll(draft);
  sayBlocked(draft);
}

/**
 * The slot of a service, for a request by hand; undefined also where a reload has taken the service out of the configuration.
 */
function slotOf(draft: Draft, name: string): Slot | undefined {
  const slot = draft.get(name);
  return slot === undefined || isLeaving(slot) ? undefined : slot;
}

function start(draft: Draft, { names, enable: enables, force }: ServiceRequest & { type: 'services.start' }): void {
  const asked = new Set(names);
  const stops = new Map<string, StopRequest>();
  for (const name of force ? withUnready(draft, names) : names) {
    const slot = slotOf(draft, name);
    // A service whose account is missing would run as chaperone itself.
    if (slot === undefined || slot.spec.missingAccount !== undefined) continue;
    const enabled = slot.enabled || (asked.has(name) && (enables || force));
    draft.put(name, { enabled, resumes: enabled ? false : slot.resumes });
    if (!enabled) continue;
    if (isAtRest(slot.chart)) {
      draft.put(name, { intent: queued, askedBy: 'hand', saidBlocked: false });
    } else if (isStopping(slot) && !(force && asked.has(name) && slot.intent.drain)) {
      draft.put(name, { intent: { ...slot.intent, next: 'start' }, askedBy: 'hand' });
    } else if (slot.chart === 'stopping' && !(force && asked.has(name))) {
      draft.put(name, { intent: { kind: 'again' }, askedBy: 'hand' });
    } else if ((force && asked.has(name)) || slot.chart === 'exited') {
      // Processes that the last run left behind are ended first.
      draft.put(name, { askedBy: 'hand' });
      stops.set(name, { why: 'hand', next: 'start' });
    }
  }
  endInOrder(draft, stops);
}

/** Stops the services, after those that require them. */
function endInOrder(draft: Draft, stops: Map<string, StopRequest>): void {
  addTied(draft, stops);
  requestStops(draft, stops);
  advanceStops(draft, stops.keys());
}

/** The services and their direct and indirect prerequisites that are not ready. */
function withUnready(draft: Draft, names: readonly string[]): readonly string[] {
  const found = new Set(names);
  for (const name of found) {
    const node = draft.node(name);
    for (const other of node?.prerequisites ?? []) {
      const slot = draft.get(other);
      if (slot !== undefined && !reachesAll(standingOf(slot), tieTo(node, other))) found.add(other);
    }
  }
  return [...found];
}

function stop(draft: Draft, request: ServiceRequest & { type: 'services.stop' }): void {
  const { again, drain } = request;
  const stops = new Map<string, StopRequest>();
  for (const name of request.names) {
    const slot = slotOf(draft, name);
    if (slot === undefined) continue;
    const enabled = slot.enabled && !request.disable;
    draft.put(name, { enabled, resumes: false, because: undefined });
    if (!isAtRest(slot.chart)) {
      const drains = drain && isScheduled(definitionOf(slot).type);
      stops.set(name, { why: 'hand', next: again ? 'start' : 'rest', drain: drains });
      if (again) draft.put(name, { askedBy: 'hand' });
    } else if (again) {
      if (enabled) draft.put(name, { intent: queued, askedBy: 'hand', saidBlocked: false });
    } else if (slot.intent.kind === 'queued') takeOutOfLine(draft, name, slot);
  }
  endInOrder(draft, stops);
}

/** Takes a service out of the queue. A pending chart is told to become stopped; any other has ended already. */
function takeOutOfLine(draft: Draft, name: string, { chart }: Slot): void {
  draft.put(name, { intent: nothingIntended, ...(chart === 'pending' ? { chart: 'stopped' } : {}) });
  draft.tell({ type: 'service.reset', service: name });
  if (chart === 'pending') draft.order({ kind: 'stop', name, why: 'hand', drain: false });
}

function reset(draft: Draft, request: ServiceRequest & { type: 'services.reset' }): void {
  const stops = new Map<string, StopRequest>();
  for (const name of request.names) {
    const slot = slotOf(draft, name);
    if (slot === undefined) continue;
    draft.put(name, { resumes: false });
    if (isEndedBy(request, slot) && !isStopping(slot)) stops.set(name, { why: 'hand', next: 'rest' });
    else if (!isScheduled(definitionOf(slot).type)) draft.tell({ type: 'service.reset', service: name });
    draft.order({ kind: 'reset', name });
  }
  endInOrder(draft, stops);
}

/**
 * True if the reset ends the service, so that it can be started again: it has finished, or what it started lives on as a daemon;
 * with force, also where it runs.
 */
function isEndedBy(
  { force, followed = [] }: ServiceRequest & { type: 'services.reset' },
  { chart, spec }: Slot,
): boolean {
  if (chart === 'ready.exited' || chart === 'exited') return true;
  if (chart === 'ready.scheduled') return false;
  return isLive(chart) && (force || (chart === 'ready.running' && followed.includes(spec.name)));
}

function enable(draft: Draft, name: string): void {
  const slot = slotOf(draft, name);
  if (slot === undefined) return;
  draft.put(name, { enabled: true, resumes: false });
  if (!slot.resumes) return;
  if (isStopping(slot)) draft.put(name, { intent: { ...slot.intent, next: 'start' }, askedBy: 'hand' });
  else if (isEnded(slot.chart)) draft.put(name, { intent: queued, askedBy: 'hand' });
}

/** Keeps services from starting by themselves (queued, scheduled, restarting); running processes go on. */
function disable(draft: Draft, names: readonly string[]): void {
  const stops = new Map<string, StopRequest>();
  for (const name of names) {
    const slot = slotOf(draft, name);
    if (slot === undefined) continue;
    draft.put(name, { enabled: false });
    const begins = slot.chart === 'backoff' || (isScheduled(definitionOf(slot).type) && isUp(slot));
    if (!begins || isStopping(slot)) continue;
    draft.put(name, { resumes: true });
    stops.set(name, { why: 'disabled', next: 'rest', drain: slot.chart !== 'backoff' });
  }
  requestStops(draft, stops);
  // These stops need no order: they end no process that a dependent could use.
  if (stops.size > 0) leaveLine(draft, new Set(stops.keys()));
  advanceStops(draft, stops.keys());
}

function isUp(slot: Slot): boolean {
  const phase = phaseOf(slot);
  return phase === 'ready.scheduled' || phase === 'starting';
}
