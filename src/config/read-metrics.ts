/** Reads `settings: metrics`. */
import type { MetricsSpec, SystemSpec } from '../model/service/service-spec.ts';
import type { Environment } from './environment.ts';
import type { Report } from './report.ts';
import { expandedText, innerSection, scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';
import { quote } from './wording.ts';

const loopback = '127.0.0.1';

export function readMetrics(
  settings: Section,
  environment: Environment,
  { report }: { readonly report: Report },
): Pick<SystemSpec, 'metrics'> {
  const section = innerSection(settings, 'metrics');
  const text = expandedText(section, 'listen', environment, true, report)?.trim();
  if (text === undefined) return {};
  const place = scalarOf(section, 'listen')?.place ?? section.place;
  const metrics = readListen(text);
  if (metrics === undefined) {
    report.error('bad-address', `listen of metrics is no address with a port: ${quote(text)}`, place, {
      hint: 'expected ADDRESS:PORT, such as 127.0.0.1:9101 or [::1]:9101, or a port',
    });
    return {};
  }
  if (!isLoopback(metrics.address))
    report.warning('exposed-metrics', `metrics are served at ${text} to everybody who can reach the container`, place, {
      hint: 'they name services, and tell what each waits for; 127.0.0.1 is for this container alone',
    });
  return { metrics };
}

/** `127.0.0.1:9101`, `[::1]:9101`, `9101`. Names are none: what they mean may change with each look. */
export function readListen(text: string): MetricsSpec | undefined {
  const [, six, four, digits = ''] = /^(?:\[([0-9a-f:.]+)\]:|([\d.]+):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port < 1 || port > 65_535) return undefined;
  if (six !== undefined) return isIPv6(six) ? { address: six, port } : undefined;
  const address = four ?? loopback;
  const parts = address.split('.');
  const isIPv4 = parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isIPv4 ? { address, port } : undefined;
}

/** URL has the rules for addresses of version 6, which are many. */
function isIPv6(text: string): boolean {
  return URL.canParse(`http://[${text}]/`);
}

function isLoopback(address: string): boolean {
  if (!address.includes(':')) return address.startsWith('127.');
  return new URL(`http://[${address}]/`).hostname === '[::1]';
}
