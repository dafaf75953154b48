/**
 * Which of a homeserver's client endpoints its auth service answers, as a reverse proxy hands them over in front of both
 * (MSC3861, "legacy" login for clients that do not know of it).
 */
const COMPAT =
  /^\/_matrix\/client\/[^/]+\/(?:login(?:\/sso\/redirect(?:\/[^/]*)?)?|logout(?:\/all)?|refresh)\/?$/;

/** @param target path, with or without query */
export function isCompat(target: string): boolean {
  return COMPAT.test(target.split("?", 1)[0] ?? "");
}
