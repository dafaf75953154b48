/** The page: opens what comes with it or is dropped on it, and shows it. */
import type { LiveSource } from "#tardis/view/live";
import { App } from "./app.ts";
import { byId, h } from "./dom.ts";
import { goLive } from "./live.ts";
import { sourceOf } from "./place.ts";
import { startTerms } from "./terms.ts";
import { startTheme } from "./theme.ts";

startTheme();
startTerms();
const app = new App(embedded("worker"));
const data = embedded("data");
if (sourceOf(location.hash) !== undefined) {
  await app.open([{ name: "link", text: location.hash }]);
} else if (data !== "") {
  await app.open(data);
} else if (embedded("source") !== "") {
  goLive(app, JSON.parse(embedded("source")) as LiveSource);
}

const picker = h("input", {
  type: "file",
  multiple: true,
  id: "file",
  "aria-label": "files to open",
});
byId("picker").append(picker);
picker.addEventListener("change", () => void openAll(picker.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  void openAll(event.dataTransfer?.files ?? null);
});

async function openAll(files: FileList | null): Promise<void> {
  if (files !== null && files.length > 0) await app.open([...files]);
}

/** What comes with the page, in an element that no browser runs; empty where there is nothing. */
function embedded(id: string): string {
  return document.getElementById(id)?.textContent ?? "";
}
