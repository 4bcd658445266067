"""A stand-in for the company's OpenID provider: one made-up member of staff per role, signed in by a click.

For `habeas dev` and the tests; from the `dev` extra; loopback alone. It asks for no password, and is the one way to get
in without any: the API knows nothing of it, and is told by its settings, as of any provider.

The one rule: nothing but `habeas dev` and the tests starts it, and a deployment has no program to start.
"""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from starter.access import Role
from starter.stack.child import HOST, Child, lock, missing
from starter.stack.place import temporary
from starter.stack.ports import free_port
from starter.stack.server import Server

CLIENT: Final = "habeas"
SECRET: Final = "any"  # noqa: S105 - it keeps nothing from anybody
"""It takes every secret, and no client without one."""


class People(Server):
    """The provider. Its state is in memory; its keys are new each time it is started."""

    title = "The stand-in for an OpenID provider"

    def __init__(self, *, port: int | None = None) -> None:
        self._litter = self._home = temporary("habeas-people-")
        self.port: Final = port or free_port()

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._home / "people.log"

    @property
    def issuer(self) -> str:
        """What the setting `oidc.issuer` names."""
        return f"http://{HOST}:{self.port}"

    def describe(self, subject: str, claims: Mapping[str, Any]) -> None:
        """Say what is to stand in the tokens of somebody from now on."""
        body = json.dumps(claims).encode()
        asked = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.issuer}/users/{subject}", body, {"content-type": "application/json"}, method="PUT"
        )
        with urllib.request.urlopen(asked, timeout=10):  # noqa: S310 - the same
            pass

    def _launched(self) -> Child:
        if importlib.util.find_spec("oidc_provider_mock") is None:
            raise missing("oidc-provider-mock")
        words = ["-m", "oidc_provider_mock", "--host", HOST, "--port", str(self.port), "--require-nonce", "true"]
        for role in Role:
            words += ["--user-claims", json.dumps({"sub": role.value, **staff(role)})]
        with lock(self._home / "lock") as held:
            return Child(
                self.title,
                [sys.executable, *words],
                log=self.log,
                lock=held,
                farewell=signal.SIGKILL,  # it keeps nothing
                litter=self._litter,
                options={"cwd": self._home},
            )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own address
                f"{self.issuer}/.well-known/openid-configuration", timeout=2
            ) as answer:
                return int(answer.status) == 200
        except (OSError, urllib.error.URLError):
            return False


def staff(role: Role) -> dict[str, Any]:
    """The claims of a role's one person, who signs in by two factors."""
    return {"roles": [role.value], "staff_id": f"s-{role}", "amr": ["pwd", "mfa"], "auth_time": int(time.time())}
