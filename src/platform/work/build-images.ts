/** Builds images one after the other, in an order in which each finds what it begins with. */
import type { Readable } from 'node:stream';
import type { BuildEvent, Engine, EngineFailure } from '../engine/engine.ts';
import { imageName, labelNames } from '../model/project.ts';

export interface BuildOptions {
  readonly cache: boolean;
  readonly pull: boolean;
  readonly network?: string;
}

export type BuildNotice =
  | { readonly kind: 'begun'; readonly name: string }
  | { readonly kind: 'event'; readonly name: string; readonly event: BuildEvent }
  | { readonly kind: 'built'; readonly name: string; readonly image: string; readonly ms: number }
  | { readonly kind: 'failed'; readonly name: string; readonly failure: EngineFailure; readonly step?: number };

export interface BuildWork {
  readonly engine: Engine;
  readonly project: string;
  /** The context of a container, or an error that says why there is none. */
  readonly context: (name: string) => Readable;
  readonly options: BuildOptions;
  readonly now: () => number;
  readonly tell: (notice: BuildNotice) => void;
}

/** @returns false where a build has failed; those behind it are not begun */
export async function buildImages(names: readonly string[], work: BuildWork): Promise<boolean> {
  for (const name of names) {
    if (!(await buildImage(name, work))) return false;
  }
  return true;
}

async function buildImage(name: string, { engine, project, context, options, now, tell }: BuildWork): Promise<boolean> {
  const begun = now();
  tell({ kind: 'begun', name });
  let read: Readable;
  try {
    read = context(name);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tell({ kind: 'failed', name, failure: { kind: 'refused', status: 0, message } });
    return false;
  }
  const events = engine.images.build({
    tag: imageName(project, name),
    context: read,
    labels: { [labelNames.project]: project, [labelNames.container]: name },
    ...options,
  });
  return new Promise((resolve) => {
    let done = false;
    events.subscribe({
      next: (event) => {
        tell({ kind: 'event', name, event });
        if (event.type === 'built') {
          done = true;
          tell({ kind: 'built', name, image: event.image, ms: now() - begun });
        } else if (event.type === 'failed') {
          tell({
            kind: 'failed',
            name,
            failure: event.failure,
            ...(event.step === undefined ? {} : { step: event.step }),
          });
        }
      },
      complete: () => resolve(done),
    });
  });
}
