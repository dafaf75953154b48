"""matrix-nio as a client of harness/clients/crypto: one JSON object a line, see process/frames.ts."""
import asyncio
import base64
import json
import logging
import os
import signal
import sys
import time
from urllib.parse import quote

import aiohttp
import nio
import vodozemac
from nio.crypto.device import OlmDevice
from nio.exceptions import EncryptionError, OlmTrustError

# No compiled files beside the sources.
sys.dont_write_bytecode = True
from telling import Log, Telling, digest

QUIET = 2
LONG_POLL_MS = 500
PAUSE_S = 0.25
FILTER = {"room": {"timeline": {"limit": 1}}}

# Plaintext of events and keys are in nio's log lines.
logging.disable(logging.CRITICAL)


class Refused(Exception):
    """An answer in the form of ThrownThere."""

    def __init__(self, **error):
        super().__init__(error["what"])
        self.error = error


def unsupported(what):
    return Refused(kind="unsupported", code=f"crypto client nio: {what}", what="matrix-nio has none of it")


def place(content):
    """Session and index of a megolm message (Megolm ratchet, "Message format")."""
    found = {"sessionId": content.get("session_id", "")}
    text = content.get("ciphertext")
    if not isinstance(text, str):
        return found
    data = base64.b64decode(text + "=" * (-len(text) % 4))
    if data[:2] != b"\x03\x08":
        return found
    index = 0
    for at, byte in enumerate(data[2:7]):
        index |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return {**found, "index": index}
    return found


class Client:
    def __init__(self):
        self.nio = None
        self.log = None
        self.runs = {}
        self.next_run = 1
        self.is_first_sync = True
        self.encrypted = {}
        self.dies_at = None
        self.lock = asyncio.Lock()

    async def launch(self, told):
        account = told["account"]
        where = told.get("place")
        user, device = account["userId"], account["deviceId"]
        config = nio.AsyncClientConfig(
            store=nio.store.SqliteMemoryStore if where is None else nio.store.SqliteStore,
            store_name="nio.db",
            pickle_key="memory" if where is None else where["key"],
            store_sync_tokens=True,
            custom_headers={"x-crucible-check": told["check"]},
            max_limit_exceeded=3,
            max_timeouts=3,
            request_timeout=30 * told["timeoutScale"],
        )
        folder = "" if where is None else where["folder"]
        self.nio = nio.AsyncClient(told["server"]["clientUrl"], user, device, folder, config)
        self.nio.restore_login(user, device, account["accessToken"])
        self.log = Log(told.get("log"), user, device)
        keys = self.nio.olm.account.identity_keys
        token = self.nio.loaded_sync_token
        self.log.tell(
            "start",
            kind="nio",
            store="new" if where is None else where["state"],
            snapshot=None if where is None else where.get("snapshot"),
            sync="v3",
            share=told["policy"]["share"],
            read=told["policy"]["read"],
            curve25519=keys["curve25519"],
            ed25519=keys["ed25519"],
            token=digest(account["accessToken"]),
            since=digest(token) if token else None,
        )
        encrypt = self.nio.encrypt

        def remembered(room_id, message_type, content):
            message_type, encrypted = encrypt(room_id, message_type, content)
            self.encrypted[room_id] = encrypted
            return message_type, encrypted

        self.nio.encrypt = remembered
        self.telling = Telling(self.nio, self.log, lambda: self.die("got"))
        save_sync_token = self.nio.store.save_sync_token

        def moved(token):
            save_sync_token(token)
            self.log.tell("acknowledged", next=digest(token))
            self.die("acknowledged")

        # nio keeps the position before it takes in what came (AsyncClient._handle_sync).
        self.nio.store.save_sync_token = moved
        await self.upkeep()

    def die(self, place):
        if self.dies_at == place:
            os.kill(os.getpid(), signal.SIGKILL)

    async def upkeep(self):
        """What nio's own sync loop does between syncs."""
        client = self.nio
        if client.should_upload_keys:
            checked(await client.keys_upload())
        if client.should_query_keys:
            checked(await client.keys_query())
        if client.should_claim_keys:
            checked(await client.keys_claim(client.get_users_for_key_claiming()))
        await client.send_to_device_messages()

    async def syncOnce(self, timeout_ms=0, fault=None):
        fault = fault or {}
        self.dies_at = "acknowledged" if fault.get("acknowledgesEarly") else fault.get("diesAt")
        async with self.lock:
            full = self.is_first_sync
            try:
                answer = checked(await self.nio.sync(timeout=timeout_ms, sync_filter=FILTER, full_state=full))
            except vodozemac.SessionCreationException as error:
                what = f"{type(error).__name__} out of its sync: {error}"
                raise Refused(kind="check", what=what, expected="a sync that nio takes in", actual=what)
            finally:
                self.telling.took()
            # What nio takes in is in its database at once.
            self.die("took")
            self.die("persisted")
            self.is_first_sync = False
            await self.upkeep()
        seen = answer.to_device_events if self.telling.is_looked_at else []
        events = [report(event, self.telling.is_decrypted(event)) for event in seen]
        return {
            "toDevice": len(answer.to_device_events),
            "undecryptable": sum(event["outcome"] == "undecryptable" for event in events),
            "events": events,
            "changed": list(answer.device_list.changed),
        }

    async def settle(self, options):
        end = time.monotonic() + options["deadline"] / 1000
        quiet = 0
        while quiet < QUIET:
            if time.monotonic() >= end:
                raise Refused(
                    kind="harness",
                    code="DEADLINE",
                    what=f"{self.nio.user_id} {self.nio.device_id} is not quiet after {options['deadline']} ms",
                    next="see the wire log for what its last syncs brought",
                )
            came = await self.syncOnce(LONG_POLL_MS)
            quiet = 0 if came["toDevice"] or came["changed"] else quiet + 1

    async def run(self):
        run = self.next_run
        self.next_run += 1

        async def loop():
            while True:
                await self.syncOnce(LONG_POLL_MS)

        self.runs[run] = asyncio.create_task(loop())
        return run

    async def endRun(self, run):
        task = self.runs.pop(run, None)
        if task is None:
            return
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def share(self, room_id):
        if self.nio.olm.should_share_group_session(room_id):
            checked(await self.nio.share_group_session(room_id, ignore_unverified_devices=True))

    async def rotate(self, room_id):
        self.nio.invalidate_outbound_session(room_id)

    async def send(self, room_id, content, kind="m.room.message"):
        # An unverified device gets keys: nio knows no other way to reach somebody whom nobody has verified by hand.
        answer = checked(await self.nio.room_send(room_id, kind, content, ignore_unverified_devices=True))
        where = place(self.encrypted.pop(room_id))
        self.log.tell(
            "sent", room=room_id, event=answer.event_id, session=where["sessionId"], index=where.get("index")
        )
        return {"eventId": answer.event_id, **where}

    async def read(self, room_id, event_id):
        target = f"/_matrix/client/v3/rooms/{quote(room_id, safe='')}/event/{quote(event_id, safe='')}"
        headers = {"Authorization": f"Bearer {self.nio.access_token}", **self.nio.config.custom_headers}
        response = await self.nio.send("GET", target, headers=headers)
        if response.status != 200:
            raise Refused(kind="check", what="no event", expected="status 200", actual=f"status {response.status}")
        return await self.readEvent(room_id, json.loads(await response.text()))

    async def readEvent(self, room_id, event):
        where = place(event["content"])
        result = self.decrypted(room_id, event, where)
        self.log.tell(
            "read",
            room=room_id,
            event=str(event.get("event_id")),
            session=where["sessionId"],
            index=where.get("index"),
            isReadable=result["isReadable"],
            code=result.get("code"),
        )
        return result

    def decrypted(self, room_id, event, where):
        parsed = nio.MegolmEvent.from_dict(event)
        if not isinstance(parsed, nio.MegolmEvent):
            text = "nio takes it for no encrypted event"
            return {"isReadable": False, "code": "UnableToDecrypt", "text": text, **where}
        try:
            inner = self.nio.olm.decrypt_megolm_event(parsed, room_id)
        except EncryptionError as error:
            return {"isReadable": False, "code": code_of(str(error)), "text": str(error), **where}
        source = inner.source
        return {"isReadable": True, "type": source["type"], "content": source["content"]}

    async def identityOf(self, user_id):
        devices = self.nio.device_store.active_user_devices(user_id)
        return {
            "isVerified": False,
            "wasVerified": False,
            "isInViolation": False,
            "needsApproval": False,
            "devices": [
                {
                    "deviceId": device.id,
                    "isSigned": False,
                    "isVerified": device.verified,
                    "isBlacklisted": device.blacklisted,
                    "isDehydrated": False,
                }
                for device in devices
            ],
        }

    async def trust(self, user_id, device_id, how):
        device: OlmDevice = self.nio.device_store[user_id][device_id]
        client = self.nio
        client.unverify_device(device)
        client.unblacklist_device(device)
        if how == "verified":
            client.verify_device(device)
        elif how == "blacklisted":
            client.blacklist_device(device)

    async def stop(self, _mode):
        for run in list(self.runs):
            await self.endRun(run)
        await self.nio.close()
        self.log.tell("stop", how="graceful")


def report(event, is_decrypted):
    base = {"type": event.source.get("type", "unknown"), "sender": event.sender}
    if isinstance(event, nio.events.to_device.EncryptedToDeviceEvent):
        return {**base, "outcome": "decrypted" if is_decrypted else "undecryptable"}
    is_of_olm = isinstance(event, (nio.RoomKeyEvent, nio.ForwardedRoomKeyEvent, nio.DummyEvent))
    return {**base, "outcome": "decrypted" if is_of_olm else "plain"}


def code_of(text):
    """In the words of matrix-sdk-crypto, where they mean the same."""
    if "no session found" in text:
        return "MissingRoomKey"
    if "unknown message index" in text or "unknown index" in text:
        return "UnknownMessageIndex"
    if "Device keys mismatch" in text:
        return "MismatchedIdentityKeys"
    if "Duplicate message index" in text:
        return "DuplicateMessageIndex"
    return "UnableToDecrypt"


def checked(answer):
    if isinstance(answer, nio.ErrorResponse):
        response = answer.transport_response
        status = "no status" if response is None else response.status
        what = f"{status} {type(answer).__name__}: {answer.status_code} {answer.message}"
        raise Refused(kind="check", what=what, expected="an answer that nio takes", actual=what)
    return answer


METHODS = {
    "launch", "syncOnce", "settle", "run", "endRun", "share", "rotate", "send", "read", "readEvent",
    "identityOf", "trust", "stop",
}


async def answer(client, question, out):
    given = {"id": question["id"]}
    method = question["method"]
    try:
        if method not in METHODS:
            raise unsupported(method)
        given["result"] = await getattr(client, method)(*question["parameters"])
    except Refused as refused:
        given["error"] = refused.error
    except (aiohttp.ClientConnectionError, asyncio.TimeoutError) as error:
        given["error"] = {
            "kind": "harness",
            "code": "HS_NO_ANSWER",
            "what": f"{question['method']}: {type(error).__name__}: {error}",
            "next": "see the server's log",
        }
    except OlmTrustError as error:
        given["error"] = {"kind": "other", "what": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever it is, who asked has to know
        given["error"] = {"kind": "other", "what": f"{type(error).__name__}: {error}"}
    out.write(json.dumps(given) + "\n")
    out.flush()


async def main():
    # What a library prints would break the frames.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    client = Client()
    tasks = set()
    while line := await reader.readline():
        task = asyncio.create_task(answer(client, json.loads(line), out))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())
