"""What is made to go wrong goes wrong as asked, as often as asked, and the record says what was done."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from starter.stack import StackError, Vendors
from starter.stack.vendors.seeding import stripe_id
from tests.fakes.clients import member

MEMBER = f"/3.0/lists/a1b2c3d4e5/members/{member('clara.adler@example.org')}"
ERASE = f"{MEMBER}/actions/delete-permanent"


def there(vendors: Vendors) -> bool:
    return member("clara.adler@example.org") in vendors.dump("mailchimp")["members"]["a1b2c3d4e5"]


def worked(vendors: Vendors) -> list[bool]:
    return [one["worked"] for one in vendors.traffic("mailchimp", "member.delete")]


@pytest.mark.parametrize(
    ("fault", "status", "headers"),
    [
        ({"kind": "rate_limited", "retry_after": "7"}, 429, {"retry-after": "7"}),
        ({"kind": "rate_limited", "status": 503, "retry_after": "1"}, 503, {"retry-after": "1"}),
        ({"kind": "error"}, 500, {}),
        ({"kind": "forbidden_text"}, 403, {"content-type": "text/html"}),
        ({"kind": "unauthorised"}, 401, {"content-type": "application/problem+json; charset=utf-8"}),
        ({"kind": "answer", "status": 409, "body": {"title": "Conflict"}, "headers": {"x-a": "b"}}, 409, {"x-a": "b"}),
    ],
)
def test_refused_and_nothing_done(
    vendors: Vendors, mailchimp: httpx2.Client, fault: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    vendors.fault("mailchimp", operation="member.delete", **fault)
    answer = mailchimp.post(ERASE)
    assert answer.status_code == status
    assert headers.items() <= dict(answer.headers).items()
    assert there(vendors)
    assert worked(vendors) == [False]
    assert mailchimp.post(ERASE).status_code == 204  # once only
    assert worked(vendors) == [False, True]


def test_an_error_after_the_work_is_done(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "error_after", "member.delete")
    assert mailchimp.post(ERASE).status_code == 500
    assert not there(vendors)
    assert worked(vendors) == [True]


def test_silence_after_the_work_is_done(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "timeout", "member.delete", seconds=20)
    began = time.monotonic()
    with pytest.raises(httpx2.ReadTimeout):
        mailchimp.post(ERASE, timeout=0.5)
    assert time.monotonic() - began < 5
    assert not there(vendors)
    assert worked(vendors) == [True]


def test_the_connection_is_cut_when_the_silence_ends(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "timeout", "member.delete", seconds=0.3)
    with pytest.raises(httpx2.RemoteProtocolError):
        mailchimp.post(ERASE)
    assert not there(vendors)


def test_the_connection_is_cut_before_anything_is_done(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "dropped", "member.delete")
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        mailchimp.post(ERASE)
    assert there(vendors)
    assert worked(vendors) == [False]


def test_half_of_the_answer(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "truncated", "member")
    with pytest.raises(httpx2.RemoteProtocolError):
        mailchimp.get(MEMBER)
    assert mailchimp.get(MEMBER).status_code == 200


def test_half_of_a_download(vendors: Vendors, organisation: httpx2.Client) -> None:
    body = {"userId": "2", "startDate": "2020-01-01", "endDate": "2030-01-01"}
    number = organisation.post("/api/2/dsar/requests", json=body).json()["requestId"]
    vendors.advance("P1DT1H")
    url = organisation.get(f"/api/2/dsar/requests/{number}").json()["urls"][0]
    place = organisation.get(url).headers["location"]
    vendors.fault("store", "truncated", "download")
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(place)
    vendors.fault("store", "error", "download", status=503)
    assert httpx2.get(place).status_code == 503
    vendors.fault("store", "wrong_shape", "download")
    assert httpx2.get(place).content.startswith(b"<html>")
    assert httpx2.get(place).status_code == 200


def test_late_but_right(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "slow", "member", seconds=0.6)
    began = time.monotonic()
    assert mailchimp.get(MEMBER).status_code == 200
    assert time.monotonic() - began > 0.6


def test_another_shape(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "wrong_shape", "member", times=1)
    vendors.fault("mailchimp", "wrong_shape", "member", body=["odd"])
    assert set(mailchimp.get(MEMBER).json()) >= {"x_id", "x_status"}
    assert mailchimp.get(MEMBER).json() == ["odd"]
    assert "id" in mailchimp.get(MEMBER).json()


def test_delivered_twice_is_done_twice(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "delivered_twice", "member.delete")
    assert mailchimp.post(ERASE).status_code == 404  # the answer to the second one
    assert worked(vendors) == [True, False]


def test_callbacks_are_signed_and_come_once_or_twice(vendors: Vendors, stripe: httpx2.Client) -> None:
    taken: list[dict[str, Any]] = []
    secret = vendors.credentials()["stripe"]["callback_secret"].encode()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            at, _, signature = self.headers["stripe-signature"].removeprefix("t=").partition(",v1=")
            assert hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest() == signature
            first = not taken
            # Before the answer: with it the next one is on its way.
            taken.append(json.loads(body))
            self.send_response(503 if first else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        vendors.call_back(stripe=f"http://127.0.0.1:{server.server_port}/hook")
        vendors.fault("stripe", "callback_twice", "callback", skip=1)
        form = {"objects[customers][]": stripe_id("2")}
        job = stripe.post("/v1/privacy/redaction_jobs", data=form).json()["id"]
        vendors.advance("PT1M")
        deadline = time.monotonic() + 60
        while len(taken) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        vendors.call_back()
        server.shutdown()
    kinds = [one["type"].removeprefix("privacy.redaction_job.") for one in taken]
    # The first was refused once and so sent again; the second is the fault.
    assert kinds in (["created", "created", "created", "ready"], ["created", "created", "ready", "ready"])
    assert {one["data"]["object"]["id"] for one in taken} == {job}
    assert len({one["id"] for one in taken}) == 2


def test_faults_come_in_order_and_number(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "error", "member", times=2, skip=1)
    vendors.fault("mailchimp", "rate_limited", "*")
    # The first is to skip one answer, and the second takes that one.
    assert [mailchimp.get(MEMBER).status_code for _ in range(5)] == [429, 500, 500, 200, 200]


def test_a_fault_is_for_its_own_operation(vendors: Vendors, mailchimp: httpx2.Client, stripe: httpx2.Client) -> None:
    vendors.fault("mailchimp", "error", "lists")
    assert mailchimp.get(MEMBER).status_code == 200
    assert stripe.get("/v1/customers").status_code == 200
    assert mailchimp.get("/3.0/lists").status_code == 500


def test_faults_can_be_called_off(vendors: Vendors, mailchimp: httpx2.Client) -> None:
    vendors.fault("mailchimp", "error", times=9)
    vendors.clear_faults()
    assert mailchimp.get(MEMBER).status_code == 200


def test_a_fault_that_is_none_is_refused(vendors: Vendors) -> None:
    with pytest.raises(StackError, match="refused"):
        vendors.fault("mailchimp", "explode")
    with pytest.raises(StackError, match="refused"):
        vendors.fault("mailchimp", "error", tmies=2)
