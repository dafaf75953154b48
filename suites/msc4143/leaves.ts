/** Leaves that are left to a service, which sends them once the SFU has lost the member. */
import type { SfuConnection } from "#harness/clients/rtc/sfu-connection";
import type { World } from "#harness/world/world";
import { expectMarksOnceOvertaken, type Scene, untilSent } from "./delayed.ts";

/** The SFU notices at once; a service that only asks it now and then takes longer. */
export const NOTICED_MS = 30_000;
/** Bound for checks that wait for that. */
export const SLOW = { deadlineMs: 120_000 };

/** A leave that is due much later is sent as soon as the member's connection is lost, and not before. */
export async function expectSentOnceLost(
  world: World,
  scene: Scene,
  connection: SfuConnection,
  mark: string,
): Promise<void> {
  await expectMarksOnceOvertaken(world, scene, 1_000, []);

  connection.lose();

  await untilSent(scene.alice, scene.roomId, mark, NOTICED_MS);
}
