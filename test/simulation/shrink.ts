/** Makes a failing world smaller, as long as it fails in the same way. */
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { Command, Fault, ServicePlan, WorldPlan } from './plan.ts';

export interface Shrunk {
  readonly plan: WorldPlan;
  /** How many worlds were run for it. */
  readonly tries: number;
}

/**
 * @param fails runs a world and returns whether it still fails in the same way
 * @param most the most worlds to run
 */
export function shrink(plan: WorldPlan, fails: (plan: WorldPlan) => boolean, most = 2_000): Shrunk {
  let smallest = plan;
  let tries = 0;
  for (let progress = true; progress; ) {
    progress = false;
    for (const candidate of smaller(smallest)) {
      if (tries >= most) return { plan: smallest, tries };
      tries += 1;
      if (!fails(candidate)) continue;
      smallest = candidate;
      progress = true;
      break;
    }
  }
  return { plan: smallest, tries };
}

/** Smaller worlds, beginning with those that leave out most. */
function* smaller(plan: WorldPlan): Generator<WorldPlan> {
  for (const services of fewer(plan.services)) if (services.length > 0) yield withServices(plan, services);
  for (const commands of fewer(plan.commands)) yield { ...plan, commands };
  for (const faults of fewer(plan.faults)) yield { ...plan, faults };
  if (plan.logging.length > 0) yield { ...plan, logging: [] };
  for (const system of withoutKeys(plan.system)) yield { ...plan, system };
  for (const [index, command] of plan.commands.entries()) {
    for (const each of smallerCommand(command)) yield { ...plan, commands: plan.commands.with(index, each) };
  }
  for (const [index, fault] of plan.faults.entries()) {
    for (const each of smallerFault(fault)) yield { ...plan, faults: plan.faults.with(index, each) };
  }
  for (const [index, service] of plan.services.entries()) {
    for (const each of smallerService(service)) yield { ...plan, services: plan.services.with(index, each) };
  }
  for (const end of fewerMs(plan.end)) yield { ...plan, end };
}

/** The list without half of its items, without a quarter, and so on to one. */
function* fewer<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < items.length; from += size)
      yield items.filter((_, index) => index < from || index >= from + size);
  }
}

function* fewerMs(ms: number): Generator<number> {
  if (ms > 0) yield 0;
  for (const step of [1_000, 100, 10, 1]) {
    const rounded = Math.floor(ms / step) * step;
    if (rounded < ms) yield rounded;
  }
  if (ms > 1) yield Math.floor(ms / 2);
}

function* withoutKeys<T extends object>(value: T): Generator<T> {
  for (const key of Object.keys(value)) {
    const rest = { ...value };
    Reflect.deleteProperty(rest, key);
    yield rest;
  }
}

/** Removes services with everything that names them. */
function withServices(plan: WorldPlan, services: readonly ServicePlan[]): WorldPlan {
  const left = new Set(services.map(({ name }) => name));
  const isThere = (name: string): boolean => !name.endsWith('.service') || left.has(name);
  return {
    ...plan,
    services: services.map((service) => ({
      ...service,
      after: service.after.filter(isThere),
      before: service.before.filter(isThere),
    })),
    commands: plan.commands.flatMap((command): Command[] => {
      const { when } = command;
      if ('service' in when && when.service !== undefined && !left.has(when.service)) return [];
      if ('name' in command) return isThere(command.name) ? [command] : [];
      if (!('names' in command)) return [command];
      const names = command.names.filter(isThere);
      if (command.do === 'reload') return [{ ...command, names, gone: command.gone.filter(isThere) }];
      return names.length === 0 ? [] : [{ ...command, names }];
    }),
    faults: plan.faults.filter((fault) => {
      const when = 'when' in fault ? fault.when : undefined;
      if (when !== undefined && 'service' in when && when.service !== undefined && !left.has(when.service))
        return false;
      return !('service' in fault) || isThere(fault.service);
    }),
  };
}

function* smallerCommand(command: Command): Generator<Command> {
  if ('names' in command && command.names.length > 1) {
    for (const names of fewer(command.names)) if (names.length > 0) yield { ...command, names };
  }
  if (command.do === 'reload') {
    for (const gone of fewer(command.gone)) yield { ...command, gone };
    if (command.names.length > 0) yield { ...command, names: [] };
  }
  if (command.do === 'start' && command.enable) yield { ...command, enable: false };
  if ((command.do === 'start' || command.do === 'reset') && command.force) yield { ...command, force: false };
  if (command.do === 'stop' && command.disable) yield { ...command, disable: false };
  if (command.do === 'shutdown') for (const delay of fewerMs(command.delay)) yield { ...command, delay };
  for (const when of smallerWhen(command.when)) yield { ...command, when };
}

function* smallerFault(fault: Fault): Generator<Fault> {
  if ('duration' in fault) for (const duration of fewerMs(fault.duration)) yield { ...fault, duration };
  if (fault.fault === 'intruder') for (const texts of fewer(fault.texts)) yield { ...fault, texts };
  if (fault.fault === 'mainPidMoves') for (const child of smallerScript(fault.child)) yield { ...fault, child };
  if ('when' in fault) for (const when of smallerWhen(fault.when)) yield { ...fault, when };
}

function* smallerWhen(when: Command['when']): Generator<Command['when']> {
  if ('ms' in when) {
    for (const ms of fewerMs(when.ms)) yield { ms };
    return;
  }
  for (const delay of fewerMs(when.delay)) yield { ...when, delay };
  if (when.nth > 1) yield { ...when, nth: when.nth - 1 };
}

function* smallerService(service: ServicePlan): Generator<ServicePlan> {
  if (service.type !== 'simple') yield { ...service, type: 'simple' };
  for (const programs of fewer(service.programs)) if (programs.length > 0) yield { ...service, programs };
  for (const groups of fewer(service.groups)) yield { ...service, groups };
  for (const after of fewer(service.after)) yield { ...service, after };
  for (const before of fewer(service.before)) yield { ...service, before };
  for (const spec of withoutKeys(service.spec)) yield { ...service, spec };
  if (service.values !== undefined) {
    const { values: _, ...rest } = service;
    yield rest;
  }
  if (!service.installed) yield { ...service, installed: true };
  for (const [index, program] of service.programs.entries()) {
    for (const script of smallerScript(program)) yield { ...service, programs: service.programs.with(index, script) };
  }
}

function* smallerScript(script: Script): Generator<Script> {
  for (const steps of fewer(script.steps)) yield { ...script, steps };
  const { onSignal, ...rest } = script;
  if (onSignal !== undefined) {
    yield rest;
    for (const each of withoutKeys(onSignal)) yield { ...script, onSignal: each };
  }
  for (const [index, step] of script.steps.entries()) {
    for (const each of smallerStep(step)) yield { ...script, steps: script.steps.with(index, each) };
  }
}

function* smallerStep(step: Step): Generator<Step> {
  if (step.do === 'wait') for (const ms of fewerMs(step.ms)) yield { ...step, ms };
  if (step.do === 'fork') {
    for (const script of smallerScript(step.script)) yield { ...step, script };
    if (step.detached === true) yield { do: 'fork', script: step.script };
  }
}
