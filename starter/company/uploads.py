"""The objects in the shop's bucket: versions, what was deleted and is still there, uploads that never ended.

The one rule: everything follows from the customer's number, so each run has the same.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from starter.stack.vendors.seeding import token

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET: Final = "shop-files"
PEOPLE: Final = (*range(407, 2000, 204), *range(41, 2000, 180))
"""Customers who have uploaded something: 407, 611, 815, 1019 and so on."""
ALIKE: Final = (40, 4070, 101, 10190)
"""Whose numbers begin alike: an engine that takes `customers/40` for a beginning takes them too."""
AT_ONCE: Final = 8
_LOOKS: Final = {
    "": ("ListBucketVersions", "List*", "GetBucketObjectLockConfiguration"),  # it has no word for unfinished uploads
    "/*": (
        "GetObject", "GetObjectVersion", "GetObjectTagging", "GetObjectVersionTagging", "GetObjectRetention",
        "GetObjectLegalHold",
    ),
}  # fmt: skip
_CHANGES: Final = {
    "": ("GetBucketVersioning", "GetBucketTagging", "GetBucketPolicy"),
    "/*": ("DeleteObject", "DeleteObjectVersion", "AbortMultipartUpload"),
}


def policy(role: str) -> list[dict[str, object]]:
    """What docs/s3.md grants to `reader` and `writer`, in this server's words, less what only restricting needs."""
    return [
        {
            "Effect": "Allow",
            "Action": [f"s3:{action}" for action in (*looks, *(_CHANGES[where] if role == "writer" else ()))],
            "Resource": [f"arn:aws:s3:::{BUCKET}{where}"],
        }
        for where, looks in _LOOKS.items()
    ]


def open_bucket(door: "S3Client", environment: str) -> bool:
    """Make the bucket, keeping versions, and mark it; False if it was there."""
    if any(bucket["Name"] == BUCKET for bucket in door.list_buckets()["Buckets"]):
        return False
    door.create_bucket(Bucket=BUCKET)
    door.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    # The mark of the environment: an erasure refuses a bucket that bears another, or none.
    mark = {"Key": "habeas-environment", "Value": environment}
    door.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [mark]})  # type: ignore[list-item]
    return True


def fill_bucket(door: "S3Client") -> None:
    """Put everything in, several at a time."""
    with ThreadPoolExecutor(AT_ONCE) as together:
        for done in [together.submit(put, door) for put in _uploads()]:
            done.result()


def _uploads() -> Iterator["Callable[[S3Client], None]"]:
    for number in (*PEOPLE, *ALIKE):
        yield lambda door, number=number: _customer(door, number)  # type: ignore[misc]
        yield lambda door, number=number: _put(  # type: ignore[misc]
            door, f"uploads/{token('photo', number, 32)}.png", picture(number + 1), "image/png"
        )


def _customer(door: "S3Client", number: int) -> None:
    folder = f"customers/{number}"
    _put(door, f"{folder}/portrait.png", picture(number), "image/png")
    _put(door, f"{folder}/portrait.png", picture(number + 3), "image/png")  # the older version stays
    _put(door, f"{folder}/Rücksendung {number}1.txt", f"I send it back. Customer {number}\n".encode(), "text/plain")
    _put(door, f"{folder}/old address.txt", f"Customer {number} has moved.\n".encode(), "text/plain")
    door.delete_object(Bucket=BUCKET, Key=f"{folder}/old address.txt")  # a plain delete: it only hides
    if number % 4 == 3:
        upload = door.create_multipart_upload(Bucket=BUCKET, Key=f"{folder}/film.mp4")["UploadId"]
        body = io.BytesIO(f"the beginning of customer {number}'s film".encode())
        door.upload_part(Bucket=BUCKET, Key=f"{folder}/film.mp4", UploadId=upload, PartNumber=1, Body=body)


def _put(door: "S3Client", key: str, body: bytes, media_type: str) -> None:
    door.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType=media_type)


def picture(number: int, side: int = 96) -> bytes:
    """A PNG: stripes in two colours that follow from the number."""
    colours = [bytes((number * 37 % 200, number * 91 % 200, number * 53 % 200)), b"\xf4\xf1\xea"]
    width = 4 + number % 9
    lines = b"".join(b"\0" + b"".join(colours[(x + y) // width % 2] for x in range(side)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
