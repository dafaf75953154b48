/** Hours, minutes and seconds by the clock of UTC, and the milliseconds where it has to be exact; files may claim any time. */
export function timeText(time: number, isExact = false): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "no time" : date.toISOString().slice(11, isExact ? 23 : 19);
}
