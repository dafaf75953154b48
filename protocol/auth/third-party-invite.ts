/** Invites by third-party identifier (client-server API §Third-party invites, and the rule of m.room.member). */
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import { verifyJson } from "#protocol/events/signatures";

/**
 * True when the invite answers this m.room.third_party_invite: same sender, the invited user is the one who was signed
 * for, and one of the keys in the room's event signed it.
 */
export function isThirdPartyInviteValid(invite: RoomEvent, offer: RoomEvent | undefined): boolean {
  const { third_party_invite: answer } = invite.content;
  if (offer === undefined || !isObject(answer) || !isObject(answer.signed)) return false;
  const { signed } = answer;
  if (signed.mxid !== invite.stateKey || offer.sender !== invite.sender) return false;
  if (!isObject(signed.signatures)) return false;
  const keys = publicKeys(offer.content);
  return Object.entries(signed.signatures).some(([server, signatures]) =>
    Object.keys(isObject(signatures) ? signatures : {}).some((keyId) =>
      keys.some((key) => verifyJson(signed, server, keyId, key)),
    ),
  );
}

function publicKeys({ public_key: first, public_keys: others }: JsonObject): readonly string[] {
  const listed = Array.isArray(others) ? others : [];
  return [first, ...listed.map((entry) => (isObject(entry) ? entry.public_key : undefined))].filter(
    (key) => typeof key === "string",
  );
}
