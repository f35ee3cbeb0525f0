import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Errand } from "../src/hooks/errand";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Work that takes a second, and what became of it. */
function work(log: string[], name: string) {
  return async (signal: AbortSignal) => {
    log.push(`begin ${name}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    log.push(signal.aborted ? `drop ${name}` : `end ${name}`);
  };
}

it("what is under way comes back before it is asked for again, once however often that was wished", async () => {
  const log: string[] = [];
  const errand = new Errand();

  errand.start(work(log, "a"));
  for (const name of ["b", "c", "d"]) errand.renew(work(log, name));
  await vi.advanceTimersByTimeAsync(1500);
  expect(log).toEqual(["begin a", "end a"]);
  await vi.advanceTimersByTimeAsync(5000);

  expect(log).toEqual(["begin a", "end a", "begin d", "end d"]);
});

it("a new beginning drops what is under way", async () => {
  const log: string[] = [];
  const errand = new Errand();

  errand.start(work(log, "a"));
  errand.start(work(log, "b"));
  await vi.advanceTimersByTimeAsync(5000);

  expect(log).toEqual(["begin a", "begin b", "drop a", "end b"]);
});

it("nothing begins after the end", async () => {
  const log: string[] = [];
  const errand = new Errand();

  errand.start(work(log, "a"));
  errand.renew(work(log, "b"));
  errand.stop();
  await vi.advanceTimersByTimeAsync(5000);

  expect(log).toEqual(["begin a", "drop a"]);
});

it("what rests begins at once", async () => {
  const log: string[] = [];
  const errand = new Errand();

  errand.start(work(log, "a"));
  await vi.advanceTimersByTimeAsync(3000);
  errand.renew(work(log, "b"));

  expect(log).toEqual(["begin a", "end a", "begin b"]);
});
