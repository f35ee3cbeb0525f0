// States over time as areas, one upon the other; and lines, as paths of an SVG.

import type { TaskState } from "../api/types";

/** From the bottom up: what has ended well lies at the bottom and grows. */
export const STACK_STATES: readonly TaskState[] = [
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
  "running",
  "submitted",
  "submitting",
  "ready",
  "waiting",
];

export interface Layer {
  state: TaskState;
  path: string;
}

/** One closed path for each state that occurs, in a field of `width` by `height`. */
export function stackedLayers(
  series: Partial<Record<TaskState, number[]>>,
  width: number,
  height: number,
): Layer[] {
  const states = STACK_STATES.filter((state) => series[state]?.some((count) => count > 0));
  const bins = Math.max(0, ...states.map((state) => series[state]?.length ?? 0));
  if (bins === 0) return [];
  const totals = Array.from({ length: bins }, (_, bin) =>
    states.reduce((total, state) => total + (series[state]?.[bin] ?? 0), 0),
  );
  const top = Math.max(1, ...totals);
  const x = (bin: number) => round(bins === 1 ? width : (bin / (bins - 1)) * width);
  const y = (count: number) => round(height - (count / top) * height);
  let lower = new Array<number>(bins).fill(0);
  return states.map((state) => {
    const upper = lower.map((below, bin) => below + (series[state]?.[bin] ?? 0));
    const forth = upper.map((count, bin) => `${x(bin)},${y(count)}`);
    const back = lower.map((count, bin) => `${x(bin)},${y(count)}`).reverse();
    lower = upper;
    // A single moment is drawn as a field of the whole width.
    if (bins === 1) {
      const [above] = forth;
      const [below] = back;
      return {
        state,
        path: `M0,${above?.split(",")[1]}L${above}L${below}L0,${below?.split(",")[1]}Z`,
      };
    }
    return { state, path: `M${[...forth, ...back].join("L")}Z` };
  });
}

/** A line through values, one a bin, in a field of `width` by `height` whose top is `top`. */
export function linePath(
  values: readonly number[],
  top: number,
  width: number,
  height: number,
): string {
  if (values.length === 0) return "";
  const points = values.map((value, bin) => {
    const x = values.length === 1 ? width : (bin / (values.length - 1)) * width;
    return `${round(x)},${round(height - (value / Math.max(top, 1e-9)) * height)}`;
  });
  return `M${points.join("L")}`;
}

/** Each value as the mean of itself and `reach` neighbours on both sides. */
export function smoothed(values: readonly number[], reach: number): number[] {
  return values.map((_, index) => {
    const near = values.slice(Math.max(0, index - reach), index + reach + 1);
    return near.reduce((total, value) => total + value, 0) / near.length;
  });
}

/** A round number at or above `value`: the top of an axis. */
export function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

const round = (value: number): number => Math.round(value * 10) / 10;
