/** Texts of strangers as readers may see them: in terminals and pages alike. */

/** Control characters, and marks that turn the direction of text or that nobody sees. */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;
const MOST = 80;

/** Cut, and with what can not be seen written as `\u{…}`. */
export function shown(text: string): string {
  return visible(text.length > MOST ? `${text.slice(0, MOST).toWellFormed()}…` : text);
}

/** Whole, and with what can not be seen written as `\u{…}`. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (found) => `\\u{${found.codePointAt(0)?.toString(16) ?? ""}}`);
}
