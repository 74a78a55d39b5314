import { type PublicState, publicStates } from '../../model/service/public-state.ts';

/** A shape for each state, since colour is never the only sign; each is drawn around the origin, 12 by 12 in size. */
const shapes: Readonly<Record<PublicState, preact.JSX.Element>> = {
  disabled: <path d="M-4 0H4" />,
  pending: <circle r="4" stroke-dasharray="2 1.6" />,
  starting: <path d="M-3 -4.5L4.5 0L-3 4.5Z" />,
  ready: <circle r="4.5" class="solid" />,
  exited: <path d="M-4.4 0.4L-1.4 3.4L4.4 -3.4" />,
  stopping: <path d="M-4.5 -3H4.5L0 4.5Z" />,
  backoff: <path d="M3.2 -3A4.4 4.4 0 1 0 4.4 0.6M3.6 -5.4V-2.6H0.8" />,
  stopped: <rect x="-4" y="-4" width="8" height="8" class="solid" />,
  failed: <path d="M-4 -4L4 4M4 -4L-4 4" stroke-width="2.4" />,
};

export function StateShape({ state, x, y }: { readonly state: PublicState; readonly x: number; readonly y: number }) {
  return (
    <g class={`shape s-${state}`} transform={`translate(${x} ${y})`}>
      {shapes[state]}
    </g>
  );
}

export function StateIcon({ state }: { readonly state: PublicState }) {
  return (
    <svg class="icon" viewBox="-7 -7 14 14" aria-hidden="true">
      <StateShape state={state} x={0} y={0} />
    </svg>
  );
}

export function StateLabel({ state, detail }: { readonly state: PublicState; readonly detail?: string | undefined }) {
  return (
    <span class="state">
      <StateIcon state={state} />
      {state}
      {detail === undefined ? null : <span class="soft"> {detail}</span>}
    </span>
  );
}

/** The patterns that fill the bars; the page holds them once. */
export function Patterns() {
  return (
    <svg class="patterns" aria-hidden="true">
      <defs>
        <pattern id="p-pending" width="6" height="6" patternUnits="userSpaceOnUse">
          <rect width="6" height="6" class="ground" />
          <circle cx="3" cy="3" r="1" class="ink" />
        </pattern>
        <pattern id="p-starting" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="6" height="6" class="ground" />
          <rect width="2.6" height="6" class="ink" />
        </pattern>
        <pattern id="p-exited" width="4" height="4" patternUnits="userSpaceOnUse">
          <rect width="4" height="4" class="ground" />
          <rect width="4" height="1" class="ink" />
        </pattern>
        <pattern id="p-stopping" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">
          <rect width="6" height="6" class="ground" />
          <rect width="2.6" height="6" class="ink" />
        </pattern>
        <pattern id="p-backoff" width="5" height="5" patternUnits="userSpaceOnUse">
          <rect width="5" height="5" class="ground" />
          <rect width="2" height="5" class="ink" />
        </pattern>
        <pattern id="p-failed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="6" height="6" class="ground" />
          <path d="M0 0H6M0 0V6" class="line" />
        </pattern>
      </defs>
    </svg>
  );
}

export function Legend() {
  return (
    <ul class="legend" aria-label="What the shapes mean">
      {publicStates.map((state) => (
        <li key={state}>
          <StateLabel state={state} />
        </li>
      ))}
    </ul>
  );
}
