/** Where the entries of a list stand in JSON or JSON5 text: parsers do not tell. */

/** Strings, comments and line breaks matter, and what opens, closes and parts; the rest is skipped. */
const TOKEN =
  /"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\/|\n|[[\]{}:,]|[\w$]+|[^\s]/g;

/**
 * Lines, from 1, on which the entries begin of the list under a key of the outermost object, or of the outermost list.
 *
 * @param key undefined: the text itself is a list
 */
export function itemLines(text: string, key?: string): readonly number[] {
  const lines: number[] = [];
  const listDepth = key === undefined ? 1 : 2;
  let line = 1;
  let depth = 0;
  let before = "";
  let isInList = false;
  let isAwaited = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "\n") {
      line++;
      continue;
    }
    const isComment = token.startsWith("//") || token.startsWith("/*");
    if (!isComment && isAwaited && token !== "]" && token !== ",") {
      lines.push(line);
      isAwaited = false;
    }
    if (token.length > 1 && /["'/]/.test(token.charAt(0))) line += token.split("\n").length - 1;
    if (isComment) continue;
    if (token === "[" || token === "{") {
      depth++;
      const isNamed = key === undefined || before === key;
      if (token === "[" && depth === listDepth && isNamed && lines.length === 0) {
        isInList = true;
        isAwaited = true;
      }
    } else if (token === "]" || token === "}") {
      if (depth === listDepth && isInList) return lines;
      depth--;
    } else if (token === ",") {
      isAwaited = isInList && depth === listDepth;
    }
    if (token !== ":") before = token.replace(/^["']|["']$/g, "");
  }
  return lines;
}
