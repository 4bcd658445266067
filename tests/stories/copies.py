"""What the stories of copies share: a shop with secrets and other people in it, and the command line."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import psycopg
from typer.testing import CliRunner

from starter.cli import app
from tests.world import World, shop_map

PASSWORD = "argon2-canary-hash"
SSN = "078-05-1120"
OTHER = "Clarissa Quill"
"""Somebody else, whom customer 7 has written about."""

MORE = f"""
ALTER TABLE customers ADD COLUMN login_hash text, ADD COLUMN ssn text;
UPDATE customers SET login_hash = '{PASSWORD}', ssn = '{SSN}' WHERE id = 7;
UPDATE messages SET body = 'Please ask {OTHER}, who lives next door, about it' WHERE id = 13;
"""


def extended(text: str) -> str:
    """The shop's map with a credential, an identity number, and messages that may be about others."""
    return text.replace(
        "      phone: {category: contact",
        "      login_hash: {category: user.authorization.password, strategy: 'null'}\n"
        "      ssn: {category: user.government_id.national_identification_number, strategy: 'null'}\n"
        "      phone: {category: contact",
    ).replace("body: {category: free_text}", "body: {category: free_text, third_party: review}")


def prepare(world: World, text: str | None = None) -> None:
    """Put both into the shop and its map."""
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute(MORE.encode())
    world.write_maps({"shop": text or extended(shop_map())})


class Habeas:
    """The command line in a deployment."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, *words: str, given: str | None = None, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words), input=given, env=self.world.environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, (done.exit_code, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def json(self, *words: str, given: str | None = None) -> Any:
        return json.loads(self(*words, "--json", given=given))

    def open(self, right: str, *words: str, email: str = "c7@shop.example") -> str:
        opened = self.json(
            "request", "open", right, "--identities", "-", "--confirmed-by", "desk", *words, given=f"email={email}"
        )
        return str(opened["id"])

    def parcel(self, request: str) -> dict[str, bytes]:
        """The files of the parcel as it is handed over, by their path in the bag."""
        out = self.world.home / f"{request}.zip"
        self("parcel", "open", request, "--out", str(out), "--replace")
        with zipfile.ZipFile(io.BytesIO(out.read_bytes())) as archive:
            return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def holding(files: dict[str, bytes], text: str) -> Iterator[str]:
    """The files in which a text stands."""
    return (path for path, body in files.items() if text.encode() in body)
