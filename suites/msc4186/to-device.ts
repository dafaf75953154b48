/** What checks of the to-device extension share: messages, and what a device gets of them (MSC3885). */
import type { SlidingConnection, Synced } from "#harness/clients/sliding-sync/connection";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { HttpResponse } from "#harness/http/client";
import { path } from "#harness/http/client";
import { at, type JsonObject, listAt, textAt } from "#harness/match/json";
import { expectEqual, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { withExtension } from "./extensions.ts";

export const KEY = "to_device";
export const NOTE = "org.matrix-crucible.note";

export interface Page {
  readonly texts: readonly unknown[];
  readonly next: string;
  readonly http: HttpResponse;
}

export interface Options {
  readonly since?: string | undefined;
  readonly limit?: number;
}

export function request({ since, limit }: Options = {}): SlidingRequest {
  const config: JsonObject = {
    ...(since === undefined ? {} : { since }),
    ...(limit === undefined ? {} : { limit }),
  };
  return withExtension({}, KEY, config);
}

/** Sends messages with these texts, one after the other, to a device or, as `*`, to all. */
export async function notify(
  sender: Session,
  recipient: Session,
  texts: readonly string[],
  device = recipient.deviceId,
): Promise<void> {
  for (const text of texts) {
    const target = path`/_matrix/client/v3/sendToDevice/${NOTE}/${sender.context.nextName("txn")}`;
    ok(await sender.put(target, { messages: { [recipient.userId]: { [device]: { text } } } }));
  }
}

export function pageOf({ extensions, http }: Synced): Page {
  const events =
    at(extensions, KEY, "events") === undefined ? [] : listAt(extensions, KEY, "events");
  const texts = events.map((event) => at(event, "content", "text"));
  return { texts, next: textAt(extensions, KEY, "next_batch"), http };
}

/** One answer at once. */
export async function receive(connection: SlidingConnection, options?: Options): Promise<Page> {
  return pageOf(await connection.sync(request(options)));
}

/** Acknowledges what has come until the last text has. Returns the answers. */
export async function receiveUntil(
  connection: SlidingConnection,
  last: string,
  options: Options = {},
): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let since = options.since;
  for (let count = 0; count < 20; count++) {
    const page = pageOf(
      await connection.sync(request({ ...options, since }), { timeoutMs: 1_000 }),
    );
    pages.push(page);
    since = page.next;
    if (page.texts.includes(last)) return pages;
  }
  const texts = pages.flatMap((page) => page.texts);
  expectEqual(texts.at(-1), last, "the last to-device message", pages.at(-1)?.http);
  return pages;
}

/** A token after which everything that is sent now comes. */
export async function tokenOf(connection: SlidingConnection): Promise<string> {
  return pageOf(await connection.initial(request())).next;
}
