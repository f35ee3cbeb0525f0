// The output of an attempt: its end first, then what is added, through breaks of the connection.

import { ApiError, send } from "./client";
import { type LogStream, logAddress } from "./endpoints";
import { backOffMs } from "./event-stream";

/** At first only the end of a log is fetched. */
export const TAIL_BYTES = 262_144;
/** The most that "from the start" brings into the page; more is for a download. */
export const MOST_BYTES = 8_388_608;

export interface LogWish {
  run: string;
  task: string;
  attempt: number;
  stream: LogStream;
  /** Keep reading until the attempt has ended. */
  follow: boolean;
  fromStart: boolean;
}

export interface LogTaker {
  /** A part begins: `skipped` bytes stand before it. */
  begin: (skipped: number, totalBytes: number) => void;
  text: (text: string) => void;
  status: (status: "following" | "reconnecting" | "ended") => void;
}

/** Read a log as wished until it ends or `signal` stops it. Throws `ApiError` where there is none. */
export async function readLog(wish: LogWish, taker: LogTaker, signal: AbortSignal): Promise<void> {
  let offset: number | null = null;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const answer = await send(addressOf(wish, offset), {
        signal,
        headers: rangeOf(wish, offset),
      });
      const total = Number(answer.headers.get("X-Segue-Total-Bytes") ?? 0);
      const first = offset === null;
      if (offset === null) {
        offset = wish.fromStart ? 0 : Math.max(0, total - TAIL_BYTES);
        taker.begin(offset, total);
      }
      taker.status(wish.follow ? "following" : "ended");
      failures = 0;
      for await (const piece of pieces(answer, first && offset > 0)) {
        offset += piece.bytes;
        taker.text(piece.text);
      }
      taker.status("ended");
      return;
    } catch (error) {
      if (signal.aborted) return;
      const final = error instanceof ApiError && error.status >= 400 && error.status < 500;
      if (!wish.follow || final) {
        // At the very end of a log there is no range left: it has all been read.
        if (error instanceof ApiError && error.status === 416) return taker.status("ended");
        throw error;
      }
      taker.status("reconnecting");
      await new Promise((resolve) => setTimeout(resolve, backOffMs(failures, Math.random())));
      failures += 1;
    }
  }
}

function addressOf(wish: LogWish, offset: number | null): string {
  return logAddress(wish.run, wish.task, wish.attempt, wish.stream, {
    follow: wish.follow ? 1 : null,
    tail: wish.fromStart || offset !== null ? null : TAIL_BYTES,
  });
}

function rangeOf(wish: LogWish, offset: number | null): Record<string, string> {
  if (offset !== null && offset > 0) return { Range: `bytes=${offset}-` };
  if (wish.fromStart && !wish.follow) return { Range: `bytes=0-${MOST_BYTES - 1}` };
  return {};
}

async function* pieces(
  answer: Response,
  cut: boolean,
): AsyncGenerator<{ text: string; bytes: number }> {
  if (!answer.body) return;
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  let first = cut;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    let text = decoder.decode(value, { stream: true });
    if (first) {
      // The cut fell into a line, perhaps into a character: begin with the next line.
      text = text.slice(text.indexOf("\n") + 1);
      first = false;
    }
    yield { text, bytes: value.length };
  }
}
