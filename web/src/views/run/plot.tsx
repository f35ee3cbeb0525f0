// The frame of a plot: axes, a legend, and the values under the pointer in words.

import { type ReactNode, useState } from "react";
import { clock, sinceStart, tickStep, ticks } from "../../model/times";

/** The inner field in units of the picture; the page stretches it. */
export const PLOT_WIDTH = 1000;
export const PLOT_HEIGHT = 240;

export function Plot({
  title,
  from,
  to,
  top,
  whole,
  bins,
  words,
  legend,
  children,
}: {
  title: string;
  from: number;
  to: number;
  /** The value at the upper edge. */
  top: number;
  /** Of things that are counted there is no half: no line then in the middle of an odd number. */
  whole?: boolean;
  bins: number;
  /** The values of a bin in words. */
  words: (bin: number) => string;
  legend: ReactNode;
  children: ReactNode;
}) {
  const [share, setShare] = useState<number | null>(null);
  const bin = share === null ? bins - 1 : Math.round(share * (bins - 1));
  const span = Math.max(1, to - from);
  const time = share === null ? to : from + share * span;
  const wanted = 6;
  const halved = !whole || Number.isInteger(top / 2);
  const step = tickStep(span / 1000, wanted);
  return (
    <figure className="plot">
      <figcaption>
        <h2>{title}</h2>
        <ul className="legend">{legend}</ul>
      </figcaption>
      <div className="plot-field">
        <div className="plot-values" aria-hidden="true">
          <span>{top.toLocaleString("en", { maximumFractionDigits: 2 })}</span>
          <span>
            {halved ? (top / 2).toLocaleString("en", { maximumFractionDigits: 2 }) : null}
          </span>
          <span>0</span>
        </div>
        <div
          className="plot-inner"
          onPointerMove={(event) => {
            const frame = event.currentTarget.getBoundingClientRect();
            const at = (event.clientX - frame.left) / Math.max(1, frame.width);
            setShare(Math.min(1, Math.max(0, at)));
          }}
          onPointerLeave={() => setShare(null)}
        >
          <svg
            viewBox={`0 0 ${PLOT_WIDTH} ${PLOT_HEIGHT}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={`${title}; at the end: ${words(bins - 1)}`}
          >
            {(halved ? [0, 0.5] : [0]).map((line) => (
              <line
                key={line}
                x1="0"
                x2={PLOT_WIDTH}
                y1={line * PLOT_HEIGHT}
                y2={line * PLOT_HEIGHT}
                className="grid"
              />
            ))}
            {children}
            {share === null ? null : (
              <line
                x1={share * PLOT_WIDTH}
                x2={share * PLOT_WIDTH}
                y1="0"
                y2={PLOT_HEIGHT}
                className="pointer"
              />
            )}
          </svg>
          <div className="plot-times" aria-hidden="true">
            {ticks(from, to, wanted).map((tick) => (
              <span key={tick} style={{ left: `${((tick - from) / span) * 100}%` }}>
                {sinceStart(tick - from, step)}
              </span>
            ))}
          </div>
        </div>
      </div>
      <p className="plot-words">
        <span className="muted">{clock(time)}</span> {words(bin)}
      </p>
    </figure>
  );
}
