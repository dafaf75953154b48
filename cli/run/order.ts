import { readFile } from "node:fs/promises";

/** So many files without servers of their own come between two that have some. */
const BETWEEN = 2;

/** In a run with this part of them, a third worker: two would both wait too often. */
const MANY_ISOLATED = 1 / 4;

export interface FileOrder {
  readonly files: readonly string[];
  /** How many worker threads they are for, unless somebody says otherwise. */
  readonly workers: number;
}

/**
 * The order in which files start. Isolated checks mostly wait, for servers that start, die and come back, and the others keep
 * them busy: side by side they take less time than one after the other. The largest of each kind come first, for the last one
 * to be short.
 */
export async function orderFiles(files: readonly string[]): Promise<FileOrder> {
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
  const rest = others.slice(isolated.length * BETWEEN);
  return {
    files: [...ordered, ...rest].map(({ file }) => file),
    workers: isolated.length >= files.length * MANY_ISOLATED ? 3 : 2,
  };
}
