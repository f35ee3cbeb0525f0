// Times and sizes as people read them. "Now" is always passed in.

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** Milliseconds since 1970 of a time of the server, or null. */
export function parseTime(text: string | null | undefined): number | null {
  if (!text) return null;
  const value = Date.parse(text);
  return Number.isNaN(value) ? null : value;
}

/** `text` if that time is ahead of `now` by more than `least` seconds. An end that should have
 * been already, or is now, is no estimate any more. */
export function stillAhead(text: string | null | undefined, now: number, least = 5): string | null {
  const at = parseTime(text);
  return text && at !== null && at > now + least * 1000 ? text : null;
}

/** "now", "12 s ago", "3 min ago", "in 5 min", "2 days ago". */
export function relative(time: number, now: number): string {
  const seconds = Math.round((now - time) / 1000);
  const size = Math.abs(seconds);
  if (size < 2) return "now";
  const words =
    size < MINUTE
      ? `${size} s`
      : size < HOUR
        ? `${Math.floor(size / MINUTE)} min`
        : size < DAY
          ? `${Math.floor(size / HOUR)} h`
          : plural(Math.floor(size / DAY), "day");
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

/** "0.31 s", "12.4 s", "3 min 05 s", "2 h 14 min", "3 d 4 h". */
export function duration(seconds: number): string {
  if (seconds < 0) return "0 s";
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${two(whole % MINUTE)} s`;
  if (whole < DAY)
    return `${Math.floor(whole / HOUR)} h ${two(Math.floor((whole % HOUR) / MINUTE))} min`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

/** Date and time to the second, here, as in a log book: "2026-11-21 14:05:09". */
export function absolute(time: number): string {
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(time)}`;
}

/** "14:05:09", here. */
export function clock(time: number): string {
  const at = new Date(time);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** "812 B", "1.4 KiB", "3.0 GiB". */
export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = count / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** "1 task", "3 tasks"; thousands are grouped. */
export function plural(count: number, word: string): string {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

/** The steps of a time axis in seconds, so that about `wanted` ticks fit into `span` seconds. */
export function tickStep(span: number, wanted: number): number {
  const steps = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
    10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
  ];
  const least = span / Math.max(1, wanted);
  return steps.find((step) => step >= least) ?? Math.ceil(least / DAY) * DAY;
}

/** Times (milliseconds) of the ticks of an axis from `from` to `to`, on round values since `from`. */
export function ticks(from: number, to: number, wanted: number, origin = from): number[] {
  const step = tickStep((to - from) / 1000, wanted) * 1000;
  const found: number[] = [];
  for (let at = origin + Math.ceil((from - origin) / step) * step; at <= to; at += step) {
    found.push(at);
  }
  return found;
}

/** A tick's label: time since the start of the axis. */
export function sinceStart(milliseconds: number, stepSeconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds === 0) return "0";
  if (stepSeconds < 1) return `${seconds.toFixed(stepSeconds < 0.1 ? 2 : 1)} s`;
  if (seconds < MINUTE || stepSeconds < 5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)}:${two(whole % MINUTE)} min`;
  if (whole < 2 * DAY)
    return `${Math.floor(whole / HOUR)}:${two(Math.floor((whole % HOUR) / MINUTE))} h`;
  return `${(whole / DAY).toFixed(1)} d`;
}

const two = (value: number): string => String(value).padStart(2, "0");
