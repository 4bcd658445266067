"""A use of restricted data takes two people, an end and, where the law wants it, a word to the person before."""

from datetime import date, timedelta
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.codes import Code
from rights.request import Phase, Right
from rights.restriction import Ended, Ground, Stage
from rights.uses import Use, UseEnded, UseGround
from tests.ledger.builders import AT, close_one, later, opened_id
from tests.ledger.conftest import Door


@pytest.fixture
def restricted(ledger: Ledger) -> str:
    request_id = opened_id(ledger, Phase.LOCATING, right=Right.RESTRICTION)
    ledger.begin_restriction(request_id, Ground.CLAIMS, at=AT, review_on=later(days=90))
    close_one(ledger, request_id)
    return request_id


def asked(ledger: Ledger, request_id: str, ground: UseGround = UseGround.CLAIMS, **more: Any) -> Use:
    said: dict[str, Any] = {
        "article": "GDPR Art. 18(2)",
        "until": (AT + timedelta(days=30)).date(),
        "zone": "Europe/Berlin",
        "recipient": "own",
        "new_purpose": False,
        "evidence": "canary: the claim",
        "by": "s-17",
        "at": AT,
    }
    return ledger.ask_to_use(request_id, ground, ("shop.customers",), **said | more)


def approved(ledger: Ledger, use: Use, by: str = "s-21") -> Use:
    return ledger.approve_use(use.id, by=by, note=None, at=AT)


def sealed(ledger: Ledger, use: Use) -> None:
    ledger.keep_used(use.id, "d" * 64, 10, {"shop.customers": 1}, at=AT)


def taken(ledger: Ledger, use: Use, **at: Any) -> Use:
    return ledger.hand_over_used(use.id, by="s-17", at=later(**at) if at else AT)


def test_RES_02_nothing_is_used_before_a_second_person_has_said_so(ledger: Ledger, restricted: str, door: Door) -> None:
    use = asked(ledger, restricted)
    assert (use.waits_for(AT), use.to_seal(AT)) == ("approve", False)
    for same in ("s-17", " S-17"):
        with pytest.raises(LedgerRefusal, match="two people"):
            approved(ledger, use, same)
    with pytest.raises(LedgerRefusal, match="no second person"):
        sealed(ledger, use)
    assert ledger.case_key(use.id, "parcel") is None

    use = approved(ledger, use)
    assert (use.waits_for(AT), use.to_seal(AT)) == ("seal", True)
    sealed(ledger, use)
    assert taken(ledger, use).handed_at == AT

    kinds = [k for (k,) in door("SELECT kind FROM entries WHERE kind ~ '^restriction_use' ORDER BY seq")]
    assert kinds == [f"restriction_use_{what}" for what in ("asked", "approved", "sealed", "handed_over")]
    assert ledger.verify().sound
    said = "".join(map(str, [*door("SELECT * FROM restriction_uses"), *door("SELECT * FROM entries")]))
    assert "canary" not in said


def test_RES_02_it_is_on_record_what_it_covers_on_which_ground_for_whom_and_until_when(
    ledger: Ledger, restricted: str, door: Door
) -> None:
    asked(ledger, restricted, recipient="counsel-firm", until=date(2026, 4, 1))

    ((body,),) = door("SELECT body::jsonb FROM entries WHERE kind = 'restriction_use_asked'")
    told = {name: body[name] for name in ("ground", "article", "covers", "to", "until", "by", "new_purpose")}
    assert told == {
        "ground": "claims",
        "article": "GDPR Art. 18(2)",
        "covers": ["shop.customers"],
        "to": "counsel-firm",
        "until": "2026-04-01",
        "by": "s-17",
        "new_purpose": False,
    }
    assert body["note_digest"], "the evidence is sealed, and can be shown to be the one that was given"


@pytest.mark.parametrize(
    ("ground", "new_purpose"),
    [(UseGround.CONSENT, False), *((one, True) for one in UseGround if one is not UseGround.CONSENT)],
)
def test_RES_02_whoever_is_to_hear_of_it_hears_before_anything_is_handed_over(
    ledger: Ledger, restricted: str, ground: UseGround, new_purpose: bool
) -> None:
    use = approved(ledger, asked(ledger, restricted, ground, new_purpose=new_purpose))
    sealed(ledger, use)
    tasks = [t for t in ledger.standing(restricted).tasks if t.code == Code.USE_TOLD]
    assert [(t.about, t.settled_at) for t in tasks] == [(use.id, None)]
    with pytest.raises(LedgerRefusal, match="told first"):
        taken(ledger, use)

    ledger.told_of_use(use.id, by="s-17", text="canary: we use it", at=AT)

    assert taken(ledger, use).handed_at == AT
    assert [t.settled_at for t in ledger.standing(restricted).tasks if t.code == Code.USE_TOLD] == [AT]


@pytest.mark.parametrize("ground", [one for one in UseGround if one is not UseGround.CONSENT])
def test_RES_02_of_the_other_grounds_nobody_has_to_hear_for_the_same_purpose(
    ledger: Ledger, restricted: str, ground: UseGround
) -> None:
    use = approved(ledger, asked(ledger, restricted, ground))
    sealed(ledger, use)

    assert taken(ledger, use).handed_at == AT
    assert Code.USE_TOLD not in {t.code for t in ledger.standing(restricted).tasks}


def test_RES_02_a_use_has_an_end_and_its_copy_with_it(ledger: Ledger, restricted: str, door: Door) -> None:
    use = approved(ledger, asked(ledger, restricted, until=(AT + timedelta(days=3)).date()))
    sealed(ledger, use)

    assert taken(ledger, use, days=2)
    with pytest.raises(LedgerRefusal, match="last day"):
        taken(ledger, use, days=4)
    ledger.shred_due(later(days=4))
    assert ledger.case_key(use.id, "parcel") is None
    assert door("SELECT count(*) FROM restrictions WHERE lifted_at IS NULL") == [(1,)]


def test_RES_02_a_consent_that_is_withdrawn_ends_it_at_once(ledger: Ledger, restricted: str) -> None:
    use = approved(ledger, asked(ledger, restricted, UseGround.CONSENT))
    sealed(ledger, use)
    ledger.told_of_use(use.id, by="s-17", text="canary", at=AT)

    ledger.end_use(use.id, UseEnded.CONSENT_WITHDRAWN, by="s-17", note=None, at=AT)

    with pytest.raises(LedgerRefusal, match="consent_withdrawn"):
        taken(ledger, use)
    ledger.shred_due(later(minutes=1))
    assert ledger.case_key(use.id, "parcel") is None
    claims = asked(ledger, restricted)
    with pytest.raises(LedgerRefusal, match="does not stand on consent"):
        ledger.end_use(claims.id, UseEnded.CONSENT_WITHDRAWN, by="s-17", note=None, at=AT)


def test_RES_02_what_is_being_lifted_needs_no_use(ledger: Ledger, restricted: str) -> None:
    use = asked(ledger, restricted)
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=timedelta())
    ledger.told_of_lifting(restricted, at=AT)
    assert ledger.begin_lifting(restricted, at=AT)

    with pytest.raises(LedgerRefusal, match="being lifted"):
        asked(ledger, restricted)
    with pytest.raises(LedgerRefusal, match="being lifted"):
        approved(ledger, use)
    found = ledger.restriction(restricted)
    assert found is not None
    assert found.stage is Stage.LIFTING
