// The page's colours, for what is drawn on a canvas, which knows no style sheet.

import { BAR_STATES } from "../../model/states";

export interface Palette {
  text: string;
  muted: string;
  line: string;
  stripe: string;
  queue: string;
  font: string;
  states: Record<string, string>;
}

/** The colours as they are now: by theme. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: read("--text"),
    muted: read("--muted"),
    line: read("--line"),
    stripe: read("--stripe"),
    queue: read("--queue"),
    font: getComputedStyle(document.body).fontFamily,
    states: Object.fromEntries(BAR_STATES.map((state) => [state, read(`--state-${state}`)])),
  };
}
