/** The page: opens what comes with it or is dropped on it, and shows it. */

import type { FileText } from "#tardis/formats/load";
import { App } from "./app.ts";
import { byId, h } from "./dom.ts";
import { bytesOf, textOf } from "./embedded.ts";
import { sourceOf } from "./place.ts";
import { startTheme } from "./theme.ts";

startTheme();
const app = new App(textOf("worker"));
const data = textOf("data");
if (data !== "") {
  const text = new TextDecoder().decode(await bytesOf(data));
  await app.open(JSON.parse(text) as readonly FileText[]);
} else if (sourceOf(location.hash) !== undefined) {
  await app.open([{ name: "link", text: location.hash }]);
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
  if (files === null || files.length === 0) return;
  await app.open(
    await Promise.all(
      [...files].map(async (file) => ({ name: file.name, text: await file.text() })),
    ),
  );
}
