/** Addresses within the site. */

export interface Place {
  readonly page: string;
  readonly parts: readonly string[];
  readonly query: string;
}

export function placeOf(hash: string): Place {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...parts] = path.split("/").map(decoded);
  return { page, parts, query: new URLSearchParams(search).get("q") ?? "" };
}

export function matrixAt(query: string): string {
  return query === "" ? "#/" : `#/?${new URLSearchParams({ q: query })}`;
}

export function requirementAt(id: string): string {
  return `#/requirement/${encodeURIComponent(id)}`;
}

export function deploymentAt(number: number): string {
  return `#/deployment/${number}`;
}

export function comparisonAt(before: number, after: number): string {
  return `#/compare/${before}/${after}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
