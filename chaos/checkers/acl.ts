/** Server ACLs (client-server API §Server access control lists), from the side of caution. */
import type { JournalRoom } from "#chaos/journal/journal-room";

/** Whether no list that the room ever had denies one of these servers. */
export function isAllowedByAcl(room: JournalRoom, servers: readonly string[]): boolean {
  const lists = (room.history?.events ?? []).filter(
    ({ event }) => event.type === "m.room.server_acl",
  );
  return lists.every(({ event: { content } }) => {
    const allow = patterns(content.allow);
    const deny = patterns(content.deny);
    return servers.every((server) => {
      const host = server.replace(/:\d+$/, "");
      // Names that are addresses are denied where `allow_ip_literals` is false.
      const isLiteral = /^(?:\d+\.){3}\d+$|^\[/.test(host);
      if (isLiteral && content.allow_ip_literals === false) return false;
      return matches(allow, host) && !matches(deny, host);
    });
  });
}

function patterns(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function matches(globs: readonly string[], host: string): boolean {
  return globs.some((glob) => isMatch(glob.toLowerCase(), host.toLowerCase()));
}

/** `*`: any characters, `?`: one. In steps that are at most the product of the lengths: lists are written by strangers. */
function isMatch(glob: string, text: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let resume = 0;
  while (place < text.length) {
    if (at < glob.length && glob[at] === "*") {
      star = at++;
      resume = place;
    } else if (at < glob.length && (glob[at] === "?" || glob[at] === text[place])) {
      at++;
      place++;
    } else if (star >= 0) {
      at = star + 1;
      place = ++resume;
    } else return false;
  }
  while (glob[at] === "*") at++;
  return at === glob.length;
}
