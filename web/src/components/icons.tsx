// A state has a shape as well as a colour: who sees no red must still see a failure.

import type { ReactNode } from "react";

const circle = <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.6" />;
const disc = <circle cx="8" cy="8" r="7" fill="currentColor" />;
const cut = {
  fill: "none",
  stroke: "var(--surface)",
  strokeWidth: 1.8,
  strokeLinecap: "round",
} as const;
const drawn = {
  fill: "none",
  stroke: "currentColor",
  strokeWidth: 1.6,
  strokeLinecap: "round",
} as const;

const SHAPES: Record<string, ReactNode> = {
  waiting: (
    <circle
      cx="8"
      cy="8"
      r="6"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeDasharray="2.2 2.5"
    />
  ),
  ready: circle,
  submitting: (
    <>
      {circle}
      <path d="M8 10.800V5.600M5.800 7.600 8 5.400l2.200 2.200" {...drawn} />
    </>
  ),
  submitted: (
    <>
      {circle}
      <path d="M8 3.800a4.200 4.200 0 0 1 0 8.400z" fill="currentColor" />
    </>
  ),
  running: (
    <>
      {disc}
      <path d="M6.300 4.900v6.200L11.300 8z" fill="var(--surface)" />
    </>
  ),
  paused: (
    <>
      {disc}
      <path d="M6.200 5.300v5.400M9.800 5.300v5.400" {...cut} />
    </>
  ),
  succeeded: (
    <>
      {disc}
      <path d="m5 8.300 2.100 2.100L11 6" {...cut} strokeLinejoin="round" />
    </>
  ),
  failed: (
    <>
      <path d="M5 .8h6L15.200 5v6L11 15.200H5L.8 11V5z" fill="currentColor" />
      <path d="m5.600 5.600 4.800 4.800m0-4.800-4.800 4.800" {...cut} />
    </>
  ),
  skipped: (
    <>
      {circle}
      <path
        d="m5.200 5.700 2.300 2.300-2.300 2.300M8.500 5.700l2.300 2.300-2.300 2.300"
        {...drawn}
      />
    </>
  ),
  cancelled: (
    <>
      {circle}
      <path d="m4.200 11.800 7.600-7.600" {...drawn} />
    </>
  ),
};

/** The shape of a state, in its colour. Says nothing to a screen reader: a word stands beside it. */
export function StateIcon({ state }: { state: string }) {
  return (
    <svg className={`state-icon ink-${state}`} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[state] ?? circle}
    </svg>
  );
}

const MARKS = {
  search: "M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM10.300 10.300 14 14",
  close: "m4 4 8 8m0-8-8 8",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13 9.500A5.500 5.500 0 0 1 6.500 3 5.500 5.500 0 1 0 13 9.500z",
  half: "M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM8 2.500v11",
  pause: "M5.500 3.500v9M10.500 3.500v9",
  play: "M5 3.500v9L12.500 8z",
  stop: "M4 4h8v8H4z",
  again: "M13 8a5 5 0 1 1-1.600-3.700M12.500 1.800v3h-3",
  lock: "M4 7.500h8V13H4zM5.500 7.500V5a2.500 2.500 0 0 1 5 0v2.500",
  unlock: "M4 7.500h8V13H4zM5.500 7.500V5a2.500 2.500 0 0 1 4.700-1.200",
  check: "m3 8.500 3.200 3.200L13 5",
  bin: "M3 4.500h10M6 4.500V3h4v1.500M4.500 4.500 5 13h6l.5-8.500",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  down: "M8 2.500v8M4.500 7.500 8 11l3.500-3.500M3 13.500h10",
  chevron: "m5 6.500 3 3 3-3",
  left: "m9.500 4-4 4 4 4",
  right: "m6.500 4 4 4-4 4",
  file: "M4 1.800h5L12.500 5v9.200H4zM9 1.800V5h3.500",
  key: "M5.500 8a2.500 2.500 0 1 0 0 .1zM5.500 8H14M12 8v2.500",
  warning: "M8 2 14.500 13.500h-13zM8 6.500v3M8 11.500v.1",
} as const;

export type MarkName = keyof typeof MARKS;

/** A small line drawing for a button. */
export function Mark({ name }: { name: MarkName }) {
  return (
    <svg className="mark" viewBox="0 0 16 16" aria-hidden="true">
      <path d={MARKS[name]} />
    </svg>
  );
}
