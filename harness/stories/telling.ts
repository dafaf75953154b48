/** A story while it is told to real servers: who is there, what was said, which faults are in force. */

import type { ClientKind } from "#harness/clients/crypto/capabilities";
import type {
  CryptoClient,
  CryptoPolicy,
  Sent,
  Unreadable,
} from "#harness/clients/crypto/crypto-client";
import { HarnessError } from "#harness/errors";
import type { JsonObject } from "#harness/match/json";
import { didYouMean } from "#harness/suggest";
import type { Session } from "#harness/world/session";
import type { RuleHandle, World } from "#harness/world/world";
import type { DeviceSpec, Story } from "./story.ts";

/** Kinds of clients on the two sides of a story. */
export interface Pair {
  readonly a: ClientKind;
  readonly b: ClientKind;
}

/** A device that is logged in. */
export interface Device {
  readonly name: string;
  readonly spec: DeviceSpec;
  readonly policy: CryptoPolicy;
  readonly session: Session;
  client: CryptoClient;
  /** To-device events that its client could not decrypt, since somebody asked last. */
  undecryptable: number;
  /** All that came, as often as they came. */
  toDevice: number;
}

/** Something that was said. */
export interface Message {
  readonly roomId: string;
  readonly sent: Sent;
  readonly content: JsonObject;
}

export class Telling {
  readonly world: World;
  readonly story: Story;
  readonly pair: Pair;
  readonly devices = new Map<string, Device>();
  readonly rooms = new Map<string, string>();
  readonly messages = new Map<string, Message>();
  /** Each may be made of several rules. */
  readonly faults = new Map<string, readonly RuleHandle[]>();
  /** What was kept for later, and what goes on. */
  readonly values = new Map<string, unknown>();
  readonly begun = new Map<string, Promise<void>>();
  /** Key ids that claims have handed out, by device. */
  readonly claimed = new Map<string, string[]>();

  constructor(world: World, story: Story, pair: Pair) {
    this.world = world;
    this.story = story;
    this.pair = pair;
  }

  device(name: string): Device {
    return known(this.devices, name, "device");
  }

  room(name: string): string {
    return known(this.rooms, name, "room");
  }

  message(name: string): Message {
    return known(this.messages, name, "message");
  }

  fault(name: string): readonly RuleHandle[] {
    return known(this.faults, name, "fault");
  }

  /** What an earlier step has kept of this kind: a `secret`, a `snapshot`, `keys`. */
  kept<T>(kind: string, name: string): T {
    return known(this.values, `${kind} ${name}`, "value") as T;
  }

  /** Takes back a fault. @throws HarnessError RULE_NEVER_FIRED when it did nothing */
  async lift(name: string): Promise<void> {
    const handles = this.fault(name);
    this.faults.delete(name);
    const fired = await Promise.all(handles.map((handle) => handle.fired()));
    await Promise.all(handles.map((handle) => handle[Symbol.asyncDispose]()));
    if (fired.some((times) => times > 0)) return;
    throw new HarnessError("RULE_NEVER_FIRED", {
      what: `the fault ${name} never fired`,
      next: "its route or its words fit no exchange of the story",
    });
  }

  /**
   * Keeps what forensics needs to find out why a message can not be read.
   *
   * @param expected the root, where the story says that it has to be so
   */
  keep(device: Device, name: string, why: Unreadable, expected?: Story["hunts"]): void {
    const { roomId, sent } = this.message(name);
    this.world.undecryptable.push({
      message: name,
      room: roomId,
      event: sent.eventId,
      session: why.sessionId,
      index: why.index,
      user: device.client.userId,
      device: device.client.deviceId,
      why: why.code,
      ...(why.withheld === undefined ? {} : { withheld: why.withheld }),
      isExpected: expected !== undefined,
      hunts: expected ?? this.story.hunts,
    });
  }
}

function known<T>(map: ReadonlyMap<string, T>, name: string, what: string): T {
  const found = map.get(name);
  if (found !== undefined) return found;
  throw new HarnessError("BAD_FILE", {
    what: `there is no ${what} ${name} at this place of the story`,
    next: map.size === 0 ? `no ${what} is there yet` : didYouMean(name, map.keys()),
  });
}
