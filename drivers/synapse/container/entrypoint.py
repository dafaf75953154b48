"""Entry point of the image: Complement's contract in, a configured Synapse out.

Reads SERVER_NAME, /complement/ca/ca.{crt,key}, /complement/appservice/*.yaml, CRUCIBLE_FEATURES (names of files below
/conf/features, divided by commas) and /conf/homeserver.d/*.yaml, in this order. Data is in /data and is kept when the
container starts again.
"""

import glob
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request

import yaml
from signedjson.key import generate_signing_key, write_signing_keys

DATA = "/data"
TEMPLATE = "/opt/template.db"
CA = "/complement/ca/ca"
CONFIGURATION = f"{DATA}/homeserver.yaml"
CERTIFICATE = f"{DATA}/server"
SIGNING_KEY = f"{DATA}/signing.key"
DATABASE = f"{DATA}/homeserver.db"
TEMPLATE_TIMEOUT_S = 120


def main() -> None:
    os.makedirs(f"{DATA}/media", exist_ok=True)
    is_template = sys.argv[1:] == ["--make-template"]
    if not os.path.exists(CONFIGURATION):
        set_up(is_template)
    command = [sys.executable, "-m", "synapse.app.homeserver", "-c", CONFIGURATION]
    if is_template:
        make_template(command)
    else:
        os.execv(command[0], command)


def set_up(is_template: bool) -> None:
    server_name = os.environ["SERVER_NAME"]
    if not os.path.exists(SIGNING_KEY):
        with open(SIGNING_KEY, "w") as file:
            write_signing_keys(file, [generate_signing_key("a_" + secrets.token_hex(3))])
    if os.path.exists(TEMPLATE):
        shutil.copyfile(TEMPLATE, DATABASE)
    has_ca = os.path.exists(f"{CA}.crt")
    if has_ca:
        issue_certificate(server_name)
    dump(f"{DATA}/log.yaml", LOGGING)
    settings = configuration(server_name, has_ca)
    if is_template:
        settings["background_updates"] = {"sleep_enabled": False}
    dump(CONFIGURATION, settings)


def configuration(server_name: str, has_ca: bool) -> dict:
    features = [name for name in os.environ.get("CRUCIBLE_FEATURES", "").split(",") if name]
    files = [
        "/conf/homeserver.yaml",
        *(f"/conf/features/{name}.yaml" for name in features),
    ]
    settings: dict = {}
    for name in files:
        settings.update(load(name))
    settings.update(
        server_name=server_name,
        pid_file=f"{DATA}/homeserver.pid",
        listeners=[listener(8008, tls=False), *([listener(8448, tls=True)] if has_ca else [])],
        database={"name": "sqlite3", "args": {"database": DATABASE}},
        log_config=f"{DATA}/log.yaml",
        media_store_path=f"{DATA}/media",
        signing_key_path=SIGNING_KEY,
        registration_shared_secret="complement",
        macaroon_secret_key=secrets.token_hex(16),
        form_secret=secrets.token_hex(16),
        app_service_config_files=sorted(glob.glob("/complement/appservice/*.yaml")),
    )
    if has_ca:
        settings.update(
            federation_custom_ca_list=[f"{CA}.crt"],
            tls_certificate_path=f"{CERTIFICATE}.crt",
            tls_private_key_path=f"{CERTIFICATE}.key",
        )
    # Last, so that a deployment can override anything.
    for name in sorted(glob.glob("/conf/homeserver.d/*.yaml")):
        settings.update(load(name))
    return settings


def listener(port: int, tls: bool) -> dict:
    return {
        "port": port,
        "bind_addresses": ["0.0.0.0"],
        "type": "http",
        "tls": tls,
        "x_forwarded": False,
        "resources": [{"names": ["client", "federation"], "compress": False}],
    }


def issue_certificate(server_name: str) -> None:
    extensions = f"{CERTIFICATE}.ext"
    with open(extensions, "w") as file:
        file.write(f"subjectAltName=DNS:{server_name}\nextendedKeyUsage=serverAuth\n")
    request = f"{CERTIFICATE}.csr"
    openssl(
        "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", f"/CN={server_name}", "-keyout", f"{CERTIFICATE}.key", "-out", request,
    )
    openssl(
        "x509", "-req", "-in", request, "-CA", f"{CA}.crt", "-CAkey", f"{CA}.key",
        "-set_serial", str(secrets.randbits(63)), "-days", "30", "-extfile", extensions,
        "-out", f"{CERTIFICATE}.crt",
    )


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)


def make_template(command: list[str]) -> None:
    """Starts Synapse once on an empty folder, keeps the database, and removes the rest."""
    child = subprocess.Popen(command)
    deadline = time.monotonic() + TEMPLATE_TIMEOUT_S
    while not answers():
        if child.poll() is not None or time.monotonic() > deadline:
            child.kill()
            sys.exit("Synapse did not start, so there is no database to keep")
        time.sleep(0.1)
    settle(deadline)
    child.terminate()
    child.wait(timeout=30)
    shutil.copyfile(DATABASE, TEMPLATE)
    shutil.rmtree(DATA)


def settle(deadline: float) -> None:
    """Waits for the background updates: they would otherwise count along with what the first checks do."""
    while time.monotonic() < deadline:
        with sqlite3.connect(DATABASE, timeout=10) as database:
            (left,) = database.execute("SELECT count(*) FROM background_updates").fetchone()
        if left == 0:
            return
        time.sleep(0.1)


def answers() -> bool:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8008/_matrix/client/versions", timeout=2):
            return True
    except OSError:
        return False


def load(name: str) -> dict:
    with open(name) as file:
        return yaml.safe_load(file) or {}


def dump(name: str, content: dict) -> None:
    with open(name, "w") as file:
        yaml.safe_dump(content, file)


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"level": "WARNING", "handlers": ["console"]},
}


if __name__ == "__main__":
    main()
