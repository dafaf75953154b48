/** Names that MatrixRTC goes by until its proposals are accepted. */

/** Parameter of PUT /send (MSC4354 §Unstable Prefix). */
export const STICKY_DURATION = "org.matrix.msc4354.sticky_duration_ms";
/** Key of events that stick, and of the section of /sync with them. */
export const STICKY = "msc4354_sticky";
/** Keys of the remaining time in `unsigned`: by the proposal, and before it is accepted. */
export const STICKY_REMAINING = ["sticky_duration_remaining_ms", "msc4354_sticky_duration_ttl_ms"];
/** Keys in `content` of what the value of an event belongs to in the map of its sender. */
export const STICKY_KEYS = ["sticky_key", "msc4354_sticky_key"];
/** Type of members and state of slots (MSC4143 §Unstable prefix). */
export const MEMBER = "org.matrix.msc4143.rtc.member";
export const SLOT = "org.matrix.msc4143.rtc.slot";
/** Types of members, also that which is to come. */
export const MEMBER_TYPES = ["m.rtc.member", MEMBER];
/** State of members in deployed calls (MSC3401). */
export const LEGACY_MEMBER = "org.matrix.msc3401.call.member";
