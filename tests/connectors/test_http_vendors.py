"""The five vendor files do at their vendors what docs/vendors.md says, through the troubles that vendors make."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from activities.acting import left
from connectors.conformance.gate import Gate
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable, Unsupported
from connectors.protocol import Batches, Correction, Export, Look, OldValues, Pending, capabilities
from connectors.traits import Bounded
from rights.codes import Code
from rights.plan import Operation
from rights.receipt import Certainty, Tally
from rights.subject import Identity
from starter.stack.vendors import Vendors
from tests.connectors.http_bench import AmplitudeBench, MailchimpBench, ZendeskBench
from tests.connectors.http_desk import GOOGLE, STRIPE, Desk


@pytest.fixture
def vendors(vendors: Vendors) -> Vendors:
    """With twenty customers of the shop, and a clock that stands still."""
    vendors.reset(people=20)
    vendors.freeze()
    return vendors


@pytest.fixture
def mailchimp(vendors: Vendors) -> Iterator[Desk]:
    desk = Desk(vendors, "mailchimp", MailchimpBench.map, dict(MailchimpBench.secrets))
    yield desk
    desk.connector.close()


@pytest.fixture
def zendesk(vendors: Vendors) -> Iterator[Desk]:
    desk = Desk(vendors, "zendesk", ZendeskBench.map, dict(ZendeskBench.secrets))
    yield desk
    desk.connector.close()


@pytest.fixture
def amplitude(vendors: Vendors) -> Iterator[Desk]:
    desk = Desk(vendors, "amplitude", AmplitudeBench.map, dict(AmplitudeBench.secrets), hosts=["localhost"])
    yield desk
    desk.connector.close()


@pytest.fixture
def stripe(vendors: Vendors) -> Iterator[Desk]:
    desk = Desk(vendors, "stripe", STRIPE, {"key": "sk_test_fake"})
    yield desk
    desk.connector.close()


@pytest.fixture
def google(vendors: Vendors) -> Iterator[Desk]:
    account = vendors.credentials()["google"]["service_account"]
    desk = Desk(vendors, "google", GOOGLE, {"service_account": json.dumps(account)})
    yield desk
    desk.connector.close()


def email_of(vendors: Vendors, number: int) -> tuple[str, str]:
    users = vendors.dump("zendesk")["users"]
    return "email", users[str(900_000_000_000 + number)]["email"]


# Mailchimp


def members_of(vendors: Vendors, email: str) -> list[dict[str, Any]]:
    audiences = vendors.dump("mailchimp")["members"].values()
    return [m for members in audiences for m in members.values() if m["email_address"].lower() == email.lower()]


def test_mailchimp_forgets_somebody_in_all_audiences_at_once(mailchimp: Desk) -> None:
    kind, email = email_of(mailchimp.vendors, 3)
    assert len(members_of(mailchimp.vendors, email)) == 2

    tally = mailchimp.connector.erase(mailchimp.call((kind, email)))

    assert isinstance(tally, Tally)
    assert (tally.found, tally.changed) == (2, 2)
    assert members_of(mailchimp.vendors, email) == []


def test_mailchimps_wall_means_throttled_and_not_refused(mailchimp: Desk) -> None:
    call = mailchimp.call(email_of(mailchimp.vendors, 3))
    mailchimp.vendors.fault("mailchimp", "forbidden_text")

    with pytest.raises(Retryable) as caught:
        mailchimp.connector.locate(call)

    assert (caught.value.code, caught.value.after) == (Code.BUSY, timedelta(minutes=5))


def test_a_refused_key_is_named_and_not_shown(mailchimp: Desk) -> None:
    mailchimp.vendors.fault("mailchimp", "unauthorised")

    with pytest.raises(NeedsHuman) as caught:
        mailchimp.connector.locate(mailchimp.call(email_of(mailchimp.vendors, 3)))

    assert (caught.value.code, caught.value.about) == (Code.CREDENTIALS, "key")


def test_a_busy_vendor_is_asked_again_when_it_says(mailchimp: Desk) -> None:
    mailchimp.vendors.fault("mailchimp", "rate_limited", retry_after="90")

    with pytest.raises(Retryable) as caught:
        mailchimp.connector.locate(mailchimp.call(email_of(mailchimp.vendors, 3)))

    assert caught.value.after == timedelta(seconds=90)


def test_a_turn_of_seconds_is_waited_for_on_the_spot(mailchimp: Desk) -> None:
    mailchimp.vendors.fault("mailchimp", "rate_limited", retry_after="2")

    assert mailchimp.connector.locate(mailchimp.call(email_of(mailchimp.vendors, 3))).tally.found == 2


def test_an_answer_of_another_shape_is_a_task_with_its_place(mailchimp: Desk) -> None:
    mailchimp.vendors.fault("mailchimp", "wrong_shape", "lists")

    with pytest.raises(NeedsHuman) as caught:
        mailchimp.connector.locate(mailchimp.call(email_of(mailchimp.vendors, 3)))

    assert caught.value.code is Code.SHAPE
    assert caught.value.about.startswith("collections.members.find[0].steps[0].")


def test_mailchimp_restricts_and_puts_back_what_was(mailchimp: Desk) -> None:
    kind, email = email_of(mailchimp.vendors, 3)
    before = members_of(mailchimp.vendors, email)
    call = mailchimp.call((kind, email))

    locked = mailchimp.connector.restrict(call)
    again = mailchimp.connector.restrict(replace(call, restricted=locked.state))

    assert {member["status"] for member in members_of(mailchimp.vendors, email)} == {"unsubscribed"}
    assert again.state == locked.state, "a second attempt remembers what it was before the first"
    mailchimp.connector.lift(replace(call, restricted=again.state))
    assert [m["status"] for m in members_of(mailchimp.vendors, email)] == [m["status"] for m in before]


def test_what_another_request_restricts_as_well_stays_so_until_that_one_is_over(mailchimp: Desk) -> None:
    """A vendor has one lock for all: what the first request has locked, the second one finds locked already."""
    kind, email = email_of(mailchimp.vendors, 3)
    before = members_of(mailchimp.vendors, email)
    call = mailchimp.call((kind, email))
    first = replace(call, restricted=mailchimp.connector.restrict(call).state)
    second = replace(call, restricted=mailchimp.connector.restrict(call).state)

    with pytest.raises(NeedsHuman) as caught:
        mailchimp.connector.lift(replace(first, restricted_too=(second.restricted,)))
    assert (caught.value.code, caught.value.about) == (Code.STILL_LOCKED, "members")
    assert {member["status"] for member in members_of(mailchimp.vendors, email)} == {"unsubscribed"}
    # The second one has nothing to put back, since it does not know what was there.
    assert mailchimp.connector.lift(replace(second, restricted_too=(first.restricted,))).found == 0
    assert {member["status"] for member in members_of(mailchimp.vendors, email)} == {"unsubscribed"}

    mailchimp.connector.lift(first)
    assert [m["status"] for m in members_of(mailchimp.vendors, email)] == [m["status"] for m in before]


def test_what_was_locked_away_and_erased_is_not_said_to_be_locked_still(mailchimp: Desk) -> None:
    """Only where a look after the erasure has found nothing: else a row that is not found may be one that is hidden."""
    kind, email = email_of(mailchimp.vendors, 3)
    call = mailchimp.call((kind, email))
    call = replace(call, restricted=mailchimp.connector.restrict(call).state)
    mailchimp.through("erase", call)
    assert members_of(mailchimp.vendors, email) == []
    gone = replace(call, work=tuple(work.model_copy(update={"gone": True}) for work in call.work))

    assert left(mailchimp.connector.lift, call) == {"members": 1}
    assert left(mailchimp.connector.lift, gone) == {}
    assert mailchimp.connector.lift(gone).found == 0, "and nothing is said to be put back"


def test_what_is_there_is_put_back_whatever_was_said_of_it(mailchimp: Desk) -> None:
    kind, email = email_of(mailchimp.vendors, 3)
    before = members_of(mailchimp.vendors, email)
    call = mailchimp.call((kind, email))
    state = mailchimp.connector.restrict(call).state
    gone = tuple(work.model_copy(update={"gone": True}) for work in call.work)

    mailchimp.connector.lift(replace(call, restricted=state, work=gone))

    assert [m["status"] for m in members_of(mailchimp.vendors, email)] == [m["status"] for m in before]


# Amplitude


def people(numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [{"id": str(number), "events": 1} for number in numbers]


def test_250_people_are_three_calls_and_each_has_an_own_answer(amplitude: Desk) -> None:
    numbers = range(1000, 1250)
    amplitude.vendors.seed(people(numbers), ["amplitude"])
    connector: object = amplitude.connector
    assert isinstance(connector, Batches)
    assert connector.batch == 100
    amplitude.wait(timedelta(hours=1))
    calls = [amplitude.call(("customer_number", str(number))) for number in numbers]
    held = Gate(refuse=Held(Code.HOLD))
    calls[17] = replace(calls[17], fence=held)

    answers = connector.erase_many(calls)

    assert amplitude.worked("deletion.create") == 3
    assert isinstance(answers[17], Held)
    assert all(isinstance(answer, Pending) for n, answer in enumerate(answers) if n != 17)
    (job,) = amplitude.vendors.dump("amplitude")["jobs"]
    asked = {one["amplitude_id"] for one in job["amplitude_ids"]}
    assert len(asked) == 249
    assert 300_000_001_017 not in asked


def test_a_deletion_that_was_taken_on_unheard_is_not_asked_for_twice(amplitude: Desk) -> None:
    call = amplitude.call(("customer_number", "3"))
    amplitude.vendors.fault("amplitude", "timeout", "deletion.create", seconds=0.01)
    with pytest.raises(Retryable):
        amplitude.connector.erase(call)
    amplitude.wait(timedelta(seconds=2))

    answer = amplitude.through("erase", replace(call, cut_short=True))

    assert answer.changed == 1
    assert amplitude.worked("deletion.create") == 1
    assert "300000000003" not in amplitude.vendors.dump("amplitude")["users"]


def test_nothing_is_called_erased_while_amplitude_is_at_it(amplitude: Desk) -> None:
    gate = Gate()
    answer = amplitude.connector.erase(amplitude.call(("customer_number", "3"), fence=gate))

    assert isinstance(answer, Pending)
    assert answer.tally.changed == 0
    assert [passage.tally.changed for passage in gate.passages if passage.tally] == [0]
    assert "300000000003" in amplitude.vendors.dump("amplitude")["users"]


def test_access_results_that_have_expired_are_asked_for_again(amplitude: Desk) -> None:
    call = amplitude.call(("customer_number", "3"))
    first = amplitude.connector.export(call)
    assert isinstance(first, Pending)
    amplitude.wait(timedelta(days=5))
    later = replace(call, job=first.job, as_of=call.as_of + timedelta(days=5))

    second = amplitude.connector.export(later)

    assert isinstance(second, Pending)
    assert amplitude.worked("access.create") == 2
    exports = amplitude.through("export", replace(later, job=second.job))
    files = [(part.name, b"".join(part.pages)) for part in exports if isinstance(part, Export)]
    assert [name for name, _ in files][:2] == ["", "events-1.jsonl.gz"]
    assert all(body[:2] == b"\x1f\x8b" for name, body in files if name)


def test_what_a_call_costs_is_taken_from_the_allowance(amplitude: Desk) -> None:
    amplitude.connector.export(amplitude.call(("customer_number", "3")))

    assert amplitude.spent == {"lookups": 1, "dsar": 9}


def test_a_missing_optional_secret_is_asked_for_when_it_is_needed(vendors: Vendors) -> None:
    secrets = {"key": "amplitude-project-key", "secret": "amplitude-project-secret"}
    desk = Desk(vendors, "amplitude", AmplitudeBench.map, secrets)

    with pytest.raises(NeedsHuman) as caught:
        desk.connector.export(desk.call(("customer_number", "3")))

    assert (caught.value.code, caught.value.about) == (Code.CREDENTIALS, "org_key, org_secret")
    desk.connector.close()


# Zendesk


def test_zendesk_locks_users_and_says_that_their_tickets_stay_open(zendesk: Desk) -> None:
    locked = zendesk.connector.restrict(zendesk.call(email_of(zendesk.vendors, 3)))

    assert zendesk.vendors.dump("zendesk")["users"]["900000000003"]["suspended"]
    assert locked.tally.of("users").found == 1
    assert locked.without == ("tickets",)


def test_zendesk_is_done_when_every_product_says_so(zendesk: Desk) -> None:
    call = zendesk.call(email_of(zendesk.vendors, 3))
    waited = timedelta(0)
    answer: object = zendesk.connector.erase(call)
    while isinstance(answer, Pending):
        zendesk.wait(answer.check_after)
        waited += answer.check_after
        call = replace(call, job=answer.job, as_of=call.as_of + answer.check_after)
        answer = zendesk.connector.erase(call)

    assert waited >= timedelta(days=3), "chat takes longest"
    assert isinstance(answer, Tally)
    assert answer.of("users").erased == 1


def test_somebody_in_zendesks_bin_is_found_by_address(zendesk: Desk) -> None:
    kind, email = email_of(zendesk.vendors, 3)
    tickets = zendesk.vendors.dump("zendesk")["tickets"].values()
    assert any(ticket["requester_id"] == 900_000_000_003 for ticket in tickets)
    url = f"{zendesk.vendors.url('zendesk')}/api/v2/users/900000000003"
    assert httpx2.delete(url, auth=("agent@shop.example/token", "zendesk-token")).status_code == 200

    assert zendesk.connector.locate(zendesk.call((kind, email))).tally.of("users").found == 1


def test_zendesk_refuses_somebody_with_open_tickets_and_a_person_is_asked(vendors: Vendors) -> None:
    users_alone = ZendeskBench.map.partition("  tickets:")[0]
    desk = Desk(vendors, "zendesk", users_alone, dict(ZendeskBench.secrets))

    with pytest.raises(NeedsHuman) as caught:
        desk.connector.erase(desk.call(email_of(vendors, 7)))

    assert caught.value.code is Code.REFUSED
    assert vendors.dump("zendesk")["users"]["900000000007"]["active"]
    desk.connector.close()


def test_an_erasure_whose_job_is_lost_still_waits_for_zendesks_products(zendesk: Desk) -> None:
    call = zendesk.call(email_of(zendesk.vendors, 3))
    call = replace(call, anchors=zendesk.connector.locate(call).anchors)
    assert isinstance(zendesk.connector.erase(call), Pending)

    again = zendesk.connector.erase(replace(call, cut_short=True))

    assert isinstance(again, Pending), "nobody is found, and the products are still at it"
    assert zendesk.through("erase", replace(call, job=again.job)).changed == 0


# Stripe


def test_stripe_redacts_and_the_customer_stays(stripe: Desk) -> None:
    look = stripe.connector.locate(stripe.call(email_of(stripe.vendors, 1)))
    (link,) = look.links
    call = replace(stripe.call(email_of(stripe.vendors, 1)), anchors=look.anchors)

    tally = stripe.through("erase", call)
    after = stripe.connector.verify(call)

    assert (link.kind, tally.of("customers").anonymised, tally.of("customers").erased) == ("stripe_customer", 1, 0)
    customer = stripe.vendors.dump("stripe")["customers"][link.value]
    assert customer["email"] == "[redacted]"
    assert (after.tally.found, after.certainty) == (0, Certainty.VERIFIED)


def test_what_stripe_finds_wrong_is_a_task_and_nothing_is_redacted(stripe: Desk) -> None:
    email = email_of(stripe.vendors, 5)

    with pytest.raises(NeedsHuman) as caught:
        stripe.through("erase", stripe.call(email))

    assert (caught.value.code, caught.value.about) == (Code.FAILED, "customers")
    assert stripe.worked("jobs.run") == 0
    assert stripe.connector.locate(stripe.call(email)).tally.found == 1


@pytest.mark.parametrize("operation", ["jobs.create", "jobs.run"])
def test_a_lost_answer_of_stripe_makes_no_second_job(stripe: Desk, operation: str) -> None:
    call = stripe.call(email_of(stripe.vendors, 1))
    stripe.vendors.fault("stripe", "timeout", operation, seconds=0.01)
    for _ in range(50):
        try:
            answer = stripe.connector.erase(call)
        except Retryable:
            continue
        if isinstance(answer, Tally):
            break
        stripe.wait(answer.check_after)
        call = replace(call, job=answer.job)

    assert stripe.worked("jobs.run") == 1
    assert [job["status"] for job in stripe.vendors.dump("stripe")["jobs"].values()] == ["succeeded"]


# Google Analytics


def test_google_is_told_each_identity_and_its_term_is_waited_for(google: Desk) -> None:
    call = google.call(("customer_number", "3"), ("email", "An.Na@GMail.com"))
    assert google.connector.locate(call).tally.found == 2, "what would be submitted"

    answer = google.connector.erase(call)

    assert isinstance(answer, Pending)
    assert (answer.check_after, answer.tally.changed) == (timedelta(days=63), 0)
    asked = [(one["kind"], one["value"]) for one in google.vendors.dump("google")["deletions"]]
    assert sorted(asked) == [("userId", "3"), ("userProvidedData", "anna@gmail.com")]
    early = google.connector.erase(replace(call, job=answer.job, as_of=call.as_of + timedelta(days=62)))
    assert isinstance(early, Pending)
    late = google.connector.erase(replace(call, job=answer.job, as_of=call.as_of + timedelta(days=63)))
    assert isinstance(late, Tally)
    look = google.connector.verify(call)
    assert isinstance(look, Look)
    assert (look.tally.found, look.certainty) == (0, Certainty.ATTESTED)


def test_googles_older_api_is_told_what_each_identity_is(vendors: Vendors) -> None:
    account = vendors.credentials()["google"]["service_account"]
    text = (
        GOOGLE.replace("google_analytics,", "google_analytics_v3,").partition("  users:")[0]
        + """
  users: {key: [submission], fields: {submission: {}, user_id: {identity: customer_number}}}
  clients: {key: [submission], fields: {submission: {}, client_id: {identity: client_id}}}
"""
    )
    desk = Desk(vendors, "google", text, {"service_account": json.dumps(account)})

    tally = desk.through("erase", desk.call(("customer_number", "3"), ("client_id", "1.2")))

    asked = [(one["kind"], one["value"]) for one in vendors.dump("google")["deletions"]]
    assert sorted(asked) == [("clientId", "1.2"), ("userId", "3")]
    assert tally.changed == 2
    desk.connector.close()


def test_googles_spent_day_is_waited_for(google: Desk) -> None:
    body = {"error": {"code": 403, "errors": [{"reason": "dailyLimitExceeded"}]}}
    google.vendors.fault("google", "answer", "delete", status=403, body=body, times=9)

    with pytest.raises(Retryable) as caught:
        google.connector.erase(google.call(("customer_number", "3")))

    assert (caught.value.code, caught.value.after) == (Code.BUSY, timedelta(hours=1))


def test_a_token_of_google_that_has_ended_is_fetched_anew(google: Desk) -> None:
    google.connector.erase(google.call(("customer_number", "3")))
    google.vendors.advance("P2D")

    assert isinstance(google.connector.erase(google.call(("customer_number", "4"))), Pending)
    assert google.worked("token") == 2


# All


def test_each_offers_what_its_vendor_does_and_no_more(
    mailchimp: Desk, zendesk: Desk, amplitude: Desk, stripe: Desk, google: Desk
) -> None:
    base = {Operation.LOCATE, Operation.ERASE, Operation.VERIFY}
    locks = {Operation.RESTRICT, Operation.LIFT}

    assert capabilities(mailchimp.connector) == base | locks | {Operation.EXPORT, Operation.SUPPRESS, Operation.RECTIFY}
    assert capabilities(zendesk.connector) == base | locks | {Operation.EXPORT, Operation.RECTIFY}
    assert capabilities(amplitude.connector) == base | {Operation.EXPORT}
    assert capabilities(stripe.connector) == base | {Operation.EXPORT, Operation.RECTIFY}
    assert capabilities(google.connector) == base
    assert [hasattr(desk.connector, "erase_many") for desk in (amplitude, stripe)] == [True, False]
    for desk in (mailchimp, zendesk, amplitude, stripe, google):
        connector: object = desk.connector
        assert isinstance(connector, Bounded)
        assert connector.longest > timedelta(seconds=60)


def test_a_cut_call_is_waited_for_as_long_as_the_calls_behind_its_fence_may_take(
    mailchimp: Desk, zendesk: Desk, amplitude: Desk, stripe: Desk, google: Desk
) -> None:
    longest = [desk.connector.longest.total_seconds() for desk in (mailchimp, zendesk, amplitude, stripe, google)]
    secrets = dict(AmplitudeBench.secrets)
    hasty = Desk(amplitude.vendors, "amplitude", AmplitudeBench.map, secrets, timeout="5s", grace="2s")

    # Two calls that correct may take two minutes each at Mailchimp, three one each at Zendesk; a look before the call
    # counts (Amplitude, Stripe); polls do not.
    assert longest == [120 * 2 + 60, 60 * 3 + 60, 60 * 2 + 60, 60 * 2 + 60, 60 + 60]
    assert hasty.connector.longest == timedelta(seconds=5 * 2 + 2)


# Correcting


def said(collection: str, **values: str | None) -> Correction:
    return Correction(collection, values)


def test_REC_01_a_name_is_corrected_in_every_audience_and_the_old_one_kept(mailchimp: Desk) -> None:
    kind, email = email_of(mailchimp.vendors, 3)
    before, kept = members_of(mailchimp.vendors, email), list[OldValues]()
    one = said("members", first_name="Änne")

    tally = mailchimp.connector.rectify(mailchimp.call((kind, email), corrections=(one,), keep=kept.append))

    after = members_of(mailchimp.vendors, email)
    assert (tally.found, tally.rectified) == (2, 2)
    assert [m["merge_fields"] for m in after] == [m["merge_fields"] | {"FNAME": "Änne"} for m in before]
    assert [m["status"] for m in after] == [m["status"] for m in before]
    old = {key: row["first_name"] for part in kept for key, row in part["members"].items()}
    assert old == {(m["list_id"], m["id"]): m["merge_fields"]["FNAME"] for m in before}


def test_REC_01_a_field_that_the_vendors_file_cannot_write_is_a_persons_and_nothing_is_changed(mailchimp: Desk) -> None:
    kind, email = email_of(mailchimp.vendors, 3)
    one = said("members", first_name="Änne", email="new@example.org")

    with pytest.raises(Unsupported) as caught:
        mailchimp.connector.rectify(mailchimp.call((kind, email), corrections=(one,)))

    assert (caught.value.code, caught.value.about) == (Code.UNSUPPORTED, "members.first_name,email")
    assert mailchimp.worked("member.update") == 0


MAILCHIMP_POST = MailchimpBench.map.replace(
    "status: {}", "status: {}\n      street: {category: contact}\n      city: {category: contact}\n      postcode: {}"
)
POST = {"addr1": "Old Street 1", "addr2": "2nd floor", "city": "Bonn", "state": "NRW", "zip": "53111", "country": "DE"}


def with_post(vendors: Vendors, email: str, address: Mapping[str, str]) -> None:
    for member in members_of(vendors, email):
        url = f"{vendors.url('mailchimp')}/3.0/lists/{member['list_id']}/members/{member['id']}"
        body = {"merge_fields": {"ADDRESS": address}}
        assert httpx2.patch(url, json=body, auth=("any", MailchimpBench.secrets["key"])).status_code == 200


def test_REC_01_a_postal_address_is_written_as_a_whole_and_keeps_what_was_not_wrong(vendors: Vendors) -> None:
    """The map names three of its parts; the vendor takes all of them or none."""
    desk = Desk(vendors, "mailchimp", MAILCHIMP_POST, dict(MailchimpBench.secrets))
    kind, email = email_of(vendors, 3)
    with_post(vendors, email, POST)
    before, kept = members_of(vendors, email), list[OldValues]()

    call = desk.call((kind, email), corrections=(said("members", street="Quarry Lane 1"),), keep=kept.append)
    tally = desk.connector.rectify(call)

    after = members_of(vendors, email)
    assert (tally.found, tally.rectified) == (2, 2)
    assert [m["merge_fields"]["ADDRESS"] for m in after] == [POST | {"addr1": "Quarry Lane 1"}] * 2
    assert [m["merge_fields"]["FNAME"] for m in after] == [m["merge_fields"]["FNAME"] for m in before]
    assert {str(row) for part in kept for row in part["members"].values()} == {str({"street": "Old Street 1"})}
    assert desk.connector.rectify(call).rectified == 0
    desk.connector.close()


def test_an_address_that_would_not_be_whole_is_refused_and_nothing_is_changed(vendors: Vendors) -> None:
    desk = Desk(vendors, "mailchimp", MAILCHIMP_POST, dict(MailchimpBench.secrets))
    kind, email = email_of(vendors, 3)
    before = members_of(vendors, email)

    with pytest.raises(NeedsHuman) as caught:
        desk.connector.rectify(desk.call((kind, email), corrections=(said("members", street="Quarry Lane 1"),)))

    assert caught.value.code is Code.REFUSED
    assert members_of(vendors, email) == before
    desk.connector.close()


def test_REC_01_the_primary_address_is_corrected_and_no_second_one_made(zendesk: Desk) -> None:
    before, learnt, kept = zendesk_user(zendesk.vendors, 3), list[Identity](), list[OldValues]()
    one = said("users", email="anna.quartz@example.org")
    email = email_of(zendesk.vendors, 3)
    call = zendesk.call(email, corrections=(one,), learn=learnt.extend, keep=kept.append)

    tally = zendesk.connector.rectify(call)

    changed = {name: value for name, value in zendesk_user(zendesk.vendors, 3).items() if before[name] != value}
    assert (tally.found, tally.rectified) == (1, 1)
    assert changed["email"] == "anna.quartz@example.org"
    assert changed.keys() <= {"email", "updated_at"}
    assert Identity("email", "anna.quartz@example.org") in learnt
    assert [dict(row) for part in kept for row in part["users"].values()] == [{"email": before["email"]}]
    again = zendesk.connector.rectify(zendesk.call(email, corrections=(one,)))
    assert (again.found, again.rectified, zendesk.worked("user.identity")) == (1, 0, 1)
    assert zendesk.worked("user.update") == 0, "the user's own endpoint would add a second address"


def test_an_address_that_another_user_has_is_not_given(zendesk: Desk) -> None:
    before = zendesk.vendors.dump("zendesk")["users"]
    (_, theirs) = email_of(zendesk.vendors, 4)

    with pytest.raises(NeedsHuman):
        zendesk.connector.rectify(
            zendesk.call(email_of(zendesk.vendors, 3), corrections=(said("users", email=theirs),))
        )

    assert zendesk.vendors.dump("zendesk")["users"] == before


def test_only_what_a_correction_is_about_is_asked_for(zendesk: Desk) -> None:
    zendesk.connector.rectify(
        zendesk.call(email_of(zendesk.vendors, 3), corrections=(said("users", name="Anna Quartz"),))
    )

    assert (zendesk.worked("user.update"), zendesk.worked("user.identity")) == (1, 0)
    assert not zendesk.vendors.traffic("zendesk", "user.identities")


def zendesk_user(vendors: Vendors, number: int) -> dict[str, Any]:
    user: dict[str, Any] = vendors.dump("zendesk")["users"][str(900_000_000_000 + number)]
    return user


ZENDESK_PHONE = ZendeskBench.map.replace(
    "name: {category: name}", "name: {category: name}\n      phone: {category: contact}"
)


def test_what_is_to_stand_nowhere_is_emptied_and_stays_so_for_the_next_look(vendors: Vendors) -> None:
    desk = Desk(vendors, "zendesk", ZENDESK_PHONE, dict(ZendeskBench.secrets))
    before = zendesk_user(vendors, 3)
    call = desk.call(email_of(vendors, 3), corrections=(said("users", name="Anna Quartz", phone=None),))

    once = desk.connector.rectify(call)
    again = desk.connector.rectify(call)

    changed = {name: value for name, value in zendesk_user(vendors, 3).items() if before[name] != value}
    assert (changed["name"], changed["phone"]) == ("Anna Quartz", "")
    assert changed.keys() <= {"name", "phone", "updated_at"}
    assert [(t.found, t.rectified) for t in (once, again)] == [(1, 1), (1, 0)]
    assert desk.worked("user.update") == 1
    desk.connector.close()


def test_REC_01_a_row_that_the_vendor_shows_and_will_not_write_is_not_called_corrected(zendesk: Desk) -> None:
    """Somebody in Zendesk's bin is found there, and a change of them is answered with 404."""
    url = f"{zendesk.vendors.url('zendesk')}/api/v2/users/{900_000_000_003}"
    for ticket in [
        t for t in zendesk.vendors.dump("zendesk")["tickets"].values() if t["requester_id"] == 900_000_000_003
    ]:
        path = f"{zendesk.vendors.url('zendesk')}/api/v2/tickets/{ticket['id']}"
        assert httpx2.delete(path, auth=("agent@shop.example/token", "zendesk-token")).status_code == 204
    email = email_of(zendesk.vendors, 3)
    assert httpx2.delete(url, auth=("agent@shop.example/token", "zendesk-token")).status_code == 200

    with pytest.raises(NeedsHuman) as caught:
        zendesk.connector.rectify(zendesk.call(email, corrections=(said("users", name="Anna Quartz"),)))

    assert (caught.value.code, caught.value.about) == (Code.REFUSED, "users.name")
    assert caught.value.tally is not None
    assert caught.value.tally.rectified == 0


def test_REC_01_an_address_is_corrected_and_the_person_known_by_it(stripe: Desk) -> None:
    kind, email = email_of(stripe.vendors, 3)
    learnt = list[Identity]()
    one = said("customers", email="anna.quartz@example.org")

    tally = stripe.connector.rectify(stripe.call((kind, email), corrections=(one,), learn=learnt.extend))

    held = [c for c in stripe.vendors.dump("stripe")["customers"].values() if c["email"] == "anna.quartz@example.org"]
    assert (tally.rectified, len(held)) == (1, 1)
    assert Identity("email", "anna.quartz@example.org") in learnt
    again = stripe.connector.rectify(stripe.call((kind, email), corrections=(one,)))
    assert (again.found, again.rectified, stripe.worked("customers.update")) == (1, 0, 1)


def test_a_write_that_is_tried_again_goes_by_the_same_key_and_another_by_another(stripe: Desk) -> None:
    who = email_of(stripe.vendors, 3)
    call = stripe.call(who, corrections=(said("customers", name="Anna Quartz"),))
    stripe.vendors.fault("stripe", "error", "customers.update", times=2)

    for _ in range(2):
        with pytest.raises(Retryable):
            stripe.connector.rectify(call)
    assert stripe.connector.rectify(call).rectified == 1
    other = stripe.call(who, corrections=(said("customers", name="Anna Quarz"),))
    assert stripe.connector.rectify(other).rectified == 1

    asked = stripe.vendors.traffic("stripe", "customers.update")
    keys = [one["headers"]["idempotency-key"] for one in asked]
    assert (len(keys), len(set(keys)), len(set(keys[:3]))) == (4, 2, 1)


@pytest.mark.parametrize("option", ["timeout", "grace"])
def test_a_limit_that_is_no_time_is_refused_by_name(vendors: Vendors, option: str) -> None:
    with pytest.raises(ValueError, match=f"options: {option}: write a time as"):
        Desk(vendors, "amplitude", AmplitudeBench.map, dict(AmplitudeBench.secrets), **{option: 5})


def test_a_wrong_environment_stops_an_erasure(mailchimp: Desk) -> None:
    call = replace(mailchimp.call(email_of(mailchimp.vendors, 3)), environment="production")

    with pytest.raises(ConnectorError) as caught:
        mailchimp.connector.erase(call)

    assert caught.value.code is Code.ENVIRONMENT
    assert mailchimp.worked("member.delete") == 0
