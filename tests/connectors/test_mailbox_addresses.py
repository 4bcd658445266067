"""Reading headers, whatever stands in them: an address is found whole, and never in another's."""

from email.utils import formataddr

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from connectors.mailbox.addresses import Match, Wanted, addresses, decoded, read_header
from connectors.mailbox.message import date_of, message_id, names_request, shown, words_of
from rights.subject import Sharing

ATEXT = "abzAZ059'%_{}$|~-+*/=?^`#&!"
LOCAL = st.text(alphabet=ATEXT + ".", min_size=1, max_size=20).filter(
    lambda local: not local.startswith(".") and ".." not in local and not local.endswith(".")
)
DOMAIN = st.sampled_from(["x.example", "shop.example.org", "m\u00fcnchen.example", "xn--mnchen-3ya.example"])
NAME = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)
many = settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def wanted(address: str) -> Wanted:
    return Wanted("address", address, casefold=True, sharing=Sharing.UNIQUE)


@many
@given(NAME, LOCAL, DOMAIN, st.lists(st.tuples(NAME, LOCAL), max_size=3))
def test_an_address_is_found_behind_any_name_and_among_any_others(
    name: str, local: str, domain: str, others: list[tuple[str, str]]
) -> None:
    address = f"{local}@{domain}"
    line = ", ".join([*(formataddr((n, f"{o}@other.example")) for n, o in others), _named(name, address)])

    assert wanted(address.swapcase()).match([line]) is Match.UNIQUE


@many
@given(LOCAL, DOMAIN, st.sampled_from(list(ATEXT)), st.sampled_from(["a", "-a", ".a", "0"]))
def test_an_address_is_never_found_in_a_longer_one(local: str, domain: str, before: str, after: str) -> None:
    address = f"{local}@{domain}"

    for other in (f"{before}{address}", f"{address}{after}", f"{local}{before}@{domain}"):
        assert wanted(address).match([f"Somebody <{other}>", other]) is Match.NONE


@many
@given(NAME, LOCAL, LOCAL)
def test_a_name_that_holds_an_address_is_at_most_a_mention(name: str, local: str, other: str) -> None:
    assume(local.casefold() != other.casefold())
    line = _named(f"{name} {local}@x.example", f"{other}@y.example")

    assert wanted(f"{local}@x.example").match([line]) in {Match.NONE, Match.MENTION}


@many
@given(st.binary(max_size=300))
def test_no_bytes_are_too_broken_to_be_read(raw: bytes) -> None:
    for form in (raw, b"From: " + raw, b"Subject: =?utf-8?b?" + raw, b"Content-Type: multipart/mixed; boundary=" + raw):
        header = read_header(form)
        for _, value in header:
            addresses(value)
            decoded(value)
            wanted("anna@x.example").match([value])
        shown(header)
        date_of(header, None)
        names_request(header, "01req")
        assert message_id(header).isascii()
        words_of(form).text.encode()


def _named(name: str, address: str) -> str:
    """A mailbox as programs write it: the name quoted, or in encoded words."""
    if not address.isascii() or not name.isascii():
        return f'"{name}" <{address}>'.replace("\\", "") if '"' not in name else f"<{address}>"
    return formataddr((name, address))
