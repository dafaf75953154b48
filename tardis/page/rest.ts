/** Resolves a frame from now: what a reader passes in each frame is passed before that. */
export function rest(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
  });
}
