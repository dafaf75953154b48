/** A verification from its request to its end, with the steps of both sides in turn. */
import { CheckFailure } from "#harness/errors";
import type { CryptoClient, VerificationView, VerifyVia } from "./crypto-client.ts";

/** Each message needs one sync of the other side; a verification has about eight. */
const MOST_ROUNDS = 16;

export type MutualVia = Exclude<VerifyVia, "local-sign">;

/**
 * Both see the other's numbers, or the second scans the first's code, and say that they are the same.
 *
 * @param roomId for `sas-room`: a room that both are in
 * @throws CheckFailure with where both sides were when it does not come to its end
 */
export async function verifyEachOther(
  one: CryptoClient,
  other: CryptoClient,
  via: MutualVia,
  roomId?: string,
): Promise<void> {
  const isInRoom = via === "sas-room" && roomId !== undefined;
  const where = isInRoom ? { roomId } : { deviceId: other.deviceId };
  const flowId = await one.verification.request(other.userId, where);
  const views: (VerificationView | undefined)[] = [undefined, undefined];
  let hasBegun = false;
  const confirmed = new Set<number>();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    for (const [at, client, peer] of [
      [0, one, other],
      [1, other, one],
    ] as const) {
      await client.syncOnce();
      if (isInRoom) await client.verification.takeRoom(roomId);
      const view = await client.verification.view(peer.userId, flowId);
      if (view === undefined) {
        // Libraries forget a flow that has come to its end.
        const before = views[at];
        if (before !== undefined && (await isVerified(client, peer))) {
          views[at] = { ...before, phase: "done" };
        }
        continue;
      }
      views[at] = view;
      if (view.phase === "cancelled") throw notDone(via, views);
      if (view.phase === "requested" && at === 1) {
        await client.verification.accept(peer.userId, flowId);
      } else if (view.phase === "ready" && at === 0 && !hasBegun) {
        hasBegun = true;
        if (via === "qr") {
          const code = await client.verification.showQr(peer.userId, flowId);
          await peer.verification.scan(client.userId, flowId, code);
        } else await client.verification.startSas(peer.userId, flowId);
      } else if (view.phase === "started" && at === 1 && via !== "qr") {
        await client.verification.accept(peer.userId, flowId);
      } else if (view.phase === "compare" && !confirmed.has(at)) {
        const [ours, theirs] = [views[0]?.decimals, views[1]?.decimals];
        if (via !== "qr" && (ours === undefined || theirs === undefined)) continue;
        if (String(ours) !== String(theirs)) throw notDone(via, views);
        confirmed.add(at);
        await client.verification.confirm(peer.userId, flowId);
      }
    }
    if (views.every((view) => view?.phase === "done")) return;
  }
  throw notDone(via, views);
}

async function isVerified(client: CryptoClient, peer: CryptoClient): Promise<boolean> {
  const { isVerified, devices } = await client.identityOf(peer.userId);
  if (client.userId !== peer.userId) return isVerified;
  return devices.some((device) => device.deviceId === peer.deviceId && device.isVerified);
}

function notDone(via: MutualVia, [one, other]: readonly (VerificationView | undefined)[]) {
  const show = (view: VerificationView | undefined) =>
    view === undefined
      ? "no verification"
      : `${view.phase}${view.cancelled === undefined ? "" : ` (${view.cancelled})`}`;
  return new CheckFailure(
    `both sides to be done with a verification by ${via}`,
    `${show(one)}, and ${show(other)}`,
  );
}
