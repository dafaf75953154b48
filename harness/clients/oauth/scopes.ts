/** Scope tokens (specification §Allocated scope tokens, MSC2967). */
export const API_SCOPE = "urn:matrix:client:api:*";
export const DEVICE_SCOPE = "urn:matrix:client:device:";

/** What a client asks for to act as a device. */
export function deviceScope(deviceId: string): string {
  return `${API_SCOPE} ${DEVICE_SCOPE}${deviceId}`;
}

/** Devices that a scope names. */
export function devicesIn(scope: string): readonly string[] {
  return scope
    .split(" ")
    .filter((token) => token.startsWith(DEVICE_SCOPE))
    .map((token) => token.slice(DEVICE_SCOPE.length));
}
