/** Data as a script: a page that was opened from a file may load scripts, and nothing else. */

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  "<": "\\x3c",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/** Hands the page a text of JSON, which can neither end the script nor an element, nor set a prototype. */
export function dataScript(name: string, value: unknown): string {
  const text = JSON.stringify(value).replace(/[\\'<\u2028\u2029]/g, (sign) => ESCAPES[sign] ?? "");
  return `crucibleData('${name}','${text}')\n`;
}
