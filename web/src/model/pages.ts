// A list that comes in pages, by cursor, and changes while it is looked at.

export interface Pages<Row> {
  rows: Row[];
  nextCursor: string | null;
}

/** The list with one more page; a row that moved onto this page is taken once, the newer one. */
export function withPage<Row>(
  pages: Pages<Row>,
  page: Pages<Row>,
  keyOf: (row: Row) => string,
): Pages<Row> {
  const added = new Set(page.rows.map(keyOf));
  const kept = pages.rows.filter((row) => !added.has(keyOf(row)));
  return { rows: [...kept, ...page.rows], nextCursor: page.nextCursor };
}

/** The list after its beginning was fetched anew: rows behind what was fetched stay as they were. */
export function withFreshStart<Row>(
  pages: Pages<Row>,
  fresh: Pages<Row>,
  keyOf: (row: Row) => string,
): Pages<Row> {
  if (pages.rows.length <= fresh.rows.length || fresh.nextCursor === null) return fresh;
  const known = new Set(fresh.rows.map(keyOf));
  const behind = pages.rows.slice(fresh.rows.length).filter((row) => !known.has(keyOf(row)));
  return { rows: [...fresh.rows, ...behind], nextCursor: pages.nextCursor };
}

/** The list with one row replaced, or the same list where the row is not in it. */
export function withRow<Row>(pages: Pages<Row>, row: Row, keyOf: (row: Row) => string): Pages<Row> {
  const index = pages.rows.findIndex((other) => keyOf(other) === keyOf(row));
  if (index < 0) return pages;
  return { ...pages, rows: pages.rows.with(index, row) };
}

/** The list without one row. */
export function withoutRow<Row>(
  pages: Pages<Row>,
  key: string,
  keyOf: (row: Row) => string,
): Pages<Row> {
  return { ...pages, rows: pages.rows.filter((row) => keyOf(row) !== key) };
}

/** The index that `j` (+1) or `k` (-1) leads to. */
export function moved(index: number, step: number, length: number): number {
  if (length === 0) return -1;
  if (index < 0) return step > 0 ? 0 : length - 1;
  return Math.min(length - 1, Math.max(0, index + step));
}

/** The sort that a click on a header leads to: the column's own order first, then the other. */
export function nextSort(sort: string, column: string, descendingFirst: boolean): string {
  const first = descendingFirst ? `-${column}` : column;
  const second = descendingFirst ? column : `-${column}`;
  return sort === first ? second : first;
}
