// Rows over a time axis on a canvas: only what is in view is drawn, however many rows there are.

import { type PointerEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Button } from "../../components/button";
import { useDark } from "../../hooks/use-theme";
import { panned, type Span, zoomed } from "../../model/gantt";
import { sinceStart, tickStep, ticks } from "../../model/times";
import { type Palette, readPalette } from "./palette";

export interface Brush {
  context: CanvasRenderingContext2D;
  palette: Palette;
  /** The place of a time on the canvas. */
  x: (time: number) => number;
  left: number;
  right: number;
}

export interface TimeRow {
  key: string;
  label: string;
  draw: (brush: Brush, y: number, height: number) => void;
  /** What stands at a time of this row, in words. */
  words: (time: number) => string;
}

const AXIS = 24;

export function TimeCanvas({
  rows,
  bounds,
  rowHeight,
  onOpen,
  label,
}: {
  rows: readonly TimeRow[];
  bounds: Span;
  rowHeight: number;
  onOpen: (key: string) => void;
  label: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [chosen, setChosen] = useState<Span | null>(null);
  const [hover, setHover] = useState<{ x: number; y: number; words: string } | null>(null);
  const drag = useRef<{ x: number; view: Span; moved: boolean } | null>(null);
  const dark = useDark();
  const gutter = width < 560 ? 104 : 190;
  const view = chosen ?? bounds;
  const height = Math.min(620, AXIS + rows.length * rowHeight + 6);

  const timeAt = useCallback(
    (x: number) => view.from + ((x - gutter) / Math.max(1, width - gutter)) * (view.to - view.from),
    [view, gutter, width],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read anew when the theme changes.
  const palette = useMemo(() => readPalette(), [dark]);

  const paint = useCallback(() => {
    if (!canvas.current || !box.current || width === 0) return;
    drawRows(canvas.current, {
      rows,
      rowHeight,
      view,
      gutter,
      width,
      height,
      scroll: box.current.scrollTop,
      origin: bounds.from,
      palette,
    });
  }, [rows, rowHeight, view, gutter, width, height, bounds.from, palette]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(paint, [paint]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const at = timeAt(event.clientX - element.getBoundingClientRect().left);
        setChosen(zoomed(view, Math.exp(event.deltaY * 0.003), at, bounds));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        const by = (event.deltaX || event.deltaY) / Math.max(1, width - gutter);
        setChosen(panned(view, by * (view.to - view.from), bounds));
      }
    };
    // React's own wheel listeners are passive: they could not keep the page from zooming.
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [timeAt, view, bounds, width, gutter]);

  const rowAt = (event: PointerEvent): [TimeRow | undefined, number, number] => {
    const frame = canvas.current?.getBoundingClientRect();
    const x = event.clientX - (frame?.left ?? 0);
    const y = event.clientY - (frame?.top ?? 0);
    const index = Math.floor((y - AXIS + (box.current?.scrollTop ?? 0)) / rowHeight);
    return [y < AXIS ? undefined : rows[index], x, y];
  };
  const move = (event: PointerEvent) => {
    const [row, x, y] = rowAt(event);
    if (drag.current) {
      const by = ((drag.current.x - x) / Math.max(1, width - gutter)) * (view.to - view.from);
      if (Math.abs(drag.current.x - x) > 4) {
        if (!drag.current.moved) canvas.current?.setPointerCapture(event.pointerId);
        drag.current.moved = true;
      }
      if (drag.current.moved) setChosen(panned(drag.current.view, by, bounds));
      return;
    }
    setHover(row ? { x, y, words: x < gutter ? row.label : row.words(timeAt(x)) } : null);
  };
  const zoom = (factor: number) =>
    setChosen(zoomed(view, factor, (view.from + view.to) / 2, bounds));
  const shift = (share: number) => setChosen(panned(view, share * (view.to - view.from), bounds));
  const whole = view.from <= bounds.from && view.to >= bounds.to;
  return (
    <div className="time-canvas">
      <div className="toolbar">
        <span className="muted">
          Ctrl and wheel zoom, drag moves, a click opens. Times count from the start of the run.
        </span>
        <span className="buttons toolbar-end">
          <Button label="Earlier" mark="left" small disabled={whole} onClick={() => shift(-0.4)} />
          <Button label="Later" mark="right" small disabled={whole} onClick={() => shift(0.4)} />
          <Button label="Closer" mark="plus" small onClick={() => zoom(0.5)} />
          <Button label="Farther" mark="minus" small disabled={whole} onClick={() => zoom(2)} />
          <Button label="All" mark="fit" small disabled={whole} onClick={() => setChosen(null)} />
        </span>
      </div>
      <section
        ref={box}
        className="time-box"
        style={{ height }}
        onScroll={paint}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        aria-label={label}
      >
        <div style={{ height: AXIS + rows.length * rowHeight + 4 }}>
          <canvas
            ref={canvas}
            style={{ height }}
            onPointerDown={(event) => {
              drag.current = { x: rowAt(event)[1], view, moved: false };
            }}
            onPointerMove={move}
            onPointerUp={(event) => {
              const [row] = rowAt(event);
              if (row && drag.current && !drag.current.moved) onOpen(row.key);
              drag.current = null;
            }}
            onPointerLeave={() => {
              setHover(null);
              drag.current = null;
            }}
          />
        </div>
      </section>
      {hover ? (
        <div
          className="hover-words"
          style={{ left: Math.min(hover.x + 14, Math.max(0, width - 260)), top: hover.y + 60 }}
        >
          {hover.words}
        </div>
      ) : null}
    </div>
  );
}

interface Scene {
  rows: readonly TimeRow[];
  rowHeight: number;
  view: Span;
  gutter: number;
  width: number;
  height: number;
  scroll: number;
  origin: number;
  palette: Palette;
}

function drawRows(canvas: HTMLCanvasElement, scene: Scene): void {
  const { rows, rowHeight, view, gutter, width, height, scroll, palette } = scene;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(ratio, ratio);
  context.font = `12px ${palette.font}`;
  context.textBaseline = "middle";
  const x = (time: number) =>
    gutter + ((time - view.from) / Math.max(1, view.to - view.from)) * (width - gutter);
  const brush: Brush = { context, palette, x, left: gutter, right: width };
  drawAxis(brush, scene);
  context.save();
  context.beginPath();
  context.rect(0, AXIS, width, height - AXIS);
  context.clip();
  const first = Math.max(0, Math.floor(scroll / rowHeight));
  const last = Math.min(rows.length, Math.ceil((scroll + height) / rowHeight));
  for (let index = first; index < last; index += 1) {
    const row = rows[index];
    if (!row) continue;
    const y = AXIS + index * rowHeight - scroll;
    if (index % 2 === 1) {
      context.fillStyle = palette.stripe;
      context.fillRect(0, y, width, rowHeight);
    }
    context.fillStyle = palette.text;
    context.fillText(fitted(context, row.label, gutter - 14), 6, y + rowHeight / 2 + 0.5);
    context.save();
    context.beginPath();
    context.rect(gutter, y, width - gutter, rowHeight);
    context.clip();
    row.draw(brush, y, rowHeight);
    context.restore();
  }
  context.restore();
}

function drawAxis({ context, palette, x, right }: Brush, scene: Scene): void {
  const { view, width, gutter, height, origin } = scene;
  const wanted = Math.max(2, Math.floor((width - gutter) / 110));
  const step = tickStep((view.to - view.from) / 1000, wanted);
  for (const tick of ticks(view.from, view.to, wanted, origin)) {
    const at = Math.round(x(tick)) + 0.5;
    context.strokeStyle = palette.line;
    context.beginPath();
    context.moveTo(at, AXIS - 4);
    context.lineTo(at, height);
    context.stroke();
    context.fillStyle = palette.muted;
    const label = sinceStart(tick - origin, step);
    const wide = context.measureText(label).width;
    context.fillText(label, Math.min(at + 3, right - wide - 2), AXIS / 2);
  }
}

/** The text cut in its middle, so that beginnings and ends of names stay: "align_0…_0031". */
function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let kept = text.length - 1;
  while (kept > 2) {
    const head = Math.ceil(kept / 2);
    const cut = `${text.slice(0, head)}…${text.slice(text.length - (kept - head))}`;
    if (context.measureText(cut).width <= width) return cut;
    kept -= 1;
  }
  return text.slice(0, 1);
}
