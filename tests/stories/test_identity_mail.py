"""The ladder with real mail: codes go out by SMTP to channels on file, and whoever reads them there is proven."""

from __future__ import annotations

import re

import pytest

from tests.smtp_sink import Sink
from tests.stories.asking import DIRECTORY, Agent
from tests.world import World

SEVEN, TEXTS = "c7@shop.example", "49301000007@sms.example"


@pytest.fixture
def agent(world: World, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Agent:
    world.set_up_mail(host="localhost", port=sink.port, ca_file=str(sink.certificate))
    world.write_maps({"shop": DIRECTORY})
    made = Agent(world)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    world.start_worker()
    return made


def code_in(world: World, sink: Sink, address: str, subject: str = "code") -> str:
    """The code in the newest mail to an address that brings one."""

    def found() -> list[str]:
        mails = [taken.mail for taken in sink.to(address) if subject in taken.mail["Subject"].lower()]
        texts = [mail.get_body(("plain",)).get_content() for mail in mails]  # type: ignore[union-attr]
        return [match[0] for text in texts if (match := re.search(r"\b\d{6,8}\b", text))]

    world.wait(lambda: found(), 30, f"a mail to {address}")
    return found()[-1]


@pytest.mark.soak
def test_codes_by_mail_to_two_channels_on_file_prove_the_asker(world: World, sink: Sink, agent: Agent) -> None:
    request = agent.open("access", email=SEVEN)
    agent.send(request, "--to", "file")
    agent.read_back(request, code_in(world, sink, SEVEN), proven=False)
    agent.send(request, "--to", "another")
    agent.read_back(request, code_in(world, sink, TEXTS), proven=True)

    world.wait_closed(request)
    assert world.conclusion(request) == "answered"
    assert all(taken.encrypted for taken in sink.taken)
    assert {address for taken in sink.taken for address in taken.to} <= {SEVEN, TEXTS}
    assert SEVEN not in world.log


@pytest.mark.soak
def test_an_unknown_address_is_told_that_nothing_is_held_and_nobody_else_gets_anything(
    world: World, sink: Sink, agent: Agent
) -> None:
    stranger = "stranger@example.org"
    request = agent.open("access", email=stranger)
    agent.send(request, "--to", "file")
    agent.send(request, "--to", "given")
    agent.read_back(request, code_in(world, sink, stranger), proven=False)
    world.wait_closed(request)

    assert world.conclusion(request) == "nothing_held"
    assert {address for taken in sink.taken for address in taken.to} == {stranger}
