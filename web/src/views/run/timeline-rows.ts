// Rows of the timeline: what is drawn for a task, and for a template of many.

import type { TimelineTaskRow, TimelineTemplateRow } from "../../api/types";
import { type Bar, barsOf, colourState } from "../../model/gantt";
import { duration, plural } from "../../model/times";
import type { Brush, TimeRow } from "./time-canvas";

/** A task: its waits light, its runs in the colour of their ends. */
export function taskRow(row: TimelineTaskRow, now: number): TimeRow {
  const bars = barsOf(row.attempts, now);
  return {
    key: row.name,
    label: row.name,
    draw: (brush, y, height) => {
      for (const bar of bars) drawBar(brush, bar, y, height);
    },
    words: (time) => {
      const bar = bars.find((one) => one.from <= time && time <= one.to) ?? bars.at(-1);
      if (!bar) return `${row.name}: ${row.state}`;
      const what = bar.kind === "queue" ? "waited in the queue" : bar.state;
      return `${row.name}, attempt ${bar.attempt}: ${what}, ${duration((bar.to - bar.from) / 1000)}`;
    },
  };
}

function drawBar({ context, palette, x, left }: Brush, bar: Bar, y: number, height: number): void {
  const from = Math.max(left, x(bar.from));
  const width = Math.max(2, x(bar.to) - from);
  if (bar.kind === "queue") {
    context.fillStyle = palette.queue;
    context.fillRect(from, y + height * 0.36, width, height * 0.28);
    return;
  }
  const colour = palette.states[colourState(bar.state)] ?? palette.muted;
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(from, y + height * 0.18, width, height * 0.64, 2);
  context.fill();
  if (colourState(bar.state) === "failed") {
    // A failure differs by more than its colour: it has a notch of the ground at its end.
    context.fillStyle = palette.text;
    context.fillRect(from + width - 2, y + 2, 2, height - 4);
  }
}

/** A template: how many ran in each stretch of time, as a small hill; failures as marks below. */
export function templateRow(row: TimelineTemplateRow, from: number, binSeconds: number): TimeRow {
  const most = Math.max(1, ...row.running, ...row.waiting);
  const bin = binSeconds * 1000;
  const hill = (brush: Brush, counts: number[], colour: string, y: number, height: number) => {
    brush.context.fillStyle = colour;
    counts.forEach((count, index) => {
      if (count === 0) return;
      const left = brush.x(from + index * bin);
      const right = brush.x(from + (index + 1) * bin);
      const size = Math.max(2, (count / most) * (height - 10));
      brush.context.fillRect(left, y + height - 5 - size, Math.max(1, right - left + 0.4), size);
    });
  };
  return {
    key: row.template,
    label: row.template,
    draw: (brush, y, height) => {
      hill(brush, row.waiting, brush.palette.queue, y, height);
      hill(brush, row.running, brush.palette.states.running ?? "", y, height);
      brush.context.fillStyle = brush.palette.states.failed ?? "";
      row.failed.forEach((count, index) => {
        if (count === 0) return;
        brush.context.fillRect(brush.x(from + index * bin) - 1, y + height - 5, 3, 5);
      });
    },
    words: (time) => {
      const index = Math.floor((time - from) / bin);
      const count = (counts: number[]) => counts[index] ?? 0;
      return `${row.template} (${plural(row.tasks, "task")}): ${count(row.running)} running, ${count(
        row.waiting,
      )} in the queue, ${count(row.ended)} ended, ${count(row.failed)} failed`;
    },
  };
}
