// Where the nodes of a graph stand: computed by ELK in a worker, fetched when first needed.

import type { ELK, ElkNode } from "elkjs/lib/elk-api";
import type { Graph, GraphNode } from "../../api/types";

export type Direction = "RIGHT" | "DOWN";

export interface Place {
  x: number;
  y: number;
}

/** The tasks of an opened template, when they are too many for a column: a grid in a frame. */
export interface Frame extends Place {
  id: string;
  template: string;
  width: number;
  height: number;
}

export interface Route {
  id: string;
  from: string;
  to: string;
  points: Place[];
}

export interface Layout {
  /** The upper left corner of each node. */
  places: Map<string, Place>;
  frames: Frame[];
  /** The edges, each with its way around the nodes; a frame's tasks share theirs. */
  routes: Route[];
}

export const SIZES = {
  template: { width: 216, height: 64 },
  task: { width: 190, height: 34 },
  more: { width: 190, height: 34 },
} as const;

/** The size of a node by its kind, and by what it holds. */
export function sizeOf(node: GraphNode): { width: number; height: number } {
  return SIZES[node.kind];
}

/** What decides the layout: counts may change as they like, the nodes stay where they are. */
export function layoutKey(graph: Graph, direction: Direction): string {
  const nodes = graph.nodes.map((node) => `${node.id}\u0001${node.kind}`);
  const edges = graph.edges.map((edge) => `${edge.from}\u0001${edge.to}`);
  return JSON.stringify([direction, nodes, edges]);
}

let engine: Promise<ELK> | null = null;

async function elk(): Promise<ELK> {
  engine ??= Promise.all([
    import("elkjs/lib/elk-api.js"),
    import("elkjs/lib/elk-worker.min.js?url"),
  ]).then(([api, worker]) => {
    return new api.default({ workerFactory: () => new Worker(worker.default) });
  });
  return engine;
}

/** Where everything stands, so that no edge runs behind a node. */
export async function layOut(graph: Graph, direction: Direction): Promise<Layout> {
  const blocks = blocksOf(graph);
  const edges = edgesBetween(graph, blocks);
  const single = graph.nodes.filter((node) => !blocks.owner.has(node.id));
  const root: ElkNode = {
    id: "root",
    layoutOptions: optionsOf(direction),
    children: [
      ...single.map((node) => ({ id: node.id, ...sizeOf(node) })),
      ...[...blocks.members].map(([id, members]) => ({ id, ...gridSize(members.length) })),
    ],
    edges: edges.map(([from, to], index) => ({
      id: `e${index}`,
      sources: [from],
      targets: [to],
    })),
  };
  const laid = await (await elk()).layout(root);
  const places = new Map<string, Place>();
  const frames: Frame[] = [];
  for (const child of laid.children ?? []) {
    const corner = { x: child.x ?? 0, y: child.y ?? 0 };
    const members = blocks.members.get(child.id);
    if (!members) {
      places.set(child.id, corner);
      continue;
    }
    frames.push({
      id: child.id,
      template: members[0]?.template ?? "",
      ...corner,
      ...gridSize(members.length),
    });
    members.forEach((member, index) => {
      places.set(member.id, inGrid(corner, index, members.length));
    });
  }
  const routes = (laid.edges ?? []).map((edge, index) => {
    const [from, to] = edges[index] ?? ["", ""];
    const points = (edge.sections ?? []).flatMap((section) => [
      section.startPoint,
      ...(section.bendPoints ?? []),
      section.endPoint,
    ]);
    return { id: `${from}\u0001${to}`, from, to, points };
  });
  return { places, frames, routes };
}

const optionsOf = (direction: Direction): Record<string, string> => ({
  "elk.algorithm": "layered",
  "elk.direction": direction,
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.spacing.nodeNode": "20",
  "elk.spacing.edgeNode": "16",
  "elk.spacing.edgeEdge": "10",
  "elk.layered.spacing.nodeNodeBetweenLayers": direction === "RIGHT" ? "56" : "44",
  "elk.layered.spacing.edgeNodeBetweenLayers": "18",
  "elk.spacing.componentComponent": "32",
  // As far to the left as their needs allow: tasks of a template stand in one column.
  "elk.layered.layering.strategy": "LONGEST_PATH_SOURCE",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  // Tasks of a template stand in their order: one looks for number 17 below number 16.
  "elk.layered.crossingMinimization.forceNodeModelOrder": "true",
  "elk.layered.mergeEdges": "true",
  "elk.separateConnectedComponents": "true",
});

interface Blocks {
  members: Map<string, GraphNode[]>;
  /** From a task's node to the block that it stands in. */
  owner: Map<string, string>;
}

/** The templates whose tasks become a grid. */
export function blocksOf(graph: Graph): Blocks {
  const opened = new Map<string, GraphNode[]>();
  for (const node of graph.nodes) {
    if (node.kind === "template") continue;
    opened.set(node.template, [...(opened.get(node.template) ?? []), node]);
  }
  const members = new Map<string, GraphNode[]>();
  const owner = new Map<string, string>();
  for (const [template, nodes] of opened) {
    if (nodes.length < GRID_FROM) continue;
    const id = `frame:${template}`;
    members.set(id, nodes);
    for (const node of nodes) owner.set(node.id, id);
  }
  return { members, owner };
}

/** The edges between what is laid out, each once; those within a grid are not drawn. */
function edgesBetween(graph: Graph, { owner }: Blocks): [string, string][] {
  const known = new Set(graph.nodes.map((node) => node.id));
  const found = new Map<string, [string, string]>();
  for (const edge of graph.edges) {
    if (!known.has(edge.from) || !known.has(edge.to)) continue;
    const from = owner.get(edge.from) ?? edge.from;
    const to = owner.get(edge.to) ?? edge.to;
    if (from !== to) found.set(`${from}\u0001${to}`, [from, to]);
  }
  return [...found.values()];
}

/** From so many tasks on a column would be too long to be looked at. */
const GRID_FROM = 13;
const GRID_GAP = 8;
const GRID_TOP = 30;

function gridRows(count: number): number {
  const columns = Math.max(1, Math.round(Math.sqrt((count * 42 * 1.7) / 198)));
  return Math.ceil(count / columns);
}

export function gridSize(count: number): { width: number; height: number } {
  const rows = gridRows(count);
  const columns = Math.ceil(count / rows);
  return {
    width: columns * (SIZES.task.width + GRID_GAP) + GRID_GAP,
    height: rows * (SIZES.task.height + GRID_GAP) + GRID_GAP + GRID_TOP,
  };
}

/** The place of a task in its grid: down the first column, then down the next. */
export function inGrid(corner: Place, index: number, count: number): Place {
  const rows = gridRows(count);
  return {
    x: corner.x + GRID_GAP + Math.floor(index / rows) * (SIZES.task.width + GRID_GAP),
    y: corner.y + GRID_TOP + (index % rows) * (SIZES.task.height + GRID_GAP),
  };
}

/** A line through points, its corners rounded. */
export function roundedPath(points: readonly Place[], radius: number): string {
  const [first, ...rest] = points;
  if (!first) return "";
  const parts = [`M${first.x},${first.y}`];
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    const before = points[index] ?? first;
    if (!next) {
      parts.push(`L${point.x},${point.y}`);
      return;
    }
    const into = toward(point, before, radius);
    const out = toward(point, next, radius);
    parts.push(`L${into.x},${into.y}Q${point.x},${point.y} ${out.x},${out.y}`);
  });
  return parts.join("");
}

/** The point `distance` away from `from` on the way to `to`, at most half of that way. */
function toward(from: Place, to: Place, distance: number): Place {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  if (length === 0) return from;
  const share = Math.min(distance, length / 2) / length;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}
