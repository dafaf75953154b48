import { expect, test } from "vitest";
import type { Exchange } from "#harness/gateway/exchange";
import { KeyMessages } from "./key-messages.ts";

/** A deployment whose gateway sees what it is told. */
function gateway() {
  let watcher: (exchange: Exchange) => void = () => undefined;
  const watch = (given: typeof watcher) => {
    watcher = given;
    return () => {
      watcher = () => undefined;
    };
  };
  const put = (type: string, body: string, from = "client") =>
    watcher({
      from,
      path: `/_matrix/client/v3/sendToDevice/${type}/1`,
      request: { body },
    } as unknown as Exchange);
  return { deployment: { watch }, put };
}

const TWO = JSON.stringify({ messages: { "@a:hs1": { PHONE: {} }, "@b:hs2": { PHONE: {} } } });

test("each device that an encrypted message is for counts, until nobody counts any more", () => {
  const { deployment, put } = gateway();
  const keys = new KeyMessages(deployment);
  put("m.room.encrypted", TWO);
  put("m.dummy", TWO);
  put("m.room.encrypted", TWO, "hs2");
  put("m.room.encrypted", TWO.slice(0, 20));
  expect(keys.count).toBe(2);

  keys[Symbol.dispose]();
  put("m.room.encrypted", TWO);
  expect(keys.count).toBe(2);
});
