/** URIs that clients register. */

/** Characters that URL parsers drop or read as others. */
const ODD = /[\s\\\u0000-\u001f\u007f]/;

/** The URL, unless it is one that parsers disagree about. */
export function strictUrl(text: string): URL | undefined {
  return ODD.test(text) ? undefined : (URL.parse(text) ?? undefined);
}

/** An https URL without user and password: what may be shown to users as a link. */
export function userVisibleUri(text: string): URL | undefined {
  const url = strictUrl(text);
  return url?.protocol === "https:" && !hasUserInfo(url) ? url : undefined;
}

export function hasUserInfo({ username, password }: URL): boolean {
  return username !== "" || password !== "";
}

/** Whether the host is that of the base or a subdomain of it, by labels. */
export function isSameSite({ hostname }: URL, base: URL): boolean {
  return hostname === base.hostname || hostname.endsWith(`.${base.hostname}`);
}
