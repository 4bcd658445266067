"""Codes to channels, reminders and the lapse: what is asked of a person, and how they answer.

The one rule: whatever an agent does here takes the same statements and gives the same answers for people who are known
and for people who are not; a code that nobody gets is made and kept like any other.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, func, select, update

from ledger.clocks import laws_of
from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import REPLY, Channel, queue_letter
from ledger.models_identity import identity_codes, identity_proofs
from ledger.notes import by_whom
from ledger.people import GIVEN, sealed_identities
from ledger.proofs import PROVEN_BEFORE, Proofs
from ledger.reach import REACH, sealed_reach
from ledger.reach import Reached as Reached
from ledger.reach import reached as reached
from ledger.store import AnyRow
from ledger.vault import Sealed
from rights.clockwork import Turn
from rights.identity import Channel as Kind
from rights.identity import Proof, Rung, Unreached, identity_law
from rights.reckoning import local_day
from rights.request import Right
from rights.tying import ON_FILE
from rights.unproven import together

GoesTo = Literal["given", "file", "another", "post"]
"""Where a code goes: to the address in the request, to a channel on file, to another one, by letter."""
LADDER: Final[tuple[GoesTo, ...]] = ("given", "file", "another", "post")
MOST_CODES: Final = 8
"""Codes of one request. Whoever needs more is helped by a person."""
_DIGEST: Final = 32
_GROUNDS: Final = {Unreached.CATEGORIES: "ccpa_7024_unproven"}
"""Why a request was not carried out, as the letters have words for it; `identity_unproven` otherwise."""
_ROUTES: Final = {"file": (Kind.EMAIL, Kind.PHONE), "another": (Kind.EMAIL, Kind.PHONE), "post": (Kind.POST,)}

_CODES: Final = (
    select(identity_codes)
    .where(identity_codes.c.tenant == bindparam("tenant"), identity_codes.c.request_id == bindparam("request_id"))
    .order_by(identity_codes.c.number)
)


class _Target(NamedTuple):
    """Where a code goes."""

    channel: Kind
    value: str
    rung: Rung
    fresh: bool

    def __repr__(self) -> str:
        return f"<a {self.channel}>"


class ProofCodes(Proofs):
    """Verbs on what is asked of a person."""

    def keep_reach(self, request_id: str, points: Iterable[Reached], *, doubt: bool, at: datetime) -> None:
        """Seal what the directory has told, and see whether what is proven is enough with it. `doubt`: several people
        match, so it has told of nobody."""
        body = sealed_reach(points, doubt=doubt)
        with self._begin() as connection:
            row = self._unanswered(connection, request_id)
            self._case_row(connection, request_id)
            key = self._vault.key(connection, request_id, "working")
            self._vault.put(connection, request_id, key, Sealed("working", REACH, body), at)
            self._set_case(connection, request_id, read_at=at)
            if row is not None and self._proofs_in(connection, request_id):
                self._settle_identity(connection, row, at, {"directory": True})

    def ask_code(self, request_id: str, goes_to: GoesTo, *, at: datetime, by: str | None = None) -> int:
        """Have a code sent; its number. Whether anybody gets it is not told.

        Raises:
            LedgerRefusal: it is no question now who asks, or too many codes were asked for.
        """
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            if row.confirmed_at:
                raise LedgerRefusal("the asker is proven: no code is needed")
            self._case_row(connection, request_id)
            its = {"tenant": self.tenant, "request_id": request_id}
            asked = len(connection.execute(_CODES, its).all())
            if asked >= MOST_CODES:
                raise LedgerRefusal(
                    f"{MOST_CODES} codes were asked for: prove the asker in person or by a document (identity attest)"
                )
            code = {**its, "id": new_id(at), "goes_to": goes_to, "number": asked + 1, "asked_at": at}
            connection.execute(identity_codes.insert(), code)
            self._wake_run(connection, request_id, at)
            body = {"to": goes_to, "number": asked + 1, **by_whom(by)}
            self._journal(connection, "code_asked", body, at, request_id=request_id)
        return asked + 1

    def send_codes(self, request_id: str, *, at: datetime, sms: str = "") -> int:
        """Make the codes that were asked for and queue their letters; how many were asked for.

        `sms` is the address of a gateway from mail to text messages, with {digits} for the number.
        """
        with self._begin() as connection:
            row = self._unanswered(connection, request_id)
            its = {"tenant": self.tenant, "request_id": request_id}
            codes = connection.execute(_CODES, its).all()
            unsent = [code for code in codes if code.sent_at is None]
            if not unsent or row is None:
                return 0
            case = self._case_row(connection, request_id)
            sealed = self._vault.get_all(connection, request_id, "working", REACH, GIVEN)
            given = [one.value for one in sealed_identities(sealed.get(GIVEN)) if one.kind == "email"]
            points = reached(sealed.get(REACH))
            used = {code.way for code in codes if code.way}
            for code in unsent:
                target = self._target(code.goes_to, given, points, used, at, sms)
                self._send(connection, request_id, code, target, at, sms)
                if target:
                    used.add(self._way(target.channel, target.value))
            self._set_case(connection, request_id, asked_at=at)
            if case.asked_at is None:
                self._tell_clock(connection, row, Turn.IDENTITY_ASKED, at)
            self._journal(connection, "codes_sent", {"codes": len(unsent)}, at, request_id=request_id)
        return len(unsent)

    def check_code(self, request_id: str, said: str, *, at: datetime, by: str | None = None) -> bool:
        """Compare what somebody has read out with the codes that are good; whether the asker is proven now.

        Raises:
            LedgerRefusal: it is no question now, or no code was asked for.
        """
        with self._begin() as connection:
            row = self._in_question(connection, request_id)
            its = {"tenant": self.tenant, "request_id": request_id}
            codes = connection.execute(_CODES, its).all()
            if row.confirmed_at:
                raise LedgerRefusal(PROVEN_BEFORE)
            if not codes:
                raise LedgerRefusal("no code was asked for: have one sent first (habeas identity send-code)")
            good = [c for c in codes if c.code and not c.used_at and c.tries_left > 0 and c.expires_at > at]
            digits = "".join(char for char in said if char.isdigit())
            fits = [c for c in good if secrets.compare_digest(self._code(request_id, c.id, digits), c.code)]
            hit = fits[0] if fits else None
            connection.execute(
                update(identity_codes)
                .where(
                    identity_codes.c.tenant == self.tenant,
                    identity_codes.c.request_id == request_id,
                    identity_codes.c.id == func.any([c.id for c in good] if hit is None else []),
                )
                .values(tries_left=identity_codes.c.tries_left - 1)
            )
            self._journal(connection, "code_checked", by_whom(by), at, request_id=request_id)
            if hit is None:
                return False
            connection.execute(
                update(identity_codes)
                .where(
                    identity_codes.c.tenant == self.tenant,
                    identity_codes.c.request_id == request_id,
                    identity_codes.c.id == hit.id,
                )
                .values(used_at=at)
            )
            self._reply_to(connection, request_id, hit, at)
            proof = Proof(rung=Rung(hit.rung), at=at, fresh=hit.fresh)
            return self._proven(connection, row, proof, at, way=hit.way, by=by)

    def remind(self, request_id: str, *, at: datetime) -> None:
        """Remind the person, where the last code went. No effect once the asker is proven, or the request taken
        back."""
        with self._begin() as connection:
            row = self._unanswered(connection, request_id)
            if row is None:
                return
            case = self._case_row(connection, request_id)
            if case.lapsed_at:
                return
            number = case.reminded + 1
            self._set_case(connection, request_id, reminded=number)
            lapse = together(laws_of(row)).lapses_at(Right(row.right), row.received_at, case.asked_at or at)
            said = {"asked": ["channel_on_file"], "respond_by": local_day(lapse, row.zone).isoformat()}
            self._write_to_them(connection, request_id, "reminder", number, at, said)
            self._journal(connection, "identity_reminded", {"number": number}, at, request_id=request_id)

    def lapse(self, request_id: str, became: Unreached, *, at: datetime) -> None:
        """Nothing came: say so, with how to go on; papers go. No effect once the asker is proven, or the request taken
        back."""
        with self._begin() as connection:
            row = self._unanswered(connection, request_id)
            if row is None:
                return
            case = self._case_row(connection, request_id)
            if case.lapsed_at:
                return
            self._set_case(connection, request_id, lapsed_at=at, became=became.value)
            laws, right = together(laws_of(row)), Right(row.right)
            ends = laws.ends_at(right, row.received_at, case.asked_at or at, at)
            said = {
                "ground": _GROUNDS.get(became, "identity_unproven"),
                "treated_as": laws.treated_as(right, became),
                "respond_by": local_day(ends, row.zone).isoformat() if ends > at else None,
            }
            said = {name: value for name, value in said.items() if value}
            self._write_to_them(connection, request_id, "lapse", 0, at, said)
            # What nobody has looked at a second time is looked at anew, if they come back.
            self._forget_proofs(connection, request_id, at, identity_proofs.c.paper.is_not(None))
            self._journal(connection, "identity_lapsed", {"became": became}, at, request_id=request_id)

    # Small things.

    def _target(
        self,
        goes_to: str,
        given: Sequence[str],
        points: Sequence[Reached],
        used: set[bytes],
        at: datetime,
        sms: str,
    ) -> _Target | None:
        """Where a code goes; None: nowhere, which shows nowhere."""
        if goes_to == "given":
            if not given:
                return None
            # Each address in turn, so that a second one can be proven too.
            address = next((one for one in given if self._way(Kind.EMAIL, one) not in used), given[0])
            way = self._way(Kind.EMAIL, address)
            here = [p for p in points if self._way(p.channel, p.value) == way]
            rung = Rung.CHANNEL_ON_FILE if here else Rung.ADDRESS_GIVEN
            return _Target(Kind.EMAIL, address, rung, any(p.fresh(at) for p in here))
        kinds = [kind for kind in _ROUTES[goes_to] if kind is not Kind.PHONE or sms]
        for kind in kinds:
            for point in points:
                if point.channel == kind and self._way(kind, point.value) not in used:
                    rung = Rung.POST if kind is Kind.POST else Rung.CHANNEL_ON_FILE
                    return _Target(kind, point.value, rung, point.fresh(at))
        return None

    def _send(
        self, connection: Connection, request_id: str, code: AnyRow, target: _Target | None, at: datetime, sms: str
    ) -> None:
        law = identity_law().codes[target.channel if target else Kind.EMAIL]
        digits = "".join(secrets.choice("0123456789") for _ in range(law.digits))
        values: dict[str, Any] = {
            "sent_at": at,
            "expires_at": at + law.valid,
            "tries_left": law.tries,
            # What fits nothing: nobody was sent anything.
            "code": secrets.token_bytes(_DIGEST),
        }
        if target:
            values |= {
                "code": self._code(request_id, code.id, digits),
                "rung": target.rung.value,
                "way": self._way(target.channel, target.value),
                "fresh": target.fresh,
            }
            self._post(connection, request_id, code.number, target, digits, law.valid, at, sms)
        connection.execute(
            update(identity_codes)
            .where(
                identity_codes.c.tenant == self.tenant,
                identity_codes.c.request_id == request_id,
                identity_codes.c.id == code.id,
            )
            .values(**values)
        )

    def _post(
        self,
        connection: Connection,
        request_id: str,
        number: int,
        target: _Target,
        digits: str,
        valid: timedelta,
        at: datetime,
        sms: str,
    ) -> None:
        address = target.value
        if target.channel is Kind.PHONE:
            address = sms.replace("{digits}", "".join(char for char in target.value if char.isdigit()))
        channel = Channel("post" if target.channel is Kind.POST else "email", address)
        key = self._vault.key(connection, request_id, "working")
        self._vault.put(connection, request_id, key, Sealed("working", code_channel(number), channel.sealed()), at)
        said = {"code": digits, "code_minutes": int(valid.total_seconds() // 60)}
        queue_letter(
            self,
            connection,
            request_id,
            "identity_code",
            at,
            number=number,
            said=orjson.dumps(said),
            channel=code_channel(number),
            post_by=(at + timedelta(days=1)).date(),
        )

    def _write_to_them(
        self,
        connection: Connection,
        request_id: str,
        kind: str,
        number: int,
        at: datetime,
        said: Mapping[str, object] | None = None,
    ) -> None:
        """Write to where the newest code went that went anywhere."""
        its = {"tenant": self.tenant, "request_id": request_id}
        sent = [code for code in connection.execute(_CODES, its) if code.way]
        if sent:
            queue_letter(
                self,
                connection,
                request_id,
                kind,
                at,
                number=number,
                said=orjson.dumps(said) if said else None,
                channel=code_channel(sent[-1].number),
                only_if_known=True,
            )

    def _reply_to(self, connection: Connection, request_id: str, code: AnyRow, at: datetime) -> None:
        """From now on letters go where control was proven; an address in the request does not take that from a channel
        on file."""
        its = {"tenant": self.tenant, "request_id": request_id}
        before = [c for c in connection.execute(_CODES, its) if c.used_at and c.id != code.id]
        if Rung(code.rung) not in ON_FILE and any(Rung(c.rung) in ON_FILE for c in before):
            return
        channel = self._vault.get(connection, request_id, "working", code_channel(code.number))
        if channel:
            key = self._vault.key(connection, request_id, "working")
            self._vault.put(connection, request_id, key, Sealed("working", REPLY, channel), at)

    def _code(self, request_id: str, code_id: str, digits: str) -> bytes:
        return self._people.mark(f"CODE\0{request_id}\0{code_id}\0{digits}")


def code_channel(number: int) -> str:
    """The name in the vault (`working`) of where a code went."""
    return f"channel/code/{number}"


def next_step(asked: Sequence[str]) -> GoesTo | None:
    """The next place on the ladder for a code, by where codes were asked to go before; None: there is none left."""
    return next((step for step in LADDER if step not in asked), None)
