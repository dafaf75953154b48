"""What matrix-nio's requests and answers say, for the log of the client, as telling.ts has it: ids, public keys and digests."""
import hashlib
import json
import time
from urllib.parse import unquote, urlparse

import nio

#: Its requests about keys, as a client's log calls them.
REQUESTS = {
    "/keys/upload": "KeysUpload",
    "/keys/query": "KeysQuery",
    "/keys/claim": "KeysClaim",
    "/sendToDevice/": "ToDevice",
}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Log:
    """As client-log.ts has it."""

    def __init__(self, file, user, device):
        self.file = file
        self.who = {"user": user, "device": device}
        self.seq = 0

    def tell(self, deed, **told):
        if self.file is None:
            return
        told = {key: value for key, value in told.items() if value is not None}
        line = {"t": deed, "seq": self.seq, "at": int(time.time() * 1000), **self.who, **told}
        self.seq += 1
        with open(self.file, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


class Telling:
    """Looks over the shoulder of an AsyncClient."""

    def __init__(self, client: nio.AsyncClient, log: Log, on_sync):
        self.client = client
        self.log = log
        self.on_sync = on_sync
        self.taken = None
        #: nio looks at no answer that ends where the one before did (AsyncClient._handle_sync).
        self.is_looked_at = False
        #: By parcel of the last sync: whether it could be decrypted.
        self.outcomes = {}
        #: The room whose session is being shared.
        self.sharing = None
        self.deciphering = None
        self._send, self._share = client.send, client.share_group_session
        self._decrypt, self._handle = client.olm.decrypt_event, client.olm._handle_olm_event
        client.send = self.send
        client.olm.decrypt_event = self.decrypt_event
        client.olm._handle_olm_event = self.handle_olm_event
        client.share_group_session = self.share_group_session

    async def send(self, method, path, data=None, *rest, **named):
        where = urlparse(path).path
        request = next((name for part, name in REQUESTS.items() if part in where), None)
        if request is not None:
            self.log.tell("wants", request=request)
        if request == "ToDevice" and self.sharing is not None:
            self.shares(where, json.loads(data))
        try:
            response = await self._send(method, path, data, *rest, **named)
            # It is kept, so that nio can read it again.
            text = await response.read()
        except Exception as error:
            if request is not None:
                self.log.tell("did", request=request, error=f"{type(error).__name__}: {error}"[:200])
            raise
        exchange = response.headers.get("x-crucible-exchange")
        if request is not None:
            self.log.tell("did", request=request, status=response.status, exchange=exchange)
        if response.status == 200:
            self.answered(where, request, response, exchange, data, text)
        return response

    def answered(self, where, request, response, exchange, data, text):
        if where.endswith("/sync"):
            self.got(json.loads(text), response.url.query.get("since"), exchange)
            self.on_sync()
        elif request == "KeysQuery":
            self.knows(json.loads(data), json.loads(text), exchange)
        elif request == "KeysClaim":
            self.claimed(json.loads(data), json.loads(text), exchange)

    def got(self, body, since, exchange):
        lists = body.get("device_lists", {})
        events = body.get("to_device", {}).get("events", [])
        self.is_looked_at = body["next_batch"] != self.client.next_batch
        self.outcomes = {}
        came = {"next": digest(body["next_batch"]), "parcels": list(parcels(events))}
        self.taken = came if self.is_looked_at else None
        self.log.tell(
            "got",
            **came,
            exchange=exchange,
            since=digest(since) if since else None,
            withheld=[
                {key: content[name] for key, name in FIELDS if isinstance(content.get(name), str)}
                for content in contents(events, "m.room_key.withheld")
            ],
            changed=lists.get("changed", []),
            left=lists.get("left", []),
            counts=body.get("device_one_time_keys_count"),
            unusedFallback=body.get("device_unused_fallback_key_types"),
        )

    def took(self):
        """What the last sync brought has been looked at, or as much of it as the library got to."""
        taken, self.taken = self.taken, None
        if taken is None:
            return
        seen = [
            {**parcel, "outcome": self.outcomes[parcel["id"]]}
            for parcel in taken["parcels"]
            if parcel["id"] in self.outcomes
        ]
        self.log.tell("took", next=taken["next"], parcels=seen)

    def decrypt_event(self, event, room_id=None):
        self.deciphering = self.parcel_of(event)
        if self.deciphering is not None:
            self.outcomes[self.deciphering] = "failed"
        return self._decrypt(event, room_id)

    def handle_olm_event(self, *given):
        """It is decrypted, and from whom it says; nio goes on to drop what it has no class for."""
        if self.deciphering is not None:
            self.outcomes[self.deciphering] = "decrypted"
        return self._handle(*given)

    def parcel_of(self, event):
        own = self.client.olm.account.identity_keys["curve25519"]
        message = getattr(event, "ciphertext", None)
        body = message.get(own, {}).get("body") if isinstance(message, dict) else None
        return None if body is None else digest(body)

    def is_decrypted(self, event):
        return self.outcomes.get(self.parcel_of(event)) == "decrypted"

    async def share_group_session(self, room_id, *rest, **named):
        self.sharing = room_id
        try:
            return await self._share(room_id, *rest, **named)
        finally:
            self.sharing = None

    def shares(self, where, body):
        kind, txn = (unquote(part) for part in where.split("/")[-2:])
        room = self.client.rooms.get(self.sharing)
        session = self.client.olm.outbound_group_sessions.get(self.sharing)
        self.log.tell(
            "shares",
            room=self.sharing,
            session=None if session is None else session.id,
            users=[] if room is None else list(room.users),
            requests=[{"txn": txn, "type": kind, "targets": list(targets(body))}],
        )

    def knows(self, asked, body, exchange):
        own = body.get("self_signing_keys", {})
        self.log.tell(
            "knows",
            exchange=exchange,
            asked=list(asked.get("device_keys", {})),
            devices=[
                {
                    "user": user,
                    "device": device,
                    "curve25519": keys.get("keys", {}).get(f"curve25519:{device}", ""),
                    "signatures": [
                        f"{signer}|{key}" for signer, all in keys.get("signatures", {}).items() for key in all
                    ],
                }
                for user, devices in body.get("device_keys", {}).items()
                for device, keys in devices.items()
            ],
            identities=[
                {"user": user, "master": public(key), **({"selfSigning": public(own[user])} if user in own else {})}
                for user, key in body.get("master_keys", {}).items()
            ],
            failures=list(body.get("failures", {})),
        )

    def claimed(self, asked, body, exchange):
        self.log.tell(
            "claimed",
            exchange=exchange,
            asked=[
                {"user": user, "device": device}
                for user, devices in asked.get("one_time_keys", {}).items()
                for device in devices
            ],
            keys=[
                {"user": user, "device": device, "key": key}
                for user, devices in body.get("one_time_keys", {}).items()
                for device, keys in devices.items()
                for key in keys
            ],
            failures=list(body.get("failures", {})),
        )


FIELDS = (("room", "room_id"), ("session", "session_id"), ("code", "code"))


def contents(events, kind):
    return [event.get("content", {}) for event in events if event.get("type") == kind]


def parcels(events):
    for event in events:
        if event.get("type") != "m.room.encrypted":
            continue
        for message in messages(event.get("content", {})):
            yield {
                "id": digest(message["body"]),
                "sender": str(event.get("sender")),
                "isPreKey": message.get("type") == 0,
            }


def messages(content):
    ciphertext = content.get("ciphertext")
    for message in ciphertext.values() if isinstance(ciphertext, dict) else ():
        if isinstance(message, dict) and isinstance(message.get("body"), str):
            yield message


def targets(body):
    for user, devices in body.get("messages", {}).items():
        for device, content in devices.items():
            for message in messages(content):
                yield {
                    "user": user,
                    "device": device,
                    "parcel": digest(message["body"]),
                    "isPreKey": message.get("type") == 0,
                }


def public(key):
    return next(iter(key.get("keys", {}).values()), "")
