/** Exchanges in colour: method, path, status, and JSON. What is cut off in the middle is coloured as far as it goes. */
import { h } from "./dom.ts";

const REQUEST = /^([A-Z]{3,7}) (\/\S*)(.*)$/;
const ANSWER = /^-> (\d{3})?(.*)$/;
const JSON_TOKEN =
  /("(?:[^"\\]|\\.)*"?)(\s*:)?|\b(?:true|false|null)\b|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/g;

export function exchangeText(text: string): HTMLElement {
  const lines = text.split("\n").flatMap((line, at) => [at === 0 ? "" : "\n", ...coloured(line)]);
  return h("pre", { class: "exchange", tabindex: 0 }, h("bdi", {}, ...lines));
}

function coloured(line: string): readonly (Node | string)[] {
  const request = REQUEST.exec(line);
  if (request !== null) {
    const [, method = "", path = "", rest = ""] = request;
    return [part("method", method), " ", part("path", path), rest];
  }
  const answer = ANSWER.exec(line);
  if (answer !== null) {
    const [, status = "", rest = ""] = answer;
    return ["-> ", part(status.startsWith("2") ? "pass" : "fail", status), rest];
  }
  return /^\s*[[{"]/.test(line) ? jsonParts(line) : [line];
}

function jsonParts(text: string): readonly (Node | string)[] {
  const parts: (Node | string)[] = [];
  let end = 0;
  for (const match of text.matchAll(JSON_TOKEN)) {
    const [whole, string, colon] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + whole.length;
    if (string === undefined) parts.push(part("value", whole));
    else if (colon === undefined) parts.push(part("string", string));
    else parts.push(part("key", string), colon);
  }
  return [...parts, text.slice(end)];
}

function part(name: string, text: string): HTMLElement {
  return h("span", { class: name }, text);
}
