"""Key-encryption keys in AWS KMS: one KMS key per id, found by its alias.

The one rule: the key itself never leaves KMS; we send it data keys to wrap and unwrap.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from ledger.errors import KeyGoneError, VaultError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_DELETION: Final = timedelta(days=7)
"""The shortest time that KMS waits before it destroys a key; until then an administrator can call it off."""
_DYING: Final = {"PendingDeletion", "PendingReplicaDeletion", "Unavailable"}
_GONE: Final = {"NotFoundException", "KMSInvalidStateException", "DisabledException"}
_FOREIGN: Final = {"InvalidCiphertextException", "IncorrectKeyException"}


class KmsKeys:
    """Keys under ``alias/PREFIX<key id>``; credentials and region are AWS's usual ones.

    Its role needs kms:CreateKey, CreateAlias, UpdateAlias, DeleteAlias, DescribeKey, Encrypt, Decrypt and
    ScheduleKeyDeletion.
    """

    destroys = True

    def __init__(self, client: "KMSClient", prefix: str) -> None:
        self._client = client
        self._prefix = prefix if prefix.startswith("alias/") else f"alias/{prefix}"

    @classmethod
    def connect(cls, prefix: str) -> Self:
        """Use the account and region of the environment."""
        import boto3
        from botocore.config import Config

        # One attempt: retrying is Temporal's, which knows when to ask a person.
        config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
        return cls(boto3.client("kms", config=config), prefix)

    def create(self, kek_id: str) -> None:
        alias = self._alias(kek_id)
        state = self._state(alias)
        if state is not None and state not in _DYING:
            return
        made = self._client.create_key(
            Description=f"Habeas key-encryption key {kek_id}",
            Tags=[{"TagKey": "habeas:kek", "TagValue": kek_id}],
        )["KeyMetadata"]["KeyId"]
        with _spoken_for(kek_id):
            if state in _DYING:
                self._client.update_alias(AliasName=alias, TargetKeyId=made)
                return
            try:
                self._client.create_alias(AliasName=alias, TargetKeyId=made)
            except self._client.exceptions.AlreadyExistsException:
                # Another worker was quicker; nothing was wrapped by ours.
                self._client.schedule_key_deletion(KeyId=made, PendingWindowInDays=_DELETION.days)

    def wrap(self, kek_id: str, key: bytes) -> bytes:
        with _spoken_for(kek_id):
            return self._client.encrypt(
                KeyId=self._alias(kek_id), Plaintext=key, EncryptionContext={"habeas:kek": kek_id}
            )["CiphertextBlob"]

    def unwrap(self, kek_id: str, blob: bytes) -> bytes:
        with _spoken_for(kek_id):
            return self._client.decrypt(
                KeyId=self._alias(kek_id),
                CiphertextBlob=blob,
                EncryptionContext={"habeas:kek": kek_id},
            )["Plaintext"]

    def destroy(self, kek_id: str) -> timedelta:
        alias = self._alias(kek_id)
        state = self._state(alias)
        if state is None:
            return _DELETION
        with _spoken_for(kek_id):
            if state not in _DYING:
                key_id = self._client.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]
                self._client.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=_DELETION.days)
            self._client.delete_alias(AliasName=alias)
        return _DELETION

    def _alias(self, kek_id: str) -> str:
        return f"{self._prefix}{kek_id}"

    def _state(self, alias: str) -> str | None:
        """The state of the key behind an alias; None when there is none."""
        try:
            return self._client.describe_key(KeyId=alias)["KeyMetadata"]["KeyState"]
        except self._client.exceptions.NotFoundException:
            return None


@contextmanager
def _spoken_for(kek_id: str) -> Iterator[None]:
    """Turn what KMS says into the ledger's own words."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _GONE:
            raise KeyGoneError(f"KMS has no usable key {kek_id}: {code}") from None
        if code in _FOREIGN:
            raise VaultError(f"this was not wrapped by the key {kek_id}") from None
        raise VaultError(f"KMS refused to use the key {kek_id}: {code}") from None
