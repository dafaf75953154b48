import { randomInt } from "node:crypto";

/** A device id as homeservers make them. */
export function randomDeviceId(): string {
  return Array.from({ length: 10 }, () => String.fromCharCode(65 + randomInt(26))).join("");
}
