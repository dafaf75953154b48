/**
 * Time in which this process could notice anything. While it computes, or the machine sleeps, answers wait unread, and that
 * is no fault of who sent them: what others may take at most is counted in this time. What they have to take at least, and
 * the time that we give ourselves, is counted by the clock (performance.now).
 */

const BEAT_MS = 100;
/** Between two looks no more than this counts. */
const MOST_MS = 2 * BEAT_MS;

let counted = 0;
let looked = performance.now();

function look(): void {
  const now = performance.now();
  counted += Math.min(now - looked, MOST_MS);
  looked = now;
}

setInterval(look, BEAT_MS).unref();

/** Milliseconds since the process started, without those in which it noticed nothing. */
export function awakeMs(): number {
  return counted + Math.min(performance.now() - looked, MOST_MS);
}

/** Aborts after so many milliseconds of it, and not before what had come by then could be read; dispose stops it. */
export function awakeTimeout(ms: number): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const end = awakeMs() + ms;
  let timer: NodeJS.Timeout;
  const wait = () => {
    const left = end - awakeMs();
    if (left > 0) timer = setTimeout(wait, left).unref();
    else controller.abort(new DOMException(`${ms} ms have passed`, "TimeoutError"));
  };
  wait();
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}
