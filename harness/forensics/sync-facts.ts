/** Facts of `GET /sync`, and of sliding sync with its extensions for to-device events and encryption. */
import { digest } from "#harness/clients/crypto/parcel";
import { at, isObject, type JsonObject } from "#harness/match/json";
import type { Fact, SeenParcel, SyncAnswer } from "./facts.ts";
import { changedIn } from "./key-facts.ts";
import { roomEventIn } from "./room-facts.ts";
import { parcelsOf, withheldIn } from "./to-device.ts";
import { entries, objects, text, type View } from "./view.ts";

/** A Base64 text long enough to be an Olm message, where the rest of an answer is cut away. */
const CIPHERTEXT = /"body"\s*:\s*"([A-Za-z0-9+/]{40,}={0,2})"/g;

export function syncIn(view: View): readonly Fact[] {
  const { moment, query, answer = {}, said = {}, cutAnswer } = view;
  const toDevice = objects(at(answer, "to_device", "events"));
  const sync: SyncAnswer = {
    ...moment,
    kind: "sync",
    since: query.get("since") ?? undefined,
    next: text(answer.next_batch),
    ...receivedIn(toDevice, cutAnswer),
    changed: changedIn(answer.device_lists),
    said: saidIn(objects(at(said, "to_device", "events")), changedIn(said.device_lists)),
    isCut: cutAnswer !== undefined,
  };
  const rooms = ["join", "leave", "invite", "knock"].flatMap((section) =>
    entries(at(answer, "rooms", section)),
  );
  return [
    sync,
    ...rooms.flatMap(([room, value]) =>
      [
        ...objects(at(value, "state", "events")),
        ...objects(at(value, "state_after", "events")),
        ...objects(at(value, "timeline", "events")),
        ...objects(at(value, "invite_state", "events")),
      ].flatMap((event) => roomEventIn(view, room, event)),
    ),
  ];
}

export function slidingSyncIn(view: View): readonly Fact[] {
  const { moment, request, answer = {}, said = {}, cutAnswer } = view;
  const extensions = at(answer, "extensions");
  const sync: SyncAnswer = {
    ...moment,
    kind: "sync",
    since: text(at(request, "extensions", "to_device", "since")),
    next: text(at(extensions, "to_device", "next_batch")),
    ...receivedIn(objects(at(extensions, "to_device", "events")), cutAnswer),
    changed: changedIn(at(extensions, "e2ee", "device_lists")),
    said: saidIn(
      objects(at(said, "extensions", "to_device", "events")),
      changedIn(at(said, "extensions", "e2ee", "device_lists")),
    ),
    isCut: cutAnswer !== undefined,
  };
  return [
    sync,
    ...entries(answer.rooms).flatMap(([room, value]) =>
      [...objects(at(value, "required_state")), ...objects(at(value, "timeline"))].flatMap(
        (event) => roomEventIn(view, room, event),
      ),
    ),
  ];
}

function receivedIn(
  events: readonly JsonObject[],
  cut: string | undefined,
): Pick<SyncAnswer, "parcels" | "withheld"> {
  const withheld = events.flatMap(({ type, sender, content }) => {
    const found = withheldIn(text(type) ?? "", content);
    return found === undefined ? [] : [{ ...found, sender: text(sender) ?? "" }];
  });
  const parcels = events.flatMap(({ sender, content }) => parcelsOf(text(sender) ?? "", content));
  return { parcels: cut === undefined ? parcels : parcelsInCut(cut), withheld };
}

function parcelsInCut(cut: string): readonly SeenParcel[] {
  return [...cut.matchAll(CIPHERTEXT)].map(([, body = ""]) => ({
    id: digest(body),
    sender: "",
    isPreKey: false,
    oneTimeKey: undefined,
    curve25519: "",
  }));
}

function saidIn(events: readonly JsonObject[], changed: readonly string[]): SyncAnswer["said"] {
  const parcels = events.flatMap(({ content }) => parcelsOf("", content).map(({ id }) => id));
  return { parcels, changed };
}

export function isSlidingSync(path: readonly string[]): boolean {
  return path.at(-1) === "sync" && path.some((part) => part.includes("msc3575") || part === "v4");
}

export const shownIn = (view: View, room: string, value: unknown): readonly Fact[] =>
  isObject(value) ? roomEventIn(view, room, value) : [];
