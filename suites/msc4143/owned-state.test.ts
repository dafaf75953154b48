/** State that belongs to a user: MSC3757, in a room version that has it. */
import { type HttpResponse, path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";

const VERSION = "org.matrix.msc3757.11";
const TYPE = "org.example.owned";
const OWNED = { method: "PUT", path: `/_matrix/client/v3/rooms/*/state/${TYPE}/*` };
const TAKEN = { status: 200, body: { event_id: "$taken" } };
const FORBIDDEN = { status: 403, body: { errcode: "M_FORBIDDEN", error: "" } };

/** A room where everybody may write the type. */
function makeRoom(admin: Session): Promise<string> {
  return admin.createRoom({
    preset: "public_chat",
    room_version: VERSION,
    power_level_content_override: { events: { [TYPE]: 0 } },
  });
}

function write(session: Session, roomId: string, key: string): Promise<HttpResponse> {
  return session.put(path`/_matrix/client/v3/rooms/${roomId}/state/${TYPE}/${key}`, { v: 1 });
}

check(
  "MSC3757.owner-writes",
  "the owner and users of more power write owned state, and nobody else does",
  {
    mutant: [
      altersAnswer("lets everybody write", { ...OWNED, status: 403 }, TAKEN),
      altersAnswer("lets not even the owner write", { ...OWNED, status: 200 }, FORBIDDEN),
    ],
  },
  async (world) => {
    const [admin, owner, mallory] = await world.users("admin", "owner", "mallory");
    const roomId = await makeRoom(admin);
    await Promise.all([owner.join(roomId), mallory.join(roomId)]);
    const key = `${owner.userId}_DEVICE`;

    const byOther = await write(mallory, roomId, key);
    const byOwner = await write(owner, roomId, key);
    const byOtherAgain = await write(mallory, roomId, key);
    const byAdmin = await write(admin, roomId, key);
    const byAdminPlain = await write(admin, roomId, owner.userId);
    const byOtherPlain = await write(mallory, roomId, owner.userId);

    for (const response of [byOwner, byAdmin, byAdminPlain]) ok(response);
    for (const response of [byOther, byOtherAgain, byOtherPlain])
      expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);

check(
  "MSC3757.key-length",
  "the server takes 255 bytes behind the owner's id, and no more",
  {
    mutant: [
      altersAnswer("takes longer keys", { ...OWNED, status: [400, 403, 413] }, TAKEN),
      altersAnswer(
        "counts the owner's id",
        { ...OWNED, status: 200 },
        { status: 413, body: { errcode: "M_TOO_LARGE", error: "" } },
      ),
    ],
  },
  async (world) => {
    const owner = await world.user("owner");
    const roomId = await makeRoom(owner);
    const own = `${owner.userId}_`;

    const longest = await write(owner, roomId, own + "x".repeat(255));
    const tooLong = await write(owner, roomId, own + "x".repeat(256));
    const longestPlain = await write(owner, roomId, "y".repeat(255));
    const tooLongPlain = await write(owner, roomId, "y".repeat(256));

    for (const response of [longest, longestPlain]) ok(response);
    for (const response of [tooLong, tooLongPlain]) expectRefused(response);
  },
);

check(
  "MSC3757.malformed-owner",
  "the server refuses state of an owner whose id is none",
  { mutant: altersAnswer("takes it", { ...OWNED, status: [400, 403] }, TAKEN) },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await makeRoom(alice);

    for (const key of ["@nocolon_x", "@_x", "@:_x"]) expectRefused(await write(alice, roomId, key));
  },
);

function expectRefused(response: HttpResponse): void {
  const isRefused = response.status >= 400 && response.status < 500;
  expectThat(isRefused, "status 4xx", response.status, response);
  expectMatrixError(response, response.status);
}
