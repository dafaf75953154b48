/** Seconds since the epoch, as tokens count. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}
