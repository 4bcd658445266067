"""Letters at the command line: looked at before anybody gets one, and what a deployment still has to say for them."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from rights.letterkinds import LetterKind
from tests.starter.conftest import Deployment, one_sentence

OFFICE = {
    "controller": "Beispiel GmbH",
    "dpo": "dpo@beispiel.example",
    "automated_decisions": "None.",
    "authorities": {"eu-gdpr": {"name": "Die Aufsicht", "contact": "aufsicht@example.org"}},
}


@pytest.fixture
def office(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.setenv("HABEAS_LETTERS", json.dumps(OFFICE))
    return deployment


def test_a_new_deployment_is_told_what_letters_need_with_an_example_that_can_be_pasted(deployment: Deployment) -> None:
    lacking = deployment("letter", "check", "--json")

    assert lacking.code == 1
    assert lacking.json["written"] == 0
    missing = {one["setting"]: one for one in lacking.json["missing"]}
    assert set(missing) >= {"letters.controller", "letters.dpo", "letters.authorities", "letters.automated_decisions"}
    assert set(missing["letters.dpo"]["letters"]) == set(LetterKind)

    examples = [one["example"].removeprefix("[letters]\n") for one in lacking.json["missing"]]
    toml = "\n".join(["[letters]", *sorted(examples, key=lambda text: text.startswith("["))])
    file = deployment.home / "habeas.toml"
    file.write_text(f"{file.read_text()}\n{toml}\n")
    whole = deployment("letter", "check", "--json")
    assert (whole.code, whole.json["ok"], whole.json["missing"]) == (0, True, [])
    assert whole.json["written"] > 300
    checks = {one["name"]: one for one in deployment("config", "check", "--json").json["checks"]}
    assert checks["letters"]["advice"] == ""


def test_config_check_names_missing_letters_as_a_warning(deployment: Deployment) -> None:
    checks = {one["name"]: one for one in deployment("config", "check", "--json").json["checks"]}
    assert checks["letters"]["severity"] == "warning"
    assert "letters.dpo" in checks["letters"]["about"]
    assert "habeas letter check" in checks["letters"]["advice"]


def test_other_laws_ask_for_other_settings(office: Deployment) -> None:
    assert office("letter", "check").code == 0
    virginia = office("letter", "check", "--regime", "us-va", "--json")
    assert {one["setting"] for one in virginia.json["missing"]} == {"letters.appeals", "letters.authorities"}
    california = office("letter", "check", "--regime", "us-ca-ccpa", "--json")
    assert "letters.opt_out" in {one["setting"] for one in california.json["missing"]}


def test_a_specimen_is_printed_in_the_language_asked_for(office: Deployment) -> None:
    german = office("letter", "preview", "refusal", "--language", "de").out
    assert german.startswith("Subject: Unsere Antwort")
    assert "Die Aufsicht, aufsicht@example.org" in german
    assert "dpo@beispiel.example" in german
    child = office("letter", "preview", "refusal", "--language", "de", "--child").out
    assert "Hallo Anna Berg" in child
    assert office("letter", "preview", "refusal", "--format", "html").out.startswith("<!doctype html>")


def test_a_letter_on_paper_goes_to_a_file_that_only_its_owner_reads(office: Deployment) -> None:
    no_file = office("letter", "preview", "refusal", "--format", "pdf")
    assert (no_file.code, no_file.out) == (2, "")
    assert one_sentence(no_file.err)
    assert "--out" in no_file.err
    file = Path("refusal.pdf")
    assert office("letter", "preview", "refusal", "--format", "pdf", "--out", str(file)).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Die Aufsicht" in PdfReader(BytesIO(file.read_bytes())).pages[0].extract_text()
    file.chmod(0o644)
    assert office("letter", "preview", "refusal", "--format", "html", "--out", str(file)).code == 0
    assert (file.stat().st_mode & 0o777, file.read_bytes()[:5]) == (0o600, b"<!doc"), "nor do others read it anew"


def test_a_letter_about_a_request_lacks_its_reason_until_somebody_gives_it(office: Deployment) -> None:
    request = office.open()
    bare = office("letter", "preview", "refusal", "--request", request)
    assert bare.code == 2
    assert one_sentence(bare.err)
    assert "reason" in bare.err

    Path("said.yaml").write_text("ground: gdpr_17_3_b\nreason: |\n  We have to keep invoices.\n")
    letter = office("letter", "preview", "refusal", "--request", request, "--details", "said.yaml", "--language", "fr")
    assert letter.code == 0
    assert request in letter.out
    assert "We have to keep invoices." in letter.out
    assert "une obligation légale" in letter.out
    assert "canary" not in letter.out, "nobody has told the engine whose letter it is"
    assert "invoices" not in office.everything(), "a preview leaves nothing behind"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["preview", "refusl"], "habeas letter list"),
        (["preview", "refusal", "--language", "canary"], "en, de, fr, es"),
        (["preview", "refusal", "--format", "canary"], "text, html, pdf"),
        (["preview", "refusal", "--regime", "canary"], "habeas deadline --list"),
        (["preview", "refusal", "--right", "canary"], "access"),
        (["preview", "answer-erasure", "--result", "refused"], "in_part"),
        (["preview", "refusal", "--details", "canary.yaml", "--request", "01kb000000000000000000anna"], "habeas"),
        (["check", "--regime", "canary"], "habeas deadline --list"),
    ],
)
def test_what_cannot_stand_is_refused_in_one_sentence(office: Deployment, arguments: list[str], told: str) -> None:
    refused = office("letter", *arguments)
    assert refused.code in {2, 4}
    assert one_sentence(refused.err)
    assert told in refused.err
    assert "canary" not in refused.err


def test_a_slip_in_what_a_decision_says_is_refused_with_its_line(office: Deployment) -> None:
    request = office.open()
    Path("said.yaml").write_text("reason: fine\nresaon: canary quill\n")
    refused = office("letter", "preview", "refusal", "--request", request, "--details", "said.yaml")
    assert refused.code == 1
    assert "said.yaml:2" in refused.err
    assert "quill" not in refused.err
    assert "resaon" not in refused.err, "a key that is none may be a value that slipped"
