/** What an authorization server sends a browser back to its client with. */
export interface Callback {
  /** Without its query and fragment. */
  readonly redirectUri: string;
  readonly query: URLSearchParams;
  readonly fragment: URLSearchParams;
  readonly url: string;
}

/** By text, since private-use schemes are not for URL parsers. A fragment of `#` alone counts as none. */
export function readCallback(url: string): Callback {
  const [beforeFragment = "", fragment = ""] = splitOnce(url, "#");
  const [redirectUri = "", query = ""] = splitOnce(beforeFragment, "?");
  return {
    redirectUri,
    query: new URLSearchParams(query),
    fragment: new URLSearchParams(fragment),
    url,
  };
}

/** The parameter, wherever it stands. */
export function parameterOf({ query, fragment }: Callback, name: string): string | undefined {
  return fragment.get(name) ?? query.get(name) ?? undefined;
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
