/** The one clock: time and durations enter through it, so that a test can put another in its place. */
export interface Clock {
  /** Milliseconds since the epoch: for timestamps, never for durations. */
  now(): number;
  /** Milliseconds since the process started, never going back: for durations. */
  elapsed(): number;
}

export const clock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
};
