// Commands as people read and write them.

import type { Json } from "../api/types";

/** Arguments as one would type them in a shell. */
export function shellWords(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

/** Arguments as text to edit: one a line, or JSON where an argument has lines itself. */
export function commandText(words: readonly string[]): string {
  const plain = words.every((word) => !word.includes("\n")) && !words[0]?.startsWith("[");
  return plain ? words.join("\n") : JSON.stringify(words, null, 2);
}

/** What `commandText` wrote, perhaps edited, as arguments again; null where it is no command. */
export function parseCommand(text: string): string[] | null {
  if (!text.trimStart().startsWith("[")) {
    const words = text.replace(/\n+$/, "").split("\n");
    return words[0] ? words : null;
  }
  try {
    const words: unknown = JSON.parse(text);
    const good =
      Array.isArray(words) && words.length > 0 && words.every((w) => typeof w === "string");
    return good ? (words as string[]) : null;
  } catch {
    return null;
  }
}

function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A member of a definition, where it has one. */
export function definitionMember(definition: Json, name: string): Json | undefined {
  if (typeof definition !== "object" || definition === null || Array.isArray(definition)) {
    return undefined;
  }
  return definition[name];
}

/** The environment of a definition as NAME=value lines. */
export function environmentLines(definition: Json): string {
  const environment = definitionMember(definition, "environment");
  if (typeof environment !== "object" || environment === null || Array.isArray(environment)) {
    return "";
  }
  return Object.entries(environment)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

/** NAME=value lines as an object; lines without a "=" are told. */
export function parsePairs(text: string): { pairs: Record<string, string>; faults: string[] } {
  const pairs: Record<string, string> = {};
  const faults: string[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const cut = line.indexOf("=");
    if (cut < 1) faults.push(`'${line.trim()}' is not NAME=value`);
    else pairs[line.slice(0, cut).trim()] = line.slice(cut + 1);
  }
  return { pairs, faults };
}

/** What differs from before: new values by name, null for what is gone. Values that the server
 * has masked are shown to nobody, and so are never sent back. */
export function changedPairs(before: string, after: string): Record<string, string | null> {
  const old = parsePairs(before).pairs;
  const now = parsePairs(after).pairs;
  const changed: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(now)) if (old[name] !== value) changed[name] = value;
  for (const name of Object.keys(old)) if (!(name in now)) changed[name] = null;
  return changed;
}

/** A value as typed: a number, true, false, null or JSON where it is one, else the text itself. */
export function typedValue(text: string): Json {
  const trimmed = text.trim();
  if (/^(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[[{].*[\]}])$/s.test(trimmed)) {
    try {
      return JSON.parse(trimmed) as Json;
    } catch {
      return text;
    }
  }
  return text;
}
