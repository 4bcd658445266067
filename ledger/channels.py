"""All ways to write to a person that a request knows: given, told by the directory, or proven.

The one rule: a warning goes to every one of them, since whoever asks in another's name controls one at most.
"""

from sqlalchemy import Connection

from ledger.letters import REPLY, Channel
from ledger.people import GIVEN, sealed_identities
from ledger.reach import REACH, reached
from ledger.store import Store
from rights.identity import Channel as Kind


def channels_on_file(store: Store, connection: Connection, request_id: str, *, sms: str) -> list[Channel]:
    """Every channel of a request, each once: where the asker is written to, e-mail addresses in the request, and what
    the directory has told. `sms` is the address of a gateway from mail to text messages, with {digits} for the number;
    without one a telephone reaches nobody."""
    sealed = store._vault.get_all(connection, request_id, "working", REPLY, GIVEN, REACH)
    found = [Channel.unsealed(sealed[REPLY])] if REPLY in sealed else []
    found += [Channel("email", one.value) for one in sealed_identities(sealed.get(GIVEN)) if one.kind == "email"]
    for point in reached(sealed.get(REACH)):
        match point.channel:
            case Kind.EMAIL:
                found.append(Channel("email", point.value))
            case Kind.POST:
                found.append(Channel("post", point.value))
            case Kind.PHONE if sms:
                digits = "".join(char for char in point.value if char.isdigit())
                found.append(Channel("email", sms.replace("{digits}", digits)))
    once: dict[tuple[str, str], Channel] = {}
    for channel in found:
        once.setdefault((channel.kind, " ".join(channel.address.casefold().split())), channel)
    return list(once.values())
