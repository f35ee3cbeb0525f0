// Server-sent events read from a fetch() stream: EventSource cannot send a token.

import { address, type Query, send } from "./client";

export interface ServerEvent {
  event: string;
  data: string;
  id: string | null;
}

/** Takes pieces of text as they come; gives the events that they complete. */
export function eventParser(): (piece: string) => ServerEvent[] {
  let rest = "";
  let event = "";
  let data: string[] = [];
  let id: string | null = null;

  const endOfEvent = (): ServerEvent[] => {
    const found = data.length > 0 ? [{ event: event || "message", data: data.join("\n"), id }] : [];
    event = "";
    data = [];
    return found;
  };
  const take = (line: string): ServerEvent[] => {
    if (line === "") return endOfEvent();
    if (line.startsWith(":")) return [];
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
    else if (field === "id") id = value;
    return [];
  };
  return (piece) => {
    // A lone CR at the end may be the first half of CR LF: keep it for the next piece.
    const text = rest + piece;
    const cut = text.endsWith("\r") ? text.length - 1 : text.length;
    const lines = text.slice(0, cut).split(/\r\n|\r|\n/);
    rest = (lines.pop() ?? "") + text.slice(cut);
    return lines.flatMap(take);
  };
}

export type LiveStatus = "connecting" | "live" | "reconnecting";

/** How long to wait before the next try, in milliseconds: 0.5 s doubled up to 15 s, with jitter. */
export function backOffMs(failures: number, random: number): number {
  const ceiling = Math.min(15_000, 500 * 2 ** Math.min(failures, 10));
  return Math.round(ceiling * (0.5 + random / 2));
}

/** Follow a stream of events until `signal` ends it; connects again after each break. */
export async function followEvents(
  path: string,
  take: (event: ServerEvent) => void,
  tell: (status: LiveStatus) => void,
  signal: AbortSignal,
  query: Query = {},
): Promise<void> {
  let failures = 0;
  let last: string | null = null;
  tell("connecting");
  while (!signal.aborted) {
    try {
      const answer = await send(address(path, { ...query, ...(last ? { since: last } : {}) }), {
        headers: { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) },
        signal,
      });
      tell("live");
      failures = 0;
      await readText(answer, (piece, parse) => {
        for (const event of parse(piece)) {
          last = event.id ?? last;
          take(event);
        }
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Error)) throw error;
    }
    if (signal.aborted) return;
    tell("reconnecting");
    await pause(backOffMs(failures, Math.random()), signal);
    failures += 1;
  }
}

async function readText(
  answer: Response,
  take: (piece: string, parse: (piece: string) => ServerEvent[]) => void,
): Promise<void> {
  if (!answer.body) return;
  const parse = eventParser();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    take(value, parse);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
