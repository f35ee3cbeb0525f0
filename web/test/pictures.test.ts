import { describe, expect, it } from "vitest";
import { barsOf, panned, zoomed } from "../src/model/gantt";
import { linePath, niceTop, smoothed, stackedLayers } from "../src/model/stack";
import { blocksOf, gridSize, inGrid, layoutKey, roundedPath } from "../src/views/run/graph-layout";

const at = (seconds: number) => new Date(seconds * 1000).toISOString();
const attempt = { number: 1, submittedAt: null, startedAt: null, endedAt: null, cause: null };

describe("the bars of a task", () => {
  it("are its wait in the queue and its run", () => {
    const bars = barsOf(
      [{ ...attempt, submittedAt: at(1), startedAt: at(3), endedAt: at(7), state: "failed" }],
      99_000,
    );

    expect(bars).toEqual([
      { kind: "queue", from: 1000, to: 3000, state: "queue", attempt: 1 },
      { kind: "run", from: 3000, to: 7000, state: "failed", attempt: 1 },
    ]);
  });

  it("reach to now where the task still runs, or waits for its start", () => {
    const runs = barsOf([{ ...attempt, startedAt: at(3), state: "running" }], 9000);
    const waits = barsOf([{ ...attempt, submittedAt: at(3), state: "submitted" }], 9000);

    expect(runs[0]).toMatchObject({ kind: "run", to: 9000 });
    expect(waits).toMatchObject([{ kind: "queue", to: 9000 }]);
  });
});

describe("a view of a time axis", () => {
  const bounds = { from: 0, to: 1000 };

  it("keeps the time under the pointer when it is zoomed", () => {
    expect(zoomed(bounds, 0.5, 500, bounds)).toEqual({ from: 250, to: 750 });
    expect(zoomed(bounds, 0.5, 0, bounds)).toEqual({ from: 0, to: 500 });
  });

  it("never leaves the bounds", () => {
    expect(zoomed({ from: 250, to: 750 }, 10, 300, bounds)).toEqual(bounds);
    expect(panned({ from: 250, to: 750 }, 9999, bounds)).toEqual({ from: 500, to: 1000 });
    expect(panned({ from: 250, to: 750 }, -9999, bounds)).toEqual({ from: 0, to: 500 });
  });

  it("has a closest zoom", () => {
    const view = zoomed(bounds, 1e-9, 500, bounds);

    expect(view.to - view.from).toBe(50);
  });
});

describe("states over time", () => {
  it("lie upon each other and fill the field", () => {
    const layers = stackedLayers({ waiting: [2, 0], succeeded: [0, 2], failed: [0, 0] }, 100, 10);

    expect(layers.map((layer) => layer.state)).toEqual(["succeeded", "waiting"]);
    expect(layers[0]?.path).toBe("M0,10L100,0L100,10L0,10Z");
    expect(layers[1]?.path).toBe("M0,0L100,0L100,0L0,10Z");
  });

  it("of one moment are a field, of none are nothing", () => {
    expect(stackedLayers({ running: [3] }, 100, 10)).toHaveLength(1);
    expect(stackedLayers({}, 100, 10)).toEqual([]);
  });
});

describe("a line", () => {
  it("runs through its values", () => {
    expect(linePath([0, 5, 10], 10, 100, 20)).toBe("M0,20L50,10L100,0");
    expect(linePath([], 10, 100, 20)).toBe("");
  });

  it("has a round top", () => {
    expect([0, 0.3, 7, 21, 260].map(niceTop)).toEqual([1, 0.5, 10, 25, 500]);
  });

  it("smoothed keeps its sum where it is even", () => {
    expect(smoothed([0, 3, 0], 1)).toEqual([1.5, 1, 1.5]);
    expect(smoothed([4, 4, 4, 4], 3)).toEqual([4, 4, 4, 4]);
  });
});

describe("the layout of a graph", () => {
  const node = (id: string, succeeded: number) => ({
    id,
    label: id,
    kind: "template" as const,
    template: id,
    tasks: 9,
    states: { succeeded },
    trigger: "all_success",
    generator: false,
  });
  const graph = (count: number) => ({
    level: "template" as const,
    nodes: [node("a", count), node("b", 0)],
    edges: [{ from: "a", to: "b", count: 1 }],
    truncated: false,
  });

  it("does not change with the counts", () => {
    expect(layoutKey(graph(1), "RIGHT")).toBe(layoutKey(graph(5), "RIGHT"));
    expect(layoutKey(graph(1), "RIGHT")).not.toBe(layoutKey(graph(1), "DOWN"));
  });

  it("makes a grid of a template that has many tasks, and of no other", () => {
    const task = (index: number, template: string) => ({
      ...node(`${template}_${index}`, 0),
      kind: "task" as const,
      template,
    });
    const tasks = (count: number, template: string) =>
      Array.from({ length: count }, (_, index) => task(index, template));
    const opened = { ...graph(1), nodes: [node("a", 1), ...tasks(12, "b"), ...tasks(300, "c")] };

    const { members, owner } = blocksOf(opened);

    expect([...members.keys()]).toEqual(["frame:c"]);
    expect([owner.get("c_7"), owner.get("b_7"), owner.get("a")]).toEqual([
      "frame:c",
      undefined,
      undefined,
    ]);
  });

  it("keeps each task of a grid in its frame, at a place of its own", () => {
    const { width, height } = gridSize(300);
    const places = Array.from({ length: 300 }, (_, index) => inGrid({ x: 0, y: 0 }, index, 300));

    expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(300);
    expect(Math.max(...places.map((place) => place.x)) + 190).toBeLessThan(width);
    expect(Math.max(...places.map((place) => place.y)) + 34).toBeLessThan(height);
    expect(width / height).toBeGreaterThan(1);
    expect(width / height).toBeLessThan(2.5);
  });

  it("rounds corners, by half of a short way at most", () => {
    const points = [
      { x: 0, y: 0 },
      { x: 10, y: 0 },
      { x: 10, y: 4 },
    ];
    expect(roundedPath(points, 5)).toBe("M0,0L5,0Q10,0 10,2L10,4");
    expect(roundedPath([], 5)).toBe("");
  });
});
