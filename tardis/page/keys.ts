/** What keys do; help.ts tells it. */
import type { App } from "./app.ts";
import type { Dag } from "./dag.ts";
import type { ViewName } from "./place.ts";
import type { WhyPane } from "./why-pane.ts";

const VIEW_KEYS: Readonly<Record<string, ViewName>> = {
  i: "event",
  v: "servers",
  c: "compare",
  r: "run",
};

export function keyActions(
  app: App,
  why: WhyPane,
  dag: Dag,
  search: HTMLInputElement,
): (event: KeyboardEvent) => void {
  return (event) => {
    const { key, target, ctrlKey, metaKey, altKey, shiftKey } = event;
    if (ctrlKey || metaKey || altKey || !(target instanceof HTMLElement)) return;
    if (target.closest("dialog") !== null) return;
    if (target === search) {
      if (key === "Escape") dag.focus();
      if (key === "Enter") {
        app.next("hit", shiftKey ? -1 : 1);
        dag.focus();
      }
      return;
    }
    // Lists and tabs have arrow keys of their own.
    const ownArrows = target.matches("select, [role=tab], input[type=range]");
    if (ownArrows && /^(?:Arrow|Home|End)/.test(key)) return;
    if (target.matches("input:not([type=range]), select") && key.length === 1) return;
    if (act(event, target.closest("#why-steps") !== null)) event.preventDefault();
  };

  function act({ key, shiftKey }: KeyboardEvent, isInSteps: boolean): boolean {
    const row = app.place?.row ?? 0;
    const by = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
    const view = Object.hasOwn(VIEW_KEYS, key) ? VIEW_KEYS[key] : undefined;
    if (view !== undefined) app.go({ view });
    else if (/^\d$/.test(key)) app.go({ server: serverOf(Number(key)) });
    else
      switch (key) {
        case "ArrowUp":
        case "ArrowDown":
          if (isInSteps) why.move(by);
          else app.go({ row: row + by });
          break;
        case "ArrowLeft":
        case "ArrowRight":
          if (shiftKey) app.next("conflict", by);
          else app.go({ row: row + by });
          if (isInSteps) dag.focus();
          break;
        case "Home":
          app.go({ row: 0 });
          break;
        case "End":
          app.go({ row: (app.loaded?.rows.length ?? 1) - 1 });
          break;
        case "[":
          app.next("server", -1);
          break;
        case "]":
          app.next("server", 1);
          break;
        case "n":
          app.next("hit", 1);
          break;
        case "N":
          app.next("hit", -1);
          break;
        case "e":
          void app.into("why");
          break;
        case "s":
          document.querySelector<HTMLElement>("#state-table button")?.focus();
          break;
        case "d":
          app.go({ isDiff: !(app.place?.isDiff ?? false) });
          break;
        case "m":
          app.go({ pin: app.place?.pin === row ? undefined : row });
          break;
        case "t":
          app.theme();
          break;
        case "/":
          search.focus();
          search.select();
          break;
        case "?":
          app.help();
          break;
        case "Escape":
          dag.focus();
          break;
        default:
          return false;
      }
    return true;
  }

  /** The n-th of those that recorded arrivals; 0 is none of them. */
  function serverOf(digit: number): number | undefined {
    return digit === 0 ? undefined : app.loaded?.recorded[digit - 1];
  }
}
