/** Milliseconds that something takes, the median of some rounds. */
export async function median(
  rounds: number,
  run: () => unknown,
  clock: () => number = () => performance.now(),
): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begun = clock();
    await run();
    times.push(clock() - begun);
  }
  return times.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
}
