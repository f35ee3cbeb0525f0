import { nextSort } from "../model/pages";

/** A column's head that sorts by it; says its direction to a screen reader too. */
export function SortHeader({
  label,
  column,
  sort,
  onSort,
  descendingFirst,
  numeric,
}: {
  label: string;
  column: string;
  sort: string;
  onSort: (sort: string) => void;
  descendingFirst?: boolean;
  numeric?: boolean;
}) {
  const active = sort.replace("-", "") === column;
  const descending = sort.startsWith("-");
  return (
    <th
      scope="col"
      className={numeric ? "numeric" : undefined}
      aria-sort={active ? (descending ? "descending" : "ascending") : "none"}
    >
      <button
        type="button"
        className="sort"
        onClick={() => onSort(nextSort(sort, column, descendingFirst ?? false))}
      >
        {label}
        <span className="arrow" aria-hidden="true">
          {active ? (descending ? "↓" : "↑") : ""}
        </span>
      </button>
    </th>
  );
}
