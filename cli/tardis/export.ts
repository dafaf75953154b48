/** `crucible tardis export`: the page and files in one file, that opens from anywhere. */
import path from "node:path";
import { print, remark } from "#cli/io";
import { problemText } from "#tardis/model/problem";
import { openFiles, readText, writeTo } from "./files.ts";
import { pageTemplate, pageWith } from "./page.ts";

export async function exportPage(
  names: readonly string[],
  { output }: { readonly output: string },
): Promise<void> {
  const run = await openFiles(names, undefined);
  for (const problem of run.problems) remark(`not read: ${problemText(problem)}`);
  // Where they lay on this machine is nobody's business.
  const files = names.map((name) => ({ name: path.basename(name), text: readText(name) }));
  const page = pageWith(await pageTemplate(), files);
  writeTo(output, page);
  print(`${output}: ${run.pdus.length} events, ${Math.ceil(page.length / 1024)} KiB`);
}
