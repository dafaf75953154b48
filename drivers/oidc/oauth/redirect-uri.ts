/** Where clients may have users sent back to (specification, Redirect URI validation; RFC 8252 §7). */
import { hasUserInfo, isSameSite, strictUrl } from "./uris.ts";

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/** What is wrong with a redirect URI that is to be registered; undefined: nothing. */
export function redirectProblem(
  uri: string,
  type: "web" | "native",
  base: URL,
): string | undefined {
  const url = strictUrl(uri);
  if (url === undefined) return "a redirect URI is not a URI";
  if (uri.includes("#")) return "redirect URIs have no fragment";
  if (url.protocol === "https:") return claimedProblem(url, base);
  if (type === "web") return "redirect URIs of web clients are https";
  if (url.protocol === "http:") return loopbackProblem(uri, url);
  const scheme = url.protocol.slice(0, -1);
  const reversed = base.hostname.split(".").reverse().join(".");
  if (scheme !== reversed && !scheme.startsWith(`${reversed}.`)) {
    return "a private-use scheme begins with the host of client_uri in reverse";
  }
  if (uri.slice(scheme.length + 1).startsWith("//")) {
    return "a redirect URI with a private-use scheme has no authority";
  }
  return undefined;
}

function claimedProblem(url: URL, base: URL): string | undefined {
  if (hasUserInfo(url)) return "redirect URIs have no user and password";
  if (LOOPBACK.includes(url.hostname)) return "redirect URIs on loopback are http";
  return isSameSite(url, base) ? undefined : "a redirect URI is not on the host of client_uri";
}

function loopbackProblem(uri: string, url: URL): string | undefined {
  if (hasUserInfo(url)) return "redirect URIs have no user and password";
  if (!LOOPBACK.includes(url.hostname)) return "http redirect URIs are on loopback only";
  // As it was written: parsers leave out port 80.
  const [authority = ""] = uri.slice("http://".length).split(/[/?]/);
  return /:\d*$/.test(authority)
    ? "a redirect URI on loopback is registered without a port, any will do"
    : undefined;
}
