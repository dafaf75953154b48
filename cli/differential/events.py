"""What canonicaljson and Synapse make of JSON values and of events: a question a line in, an answer a line out."""
import hashlib
import json
import sys

from canonicaljson import encode_canonical_json
from nacl.signing import VerifyKey
from signedjson.key import decode_signing_key_base64
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.crypto.event_signing import (
    add_hashes_and_signatures,
    check_event_content_hash,
    compute_content_hash,
    compute_event_reference_hash,
)
from synapse.event_auth import _check_size_limits
from synapse.events import make_event_from_dict
from synapse.events.utils import validate_canonicaljson
from synapse.federation.federation_base import event_from_pdu_json
from synapse.synapse_rust.events import redact_event_dict
from unpaddedbase64 import decode_base64, encode_base64


def attempt(function):
    """The value, or null when it raises: which error it is differs between releases."""
    try:
        return function()
    except Exception:
        return None


def canonical(value):
    return encode_canonical_json(value).decode("utf-8")


def is_strict(value):
    validate_canonicaljson(value)
    return True


def redacted(version, event):
    result = redact_event_dict(version, event)
    result.pop("unsigned", None)
    return canonical(result)


def content_hash(event):
    return encode_base64(compute_content_hash(event, hashlib.sha256)[1])


def reference_hash(version, event):
    digest = compute_event_reference_hash(make_event_from_dict(event, version))[1]
    return encode_base64(digest)


def signed(version, event, seed):
    key = decode_signing_key_base64("ed25519", "1", seed)
    add_hashes_and_signatures(version, event, "hs3:8448", key)
    return canonical(event)


def is_verified(message, signature, publicKey):
    """By libsodium."""
    VerifyKey(decode_base64(publicKey)).verify(decode_base64(message), decode_base64(signature))
    return True


def parsed(version, event):
    result = event_from_pdu_json(event, version)
    _check_size_limits(result)
    return {
        "id": result.event_id,
        "roomId": result.room_id,
        "authEvents": list(result.auth_event_ids()),
        "prevEvents": list(result.prev_event_ids()),
        "hasValidHash": attempt(lambda: check_event_content_hash(result)),
    }


def answer(question):
    if "signature" in question:
        return {"isVerified": attempt(lambda: is_verified(**question)) or False}
    text = question["text"]
    if "version" not in question:
        value = json.loads(text)
        return {
            "canonical": attempt(lambda: canonical(value)),
            "isStrict": attempt(lambda: is_strict(value)) or False,
        }
    version = KNOWN_ROOM_VERSIONS[question["version"]]
    # Each gets a copy of its own: some change what they are given.
    return {
        "redacted": attempt(lambda: redacted(version, json.loads(text))),
        "contentHash": attempt(lambda: content_hash(json.loads(text))),
        "referenceHash": attempt(lambda: reference_hash(version, json.loads(text))),
        "signed": attempt(lambda: signed(version, json.loads(text), question["seed"])),
        "parsed": attempt(lambda: parsed(version, json.loads(text))),
    }


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
