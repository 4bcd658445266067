"""What an opt-out writes into the rows of a system that has fields for it, whatever kind of system it is.

The one rule: a collection in which something is to stop and nothing can be written is not passed over in silence.
"""

from collections.abc import Iterator
from dataclasses import replace

from connectors.errors import Unsupported
from connectors.protocol import Call, Correction, unkept
from rights.codes import Code
from rights.receipt import Tally
from rights.suppression import Scope


def marking(call: Call) -> Call:
    """The call as the correction that sets the fields. What stood there is not kept: it was a no that had not been said
    yet, and a yes that is given again is written by the system itself."""
    return replace(call, corrections=tuple(_corrections(call)), keep=unkept)


def refuse_unmarked(call: Call, look: Tally) -> None:
    """Refuse to call it done where rows are used for something that no field of theirs stops. A consent that is taken
    back is stopped by the fields of what the rows are used for.

    Raises:
        Unsupported: of the first such collection that holds something of the person, with the tally.
    """
    for work in call.work:
        fields = call.system.collections[work.collection].opt_out
        stops = set(work.stops or ())
        left = stops - fields.keys()
        unstopped = left - {Scope.CONSENT} or (left if left == stops else set())
        if unstopped and look.of(work.collection).found:
            raise Unsupported(Code.UNSUPPORTED, work.collection, tally=look)


def _corrections(call: Call) -> Iterator[Correction]:
    for work in call.work:
        fields = call.system.collections[work.collection].opt_out
        values = {fields[scope].field: fields[scope].text for scope in work.stops or () if scope in fields}
        if values:
            yield Correction(work.collection, values)
