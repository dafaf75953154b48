import { readFile } from "node:fs/promises";

/** So many files without servers of their own come between two that have some. */
const BETWEEN = 2;

/**
 * The order in which files start. Isolated checks mostly wait, for servers that start, die and come back, and the others keep
 * them busy: side by side they take less time than one after the other. The largest of each kind come first, for the last one
 * to be short.
 */
export async function orderFiles(files: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(
    files.map(async (file) => ({ file, text: await readFile(file, "utf8") })),
  );
  texts.sort((left, right) => right.text.length - left.text.length);
  const { isolated = [], others = [] } = Object.groupBy(texts, ({ text }) =>
    /\bisolated:/.test(text) ? "isolated" : "others",
  );
  const ordered = isolated.flatMap((one, index) => [
    one,
    ...others.slice(index * BETWEEN, (index + 1) * BETWEEN),
  ]);
  return [...ordered, ...others.slice(isolated.length * BETWEEN)].map(({ file }) => file);
}
