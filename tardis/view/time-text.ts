/** Hours, minutes and seconds by the clock of UTC, and the milliseconds where it has to be exact; files may claim any time. */
export function timeText(time: number, isExact = false): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "no time" : date.toISOString().slice(11, isExact ? 23 : 19);
}

/** With its day: `on 2025-06-16 at 18:53:20.930 UTC`. */
export function dateText(time: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "at no time that there is";
  const text = date.toISOString();
  return `on ${text.slice(0, -14)} at ${text.slice(-13, -1)} UTC`;
}

/** `12 ms`, `3.4 s`, `2 min 5 s`. */
export function durationText(ms: number): string {
  if (ms < 0) return "less than nothing, by these clocks";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
