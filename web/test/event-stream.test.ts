import { describe, expect, it } from "vitest";
import { backOffMs, eventParser } from "../src/api/event-stream";

const STREAM = ': hello\n\nevent: run\nid: 7\ndata: {"a":1}\n\ndata: one\ndata: two\n\n';

describe("a stream of events", () => {
  it("is parsed, comments left out", () => {
    expect(eventParser()(STREAM)).toEqual([
      { event: "run", data: '{"a":1}', id: "7" },
      { event: "message", data: "one\ntwo", id: "7" },
    ]);
  });

  it("may come in any pieces", () => {
    for (let size = 1; size < STREAM.length; size += 1) {
      const parse = eventParser();
      const found = [];
      for (let at = 0; at < STREAM.length; at += size) {
        found.push(...parse(STREAM.slice(at, at + size)));
      }
      expect(found).toEqual(eventParser()(STREAM));
    }
  });

  it("may end its lines with CR LF, cut between the two", () => {
    const parse = eventParser();
    const found = ["data: a\r", "\n\r", "\ndata: b\r\n\r\n"].flatMap(parse);

    expect(found.map((event) => event.data)).toEqual(["a", "b"]);
  });

  it("gives nothing for an event that has not ended", () => {
    expect(eventParser()("data: half")).toEqual([]);
  });
});

describe("waiting before the next try", () => {
  it("doubles up to a limit, and never is the same for all pages", () => {
    expect([0, 1, 2].map((failures) => backOffMs(failures, 1))).toEqual([500, 1000, 2000]);
    expect(backOffMs(50, 1)).toBe(15_000);
    expect(backOffMs(0, 0)).toBe(250);
  });
});
