/**
 * What people and machines do to a system that is soaked: commands, reloads, questions, connections, and watchers that come and go.
 * This runs in a process of its own inside the PID namespace, because the control socket grants a caller from outside little.
 */

import { renameSync, writeFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Places, soakedSystem } from './soaked-system.ts';

/** One line of JSON to the soak, every time that the hands have asked. */
export interface Measured {
  /** ms until `status` was answered. */
  readonly latency: number;
  /** Bytes of the JavaScript heap. */
  readonly heap: number;
  /** Commands that were answered so far, by kind of answer. */
  readonly answers: Readonly<Record<string, number>>;
}

export interface HandsInput extends Places {
  /** The page of the inspector, which stays open. */
  readonly page: string;
}

/** Between two rounds, ms. */
const rest = 200;

/** Each round has one of them. */
const commands: readonly (readonly string[])[] = [
  ['restart', 'asked'],
  ['stop', 'behind'],
  ['start', 'behind'],
  ['kill', 'killed', 'HUP'],
  ['reload', 'asked'],
  ['scale', 'worker', '4'],
  ['run-now', 'tick'],
  ['why', 'behind'],
  ['disable', 'once'],
  ['enable', 'once'],
  ['start', 'once'],
  ['reset', 'crash'],
  ['scale', 'worker', '1'],
  ['restart', 'notify'],
  ['status'],
  ['stop', 'no-such-service'],
  ['no-such-command'],
  ['restart', 'worker@'],
];
const questions = [
  '/v1/services',
  '/v1/services/crash/history',
  '/v1/dependencies',
  '/v1/logs',
  '/v1/ready',
  '/openapi.json',
];
const streams = ['/v1/events', '/v1/inspect', '/v1/logs?follow=true'];

export async function useHands(input: HandsInput): Promise<never> {
  const socketPath = join(input.folder, 'control.sock');
  const answers: Record<string, number> = {};
  const note = (kind: string): void => {
    answers[kind] = (answers[kind] ?? 0) + 1;
  };
  // These stay: a watcher of the changes, one of everything, and the page.
  for (const path of ['/v1/events', '/v1/inspect']) read(request({ socketPath, path }), note);
  read(request(`${input.page}entries`), note);
  for (let round = 0; ; round += 1) {
    const words = commands[round % commands.length] ?? [];
    const { kind } = JSON.parse(await answered(socketPath, 'POST', '/v1/commands', { words }));
    note(String(kind));
    await answered(socketPath, 'GET', questions[round % questions.length] ?? '');
    if (round % 5 === 0) await talk(input.port);
    if (round % 10 === 0) {
      comeAndGo(request({ socketPath, path: streams[(round / 10) % streams.length] }), note, (round / 10) % 2 === 0);
      comeAndGo(request(`${input.page}entries`), note, true);
    }
    if (round % 25 === 0) {
      replaceFile(join(input.folder, 'chaperone.d/services.conf'), soakedSystem(input, 1 + round / 25));
      note(`reload ${JSON.parse(await answered(socketPath, 'POST', '/v1/commands', { words: ['reload'] })).kind}`);
    }
    const begun = performance.now();
    await answered(socketPath, 'GET', '/v1/status');
    const latency = performance.now() - begun;
    const metrics = await answered(socketPath, 'GET', '/metrics');
    const heap = Number(/^chaperone_heap_bytes (\S+)$/m.exec(metrics)?.[1]);
    const measured: Measured = { latency, heap, answers };
    process.stdout.write(`${JSON.stringify(measured)}\n`);
    await pause(rest);
  }
}

function answered(socketPath: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const call = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve(text));
      response.once('error', reject);
    });
    call.once('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Reads a stream as long as it lasts. */
function read(call: ClientRequest, note: (kind: string) => void): void {
  call.on('response', (response) => {
    response.on('error', () => undefined);
    response.once('close', () => note('stream ended'));
    response.resume();
  });
  call.on('error', () => note('stream failed'));
  call.end();
}

/** Opens a stream, reads it or leaves it unread, and goes away without a word. */
function comeAndGo(call: ClientRequest, note: (kind: string) => void, reads: boolean): void {
  call.on('response', (response) => {
    response.on('error', () => undefined);
    if (reads) response.resume();
    setTimeout(() => call.destroy(), 3_000);
  });
  call.on('error', () => note('visitor refused'));
  call.end();
}

function talk(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.end('hello\n'));
    socket.on('error', () => undefined);
    socket.resume();
    socket.once('close', () => resolve());
  });
}

function replaceFile(path: string, text: string): void {
  // The name does not end with `.conf`, so that a reload never reads half of the file.
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
