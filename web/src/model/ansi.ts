// ANSI colours of terminals, as pieces of text with a style. Everything else that a terminal
// would obey (cursor movements, titles, links) is left out; nothing here becomes markup.

export interface Style {
  /** 0 to 15 by the terminal's names, or null. */
  foreground: number | null;
  background: number | null;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

export interface Piece {
  text: string;
  style: Style;
}

export const PLAIN: Style = {
  foreground: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
};

const ESC = "\\u001b";
const BEL = "\\u0007";
/** What terminals obey: CSI with its parameters and last sign, OSC, other strings, short escapes. */
const ESCAPES = new RegExp(
  [
    `${ESC}\\[([0-9;:?<=>]*)([ -/]*[@-~])`,
    `${ESC}\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)`,
    `${ESC}[PX^_][^${ESC}]*${ESC}\\\\`,
    `${ESC}[ -/]*[0-OQ-WYZ\\\\\`-~]`,
  ].join("|"),
  "g",
);
/** All that would not be seen, but the tab. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** The pieces of one line, beginning in `style`; and the style in which the next line begins. */
export function ansiPieces(line: string, style: Style): { pieces: Piece[]; style: Style } {
  const pieces: Piece[] = [];
  let current = style;
  let from = 0;
  const add = (text: string) => {
    const seen = text.replace(UNSEEN, "");
    if (seen) pieces.push({ text: seen, style: current });
  };
  for (const match of line.matchAll(ESCAPES)) {
    add(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") current = restyle(current, match[1] ?? "");
  }
  add(line.slice(from));
  return { pieces, style: current };
}

/** A line as a terminal shows it in the end: what follows a carriage return writes over. */
export function overwritten(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  const last = text.lastIndexOf("\r");
  return last < 0 ? text : text.slice(last + 1);
}

function restyle(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((code) => (code === "" ? 0 : Number(code)));
  let style = before;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const palette = codes[index + 1] === 5;
      const number = codes[index + 2] ?? 0;
      // Of 256 colours the first 16 have names; the others, and true colours, keep the text's own.
      const value = palette && number < 16 ? number : null;
      style = code === 38 ? { ...style, foreground: value } : { ...style, background: value };
      index += palette ? 2 : 4;
    } else style = withCode(style, code);
  }
  return style;
}

function withCode(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4) return { ...style, underline: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code >= 30 && code <= 37) return { ...style, foreground: code - 30 };
  if (code === 39) return { ...style, foreground: null };
  if (code >= 40 && code <= 47) return { ...style, background: code - 40 };
  if (code === 49) return { ...style, background: null };
  if (code >= 90 && code <= 97) return { ...style, foreground: code - 82 };
  if (code >= 100 && code <= 107) return { ...style, background: code - 92 };
  return style;
}

/** The classes of a style, or an empty text for a plain one. */
export function classesOf(style: Style): string {
  const names = [
    style.foreground === null ? "" : `ansi-${style.foreground}`,
    style.background === null ? "" : `ansi-back-${style.background}`,
    style.bold ? "ansi-bold" : "",
    style.dim ? "ansi-dim" : "",
    style.italic ? "ansi-italic" : "",
    style.underline ? "ansi-underline" : "",
  ];
  return names.filter(Boolean).join(" ");
}
