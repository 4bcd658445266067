"""A letter as a mail (RFC 5322): headers, text, HTML, attachment.

The one rule: headers are in clear for every server on the way, so no one holds more than an address, a title that names
nobody, and opaque ids.
"""

from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final, NamedTuple

from activities.smtp import MailServer, Refused, deliverable
from rights.codes import Code

_POLICY: Final = SMTP.clone(cte_type="7bit", max_line_length=78)
REQUEST_HEADER: Final = "X-Habeas-Request"
"""By it the mailbox connector leaves mail about a request out of its erasure."""

CAMPAIGN_HEADER: Final = "X-Habeas-Campaign"


class Written(NamedTuple):
    """What a letter says."""

    subject: str
    text: str
    html: str = ""
    pdf: bytes = b""
    language: str = ""
    parts: bytes = b""
    """All but the mail's own headers, made once by `once` where many are told the same."""


def as_mail(
    server: MailServer,
    to: str,
    name: str,
    written: Written,
    message_id: str,
    at: datetime,
    extra: Mapping[str, str],
) -> bytes:
    """The mail as it goes out.

    Args:
        message_id: what stands before the @ of the Message-ID.
        extra: further headers.

    Raises:
        Refused: the address is none.
    """
    if not deliverable(to):
        raise Refused(Code.ADDRESS)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _address(server.name, server.sender)
    mail["To"] = _address(name, to)
    mail["Subject"] = _one_line(written.subject)
    mail["Date"] = at
    mail["Message-ID"] = f"<{message_id}@{server.domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to it, please
    for header, value in extra.items():
        mail[header] = value
    if written.parts:
        return mail.as_bytes().removesuffix(b"\r\n") + written.parts
    _fill(mail, written)
    return mail.as_bytes()


def once(written: Written) -> Written:
    """The same letter with its parts made, for many people: a fifth of what a mail costs."""
    parts = EmailMessage(policy=_POLICY)
    _fill(parts, written)
    return written._replace(parts=parts.as_bytes())


def _fill(mail: EmailMessage, written: Written) -> None:
    mail.set_content(written.text, charset="utf-8", cte="quoted-printable")
    if written.html:
        mail.add_alternative(written.html, subtype="html", charset="utf-8", cte="quoted-printable")
    if written.pdf:
        mail.add_attachment(written.pdf, maintype="application", subtype="pdf", filename="letter.pdf")
    if written.language:
        # Last: what begins with Content goes along with the parts that are made above.
        mail["Content-Language"] = written.language


def _address(name: str, address: str) -> Address:
    user, _, domain = address.rpartition("@")
    return Address(_one_line(name), user, domain)


def _one_line(text: str) -> str:
    """A name or title without anything that could begin another header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]
