/**
 * matrix-js-sdk in calls: a device of a user, driven by the library alone, in a process of its own. What it sees and sends goes
 * through the gateway. Whatever happens to it is in `happened`, in order, also after its process has gone.
 *
 * It can be killed, and it can be made to sleep as a laptop does. The end of its check kills it.
 */
import { handed, nodeChild } from "#harness/clients/crypto/process/launch";
import { LineProcess } from "#harness/clients/crypto/process/line-process";
import type { Session } from "#harness/world/session";
import type { Happening, KeyChanged, Participant, RosterNow, Sent } from "./js-sdk/happening.ts";
import { ROOM_CALL, type Slot } from "./js-sdk/slot.ts";

export interface CallOptions {
  /**
   * `signed`: with a crypto engine, on a device that its user has signed. `unsigned`: on one that nobody has signed. Without one
   * (`none`, unless given) no keys are sent.
   */
  readonly crypto?: "signed" | "unsigned" | "none";
}

export interface JoinOptions {
  /** How the membership is sent: as an event that sticks (MSC4143), or as state (MSC3401), which is deployed. */
  readonly by: "sticky" | "state";
  /** The call of the room unless given. */
  readonly slot?: Slot;
  /** A new random one unless given; `library`: what the library itself makes it. */
  readonly memberId?: "library" | (string & {});
  /** Where media is published, the own one first; a place that is not there unless given. */
  readonly transports?: readonly object[];
  /** Of the library's JoinSessionConfig: `delayedLeaveEventDelayMs`, `useKeyDelay`, `notificationType`, … */
  readonly library?: Readonly<Record<string, unknown>>;
}

/** Whether an invite makes the device ring (MSC4075 §Receiving invites). */
export type InviteView =
  | { readonly rings: true; readonly remainingMs: number; readonly content: object }
  | { readonly rings: false; readonly reason: string };

/** The library gives each leave two seconds. */
const STOP_GRACE_MS = 10_000;

export class JsSdkCall implements AsyncDisposable {
  readonly session: Session;
  /** Oldest first. */
  readonly happened: Happening[] = [];
  readonly #process: LineProcess;
  readonly #listeners = new Set<(happening: Happening) => void>();
  #heard = Promise.withResolvers<void>();

  private constructor(
    session: Session,
    { command, args }: { readonly command: string; readonly args: readonly string[] },
  ) {
    this.session = session;
    const who = `${session.userId} ${session.deviceId} (matrix-js-sdk in calls)`;
    this.#process = new LineProcess(who, command, args, {
      signal: session.context.signal,
      yields: true,
    });
  }

  /** Takes the session's device; returns once the library has synced. */
  static async start(session: Session, options: CallOptions = {}): Promise<JsSdkCall> {
    const call = new JsSdkCall(session, await nodeChild("js-sdk-call"));
    try {
      await call.#process.ask("launch", { ...handed(session), ...options });
    } catch (error) {
      await call.kill();
      throw error;
    }
    void call.#listen();
    return call;
  }

  /** Begins to join, and returns the member id; `happened` tells what comes of it. */
  join(roomId: string, options: JoinOptions): Promise<string> {
    return this.#ask("join", roomId, options);
  }

  /** Of these devices, those whose users it does not see in the room yet, or whose keys it does not have. */
  unknownDevices(
    roomId: string,
    devices: readonly Pick<Session, "userId" | "deviceId">[],
  ): Promise<readonly string[]> {
    const names = devices.map(({ userId, deviceId }) => ({ userId, deviceId }));
    return this.#ask("unknownDevices", roomId, names);
  }

  /** Returns when the leave has been sent; false: it was not joined. */
  leave(roomId: string, slot = ROOM_CALL): Promise<boolean> {
    return this.#ask("leave", roomId, slot);
  }

  /**
   * Who is in the session now, as the library has it; waits until the room has come in a sync. What came with it is in `happened`
   * then.
   */
  async roster(roomId: string, slot = ROOM_CALL): Promise<readonly Participant[]> {
    const { members, told } = await this.#ask<RosterNow>("roster", roomId, slot);
    while (this.happened.length < told && this.#process.isRunning) await this.#heard.promise;
    return members;
  }

  openSlot(roomId: string, slot = ROOM_CALL): Promise<void> {
    return this.#ask("openSlot", roomId, slot);
  }

  closeSlot(roomId: string, slot = ROOM_CALL): Promise<void> {
    return this.#ask("closeSlot", roomId, slot);
  }

  /** Undefined: it has not seen the event. */
  invite(roomId: string, eventId: string): Promise<InviteView | undefined> {
    return this.#ask("invite", roomId, eventId);
  }

  /** Returns the id of the event that declines. */
  decline(roomId: string, eventId: string): Promise<string> {
    return this.#ask("decline", roomId, eventId);
  }

  /** Is told of all that happens from now on. Media keys are among it. */
  on(listener: (happening: Happening) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Events that it has sent or scheduled so far, of this type if one is given. */
  sent(type?: string): readonly (Sent & { readonly atMs: number })[] {
    return this.happened.filter(
      (each) => each.what === "sent" && (type === undefined || each.type === type),
    ) as (Sent & { atMs: number })[];
  }

  /** Media keys that it has been told to use so far. */
  keys(): readonly (KeyChanged & { readonly atMs: number })[] {
    return this.happened.filter(({ what }) => what === "key") as (KeyChanged & { atMs: number })[];
  }

  /** Its process stops in its tracks, until `resume`. */
  suspend(): void {
    this.#signal("SIGSTOP");
  }

  resume(): void {
    this.#signal("SIGCONT");
  }

  /** It dies at once, with nothing said before it. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Leaves what it has joined, and ends; is killed if it does not get that done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    await this.#process.end(STOP_GRACE_MS * this.session.context.timeoutScale, "stop");
  }

  async #ask<Result>(method: string, ...parameters: readonly unknown[]): Promise<Result> {
    return (await this.#process.ask(method, ...parameters)) as Result;
  }

  #signal(signal: "SIGSTOP" | "SIGCONT"): void {
    const { pid } = this.#process;
    if (pid !== undefined && this.#process.isRunning) process.kill(pid, signal);
  }

  /** Until its process ends, which whoever asks it next is told. */
  async #listen(): Promise<void> {
    for (;;) {
      const asked = this.#ask<readonly Happening[]>("news", this.happened.length);
      const news = await asked.catch(() => undefined);
      for (const happening of news ?? []) {
        this.happened.push(happening);
        for (const listener of this.#listeners) listener(happening);
      }
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
      if (news === undefined) return;
    }
  }
}
