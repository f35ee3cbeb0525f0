import { describe, expect, it } from "vitest";
import { moved, nextSort, withFreshStart, withoutRow, withPage, withRow } from "../src/model/pages";

interface Row {
  id: string;
  value?: number;
}
const key = (row: Row) => row.id;
const rows = (...ids: string[]): Row[] => ids.map((id) => ({ id }));

describe("a list by cursor", () => {
  it("takes a row once that has moved onto the next page", () => {
    const list = withPage(
      { rows: rows("a", "b"), nextCursor: "1" },
      { rows: [{ id: "b", value: 2 }, { id: "c" }], nextCursor: null },
      key,
    );

    expect(list).toEqual({
      rows: [{ id: "a" }, { id: "b", value: 2 }, { id: "c" }],
      nextCursor: null,
    });
  });

  it("keeps what lies behind a beginning that was fetched anew", () => {
    const list = withFreshStart(
      { rows: rows("a", "b", "c", "d"), nextCursor: "4" },
      { rows: rows("new", "a", "b"), nextCursor: "3" },
      key,
    );

    expect(list.rows.map(key)).toEqual(["new", "a", "b", "d"]);
    expect(list.nextCursor).toBe("4");
  });

  it("is what was fetched where that is all there is", () => {
    const list = withFreshStart(
      { rows: rows("a", "b", "c"), nextCursor: null },
      { rows: rows("a"), nextCursor: null },
      key,
    );

    expect(list.rows.map(key)).toEqual(["a"]);
  });

  it("changes in place", () => {
    const list = { rows: rows("a", "b"), nextCursor: null };

    expect(withRow(list, { id: "b", value: 1 }, key).rows[1]).toEqual({ id: "b", value: 1 });
    expect(withRow(list, { id: "x" }, key)).toBe(list);
    expect(withoutRow(list, "a", key).rows.map(key)).toEqual(["b"]);
  });
});

describe("the keys j and k", () => {
  it("begin at an end and stay within the list", () => {
    expect([moved(-1, 1, 3), moved(-1, -1, 3)]).toEqual([0, 2]);
    expect([moved(2, 1, 3), moved(0, -1, 3), moved(0, 1, 0)]).toEqual([2, 0, -1]);
  });
});

describe("a click on a column's head", () => {
  it("sorts in the column's own order first, then in the other", () => {
    expect(nextSort("name", "startedAt", true)).toBe("-startedAt");
    expect(nextSort("-startedAt", "startedAt", true)).toBe("startedAt");
    expect(nextSort("-name", "name", false)).toBe("name");
  });
});
