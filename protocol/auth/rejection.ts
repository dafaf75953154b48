/** Why the rules refuse an event. */

/** Names of rules; docs/auth-rules.md tells where each stands in the specification. */
export type AuthRule =
  | "create.prev-events"
  | "create.room-id"
  | "create.version"
  | "create.creator"
  | "create.additional-creators"
  | "room.unknown"
  | "auth-events.duplicate"
  | "auth-events.unexpected"
  | "auth-events.rejected"
  | "auth-events.other-room"
  | "auth-events.missing"
  | "auth-events.no-create"
  | "federate"
  | "aliases.state-key"
  | "member.malformed"
  | "member.unknown-membership"
  | "join.other-user"
  | "join.banned"
  | "join.not-invited"
  | "join.not-authorised"
  | "join.rule"
  | "invite.third-party"
  | "invite.not-joined"
  | "invite.target"
  | "invite.level"
  | "leave.not-in-room"
  | "leave.not-joined"
  | "leave.unban-level"
  | "leave.kick-level"
  | "ban.not-joined"
  | "ban.level"
  | "knock.rule"
  | "knock.other-user"
  | "knock.membership"
  | "sender.not-joined"
  | "third-party-invite.level"
  | "event.level"
  | "event.state-key"
  | "power-levels.malformed"
  | "power-levels.creator"
  | "power-levels.above-own"
  | "power-levels.equal-user"
  | "redaction.domain";

export interface Rejection {
  readonly rule: AuthRule;
  /** One sentence with the names and levels that decided. */
  readonly why: string;
}
