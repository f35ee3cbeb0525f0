// What a runner has and what is taken of it, in words and as parts of a whole.

import { bytes } from "./times";

export interface Amount {
  name: string;
  label: string;
  /** What is taken of the whole, from 0 to 1; more than there is counts as all of it. */
  share: number;
  words: string;
}

const FIRST = ["cores", "memory_mb", "gpus"];
const MIB = 1024 * 1024;

/** Cores and memory first, then whatever else a runner has, by name. */
export function amountsOf(runner: {
  total: Readonly<Record<string, number>>;
  free: Readonly<Record<string, number>>;
}): Amount[] {
  return Object.entries(runner.total)
    .filter(([, whole]) => whole > 0)
    .sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b))
    .map(([name, whole]) => {
      const used = whole - (runner.free[name] ?? 0);
      return {
        name,
        label: name === "memory_mb" ? "memory" : name,
        share: Math.min(1, Math.max(0, used / whole)),
        words: `${shown(name, used)} of ${shown(name, whole)}`,
      };
    });
}

const rank = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);

function shown(name: string, amount: number): string {
  return name === "memory_mb" ? bytes(amount * MIB) : amount.toLocaleString("en");
}
