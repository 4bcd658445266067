"""Letters: each says what it must in every language and form, and nothing that is put into one changes what it is."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from html.parser import HTMLParser
from importlib import resources
from io import BytesIO
from typing import Any

import pypdfium2
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from activities.catalogue import NoWords, catalogue
from activities.letters import LetterIncomplete, LetterRefused, Rendered, render
from activities.specimen import REFERENCE, specimen
from rights.audience import Answered, State
from rights.decision import article
from rights.holdlaw import ground_of
from rights.holds import Reason
from rights.letterkinds import LetterKind, Result
from rights.letterlaw import lacking, letter_law, results_of, sayings
from rights.letters import LANGUAGES, Authority, Language, LetterFacts, Links, Office, Party
from rights.ownlaw import adopt, read_own_law
from rights.receipt import Kept
from rights.regimes import SHIPPED
from rights.request import Right
from tests.activities.accessible import faults
from tests.rights.ownlaw import CODE, LAW

OFFICE = Office(
    controller="Beispiel & Söhne GmbH",
    address=("Große Straße 1", "12345 Köln"),
    dpo="dpo@beispiel.example, +49 30 4711",
    appeals="appeals@beispiel.example",
    opt_out="https://beispiel.example/opt-out",
    automated_decisions="We make none.",
    authorities={name: Authority(name="Die Aufsicht", contact="aufsicht@example.org") for name in SHIPPED},
)
KINDS = [(kind, result) for kind in LetterKind for result in results_of(kind)]
HOSTILE = "\r\n".join(
    (
        "<script>alert(1)</script> {{7*7}} {% raw %} </bdi>",
        "Bcc: quill@example.org",
        "",
        "## You have won",
        "- \u202eevil\x1b[m",
    )
)
ARABIC, HEBREW = "محمد بن علي", "שלום כהן"
ISOLATES = ("\u2068", "\u2069")
TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067")


def facts(kind: LetterKind, result: Result | None = None, law: str = "eu-gdpr", **more: Any) -> LetterFacts:
    return specimen(kind, law, result=result).model_copy(update=more)


def paper(letter: Rendered) -> str:
    """What an independent reader finds on the pages."""
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(letter.pdf)).pages)


def squeezed(text: str) -> str:
    return "".join(text.split())


class Tags(HTMLParser):
    """The tags and attributes of a page, and what it shows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.shown = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown += data


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "result"), KINDS)
def test_every_letter_is_whole_in_every_language_and_form(
    kind: LetterKind, result: Result | None, language: Language
) -> None:
    for child in (False, True) if kind.to_person else (False,):
        letter = render(facts(kind, result, language=language, child=child), OFFICE)
        page = Tags(letter.html)
        for text in (letter.text, page.shown):
            for told in (REFERENCE, OFFICE.dpo, OFFICE.controller, str(2026)):
                assert squeezed(told) in squeezed(text)
            assert "None" not in text
            assert "{{" not in text
        assert ("html", (("lang", language), ("dir", "ltr"))) in page.tags
        assert not {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "form", "object"}
        assert faults(letter.html, language) == []  # COM-07: it can be read out
        assert REFERENCE in letter.subject
        assert "\n" not in letter.subject


@pytest.mark.parametrize(
    ("kind", "all_of_it"),
    [
        (LetterKind.ANSWER_OBJECTION, "We no longer use your data"),
        (LetterKind.ANSWER_OPT_OUT, "request is honored"),
        (LetterKind.ANSWER_CONSENT_WITHDRAWAL, "We no longer do what we did"),
    ],
)
def test_what_was_stopped_in_part_is_not_said_to_be_stopped(kind: LetterKind, all_of_it: str) -> None:
    assert all_of_it in render(facts(kind, Result.DONE), OFFICE).text
    assert all_of_it not in render(facts(kind, Result.IN_PART), OFFICE).text


def test_catalogues_have_the_same_texts_in_every_language() -> None:
    def shape(node: Any) -> Any:
        return {k: shape(v) for k, v in node.items()} if isinstance(node, dict) and "plain" not in node else "text"

    english = catalogue("en")
    for language in LANGUAGES:
        other = catalogue(language)
        assert shape(other.words) == shape(english.words), language
        assert set(other.elements) == set(english.elements) == set(letter_law().elements), language
        for name, words in english.elements.items():
            child, theirs = isinstance(words, dict) and "child" in words, other.elements[name]
            assert not child or (isinstance(theirs, dict) and "child" in theirs), (language, name)
        assert set(other.words["subjects"]) == set(LetterKind)
        assert set(other.words["rights"]) == set(Right)


def test_texts_of_one_language_are_not_left_in_another() -> None:
    """No sentence of a catalogue is word for word that of another, but names, codes and what is put in."""
    for name, english in catalogue("en").elements.items():
        for language in LANGUAGES[1:]:
            here = catalogue(language).elements[name]
            if name != "statement":
                assert here != english, (language, name)


@pytest.mark.parametrize(
    ("language", "formal"),
    [
        ("de", r"(?<![.!?:] )\bSie\b|\b(Ihr|Ihre[mnrs]?|Ihnen)\b"),
        ("fr", r"\b(votre|vos)\b"),
        ("es", r"\b(usted|su solicitud|sus datos)\b"),
    ],
)
def test_a_letter_to_a_child_speaks_to_a_child(language: Language, formal: str) -> None:
    """COM-07, GDPR Art. 12(1): another text, in simple words, that says as much."""
    for kind, result in KINDS:
        if kind.to_person:
            plain = render(facts(kind, result, language=language), OFFICE)
            child = render(facts(kind, result, language=language, child=True), OFFICE)
            body = " ".join(child.text.split(child.document.heading, 1)[1].split())
            assert not re.search(formal, body), (kind, re.search(formal, body))
            assert child.text != plain.text


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("law", ["eu-gdpr", "uk-gdpr", "us-ca-ccpa", "us-va", "ca-qc"])
def test_a_letter_that_lacks_what_it_must_say_is_not_written(law: str, right: Right) -> None:
    """Each need of each element that a letter must say is taken away, one by one: no letter, and the need is named."""
    emptied: dict[str, Any] = {"recipients": None, "due": None, "systems": ()}
    for kind, result in KINDS:
        whole = specimen(kind, law, right=right, result=result)
        for saying in sayings(kind, law, right, result):
            for need in letter_law().elements[saying.element].needs if saying.must else ():
                less, office = whole, OFFICE
                if need.startswith("office."):
                    office = OFFICE.model_copy(update={need.removeprefix("office."): " "})
                elif need == "authority":
                    office = OFFICE.model_copy(update={"authorities": {}})
                elif need == "why":
                    less = whole.model_copy(update={"reason": " ", "ground": None})
                elif need == "why_in_part":
                    kept = tuple(one.model_copy(update={"kept": ()}) for one in whole.systems)
                    less = whole.model_copy(update={"reason": None, "systems": kept})
                elif need == "way_to_stop":
                    links = whole.links.model_copy(update={"stop": None})
                    less = whole.model_copy(update={"links": links, "stop_token": None})
                elif need.startswith("links."):
                    links = whole.links.model_copy(update={need.removeprefix("links."): None})
                    less = whole.model_copy(update={"links": links})
                else:
                    empty = () if isinstance(getattr(whole, need), tuple) and need != "recipients" else None
                    less = whole.model_copy(update={need: emptied.get(need, empty)})
                with pytest.raises(LetterIncomplete) as missing:
                    render(less, office)
                assert need in {n for needs in missing.value.missing.values() for n in needs}, (kind, need)


@pytest.mark.parametrize("name", sorted(letter_law().elements))
def test_an_element_prints_nothing_but_what_it_needs(name: str) -> None:
    """With its needs and nothing else there it is written, and no hole is in it."""
    whole = specimen(LetterKind.ANSWER_RESTRICTION, "ca-qc", result=Result.IN_PART)
    needs = letter_law().elements[name].needs
    empty = LetterFacts(kind=whole.kind, reference=REFERENCE, regime="eu-gdpr", written_on=date(2026, 11, 26))
    known = {need.partition(".")[0] for need in needs} | ({"reason"} if {"why", "why_in_part"} & set(needs) else set())
    known |= {"links"} if "way_to_stop" in needs else set()
    bare = empty.model_copy(update={n: getattr(whole, n) for n in known & set(LetterFacts.model_fields)})
    assert lacking(name, bare, OFFICE) == []
    for language in LANGUAGES:
        for child in (False, True):
            said = _element(catalogue(language, child), name, bare)
            assert said.strip()
            assert "None" not in said


def _element(words: Any, name: str, bare: LetterFacts) -> str:
    from activities.letters import _values, _words

    _words(bare)
    words.add_filter("standing", lambda _, told: told.system)
    said: str = words.element(name, _values(bare, OFFICE) | {"catalogue": words})
    return said


@cache
def _calm(kind: LetterKind, result: Result | None) -> list[tuple[str, Any]]:
    return Tags(render(facts(kind, result, to=Party(name="Anna")), OFFICE).html).tags


@given(name=st.text(min_size=1, max_size=60) | st.sampled_from([HOSTILE, ARABIC, HEBREW]))
@settings(max_examples=30, deadline=None)
def test_no_name_changes_what_a_letter_is(name: str) -> None:
    letter = render(facts(LetterKind.REFUSAL, to=Party(name=name), reason=name + "."), OFFICE)
    page = Tags(letter.html)
    tags, calm = page.tags, _calm(LetterKind.REFUSAL, None)
    assert [one for one in tags if one[0] not in {"bdi", "p"}] == [one for one in calm if one[0] not in {"bdi", "p"}]
    assert letter.subject == render(facts(LetterKind.REFUSAL), OFFICE).subject
    for text in (letter.text, page.shown):
        assert not [c for c in text if c in TURNING or (ord(c) < 32 and c != "\n") or 0xD800 <= ord(c) < 0xE004]
        assert text.count(ISOLATES[0]) == text.count(ISOLATES[1])
    assert all(line.strip() != "- evil" for line in letter.text.splitlines())


def test_hostile_values_are_inert_and_still_there_in_all_three_forms() -> None:
    letter = render(facts(LetterKind.REFUSAL, to=Party(name=HOSTILE, address=(HOSTILE,))), OFFICE)
    for text in (letter.text, Tags(letter.html).shown, paper(letter)):
        assert "<script>alert(1)</script>" in text
        assert "{{7*7}}" in text
        assert "49" not in text.replace("+49", "")
    salutation = next(line for line in letter.text.splitlines() if line.startswith("Dear"))
    assert "Bcc" not in letter.subject
    assert salutation.startswith("Dear <script>")
    assert not re.search(r"^## |^Bcc:", letter.text, re.M)


@pytest.mark.parametrize("field", ["controller", "address", "dpo"])
def test_settings_are_as_inert_as_names(field: str) -> None:
    value = (HOSTILE,) if field == "address" else HOSTILE
    letter = render(facts(LetterKind.REFUSAL), OFFICE.model_copy(update={field: value}))
    assert "script" not in {tag for tag, _ in Tags(letter.html).tags}
    assert "{{7*7}}" in letter.text


def test_right_to_left_names_and_10_kb_fields_keep_to_the_page() -> None:
    """A4, margins kept on every page, and all of it on the paper."""
    long, wide = "Wort " * 300, "W" * 10_000
    letter = render(
        facts(
            LetterKind.REFUSAL,
            to=Party(name=ARABIC, address=(HEBREW, "x" * 300)),
            reason=f"{long}\n{wide}\n{ARABIC * 50}\nend-of-it",
        ),
        OFFICE,
    )
    reader = PdfReader(BytesIO(letter.pdf))
    assert len(reader.pages) > 2
    assert {tuple(round(float(side)) for side in page.mediabox) for page in reader.pages} == {(0, 0, 595, 842)}
    text = paper(letter)
    assert text.count("Wort") == 300
    assert text.count("W") >= 10_300
    assert "end-of-it" in text
    assert f"Page 1 of {len(reader.pages)}" in text
    for page in pypdfium2.PdfDocument(letter.pdf):
        shown = page.render(scale=1).to_pil().convert("L")
        width, height = shown.size
        for beside in ((30, 0, 68, height), (width - 54, 0, width, height), (0, 0, width, 50)):
            assert shown.crop(beside).getextrema() == (255, 255), beside


def test_names_in_arabic_and_hebrew_stand_whole_in_every_form() -> None:
    letter = render(facts(LetterKind.REFUSAL, to=Party(name=ARABIC, address=(HEBREW,))), OFFICE)
    assert f"Dear {ISOLATES[0]}{ARABIC}{ISOLATES[1]}," in letter.text
    assert f"<bdi>{ARABIC}</bdi>" in letter.html
    assert letter.boxes == 0
    shown = paper(letter)
    assert ARABIC in shown
    assert HEBREW in shown


def test_what_no_font_has_is_a_box_on_paper_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """And nothing that sets the letter says in a log which characters it has."""
    caplog.set_level("DEBUG")
    letter = render(facts(LetterKind.REFUSAL, to=Party(name="山田太郎")), OFFICE)
    assert "山田太郎" in letter.text
    assert letter.boxes == 8
    assert "\u25a1" * 4 in paper(letter)
    assert [record.message for record in caplog.records] == []


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ["29 November 2026, 10:30 (Europe/Berlin)", "2 November 2026", "Stop the erasure"]),
        ("de", ["29. November 2026, 10:30 Uhr (Europe/Berlin)", "2. November 2026", "Löschung anhalten"]),
        ("fr", ["29 novembre 2026, 10:30 (Europe/Berlin)", "2 novembre 2026", "Arrêter l'effacement"]),
        ("es", ["29 de noviembre de 2026, 10:30 (Europe/Berlin)", "2 de noviembre de 2026", "Detener la supresión"]),
    ],
)
def test_a_cooling_off_notice_says_until_when_and_where_to_stop(language: Language, told: list[str]) -> None:
    letter = render(facts(LetterKind.COOLING_OFF_NOTICE, language=language), OFFICE)
    for text in (letter.text, paper(letter)):
        for one in told:
            assert squeezed(one) in squeezed(text)
        assert "https://example.com/stop" in squeezed(text)
    assert ("a", (("href", "https://example.com/stop"),)) in Tags(letter.html).tags


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("child", [False, True])
def test_a_cooling_off_notice_without_a_page_says_the_code_that_stops_it(language: Language, child: bool) -> None:
    told = facts(LetterKind.COOLING_OFF_NOTICE, language=language, child=child)
    without = told.model_copy(update={"links": Links(), "stop_token": "01arz.Stop-Me_1"})
    assert "01arz.Stop-Me_1" in render(without, OFFICE).text
    with pytest.raises(LetterIncomplete):
        render(without.model_copy(update={"stop_token": None}), OFFICE)


def test_a_partial_erasure_says_what_stays_on_which_ground_until_when_and_what_backups_hold() -> None:
    text = squeezed(render(facts(LetterKind.ANSWER_ERASURE, Result.IN_PART), OFFICE).text)
    for told in ("2 records kept until 31 December 2033: § 257 HGB: invoices", "12 records erased",
                 "out of backups after 31 December 2026", "not restored without erasing again",
                 "You can complain to: Die Aufsicht", "You can also go to court", "has taken the work on"):  # fmt: skip
        assert squeezed(told) in text


def test_nothing_is_called_erased_that_is_not() -> None:
    """ERA-08: with nothing done the letter says so, whatever its title."""
    whole = facts(LetterKind.ANSWER_ERASURE, Result.IN_PART)
    none = tuple(one.model_copy(update={"erased": 0, "backups": None}) for one in whole.systems)
    text = render(whole.model_copy(update={"systems": none}), OFFICE).text
    assert "We have not done what you asked for" in text
    assert "We have erased" not in text


def test_every_code_that_the_law_files_know_has_words_in_every_language() -> None:
    """Grounds of extensions, refusals and exemptions; what is withheld; how somebody is asked to prove who they are."""
    codes: dict[str, set[str]] = {"grounds": set(), "withheld": set(), "asked": set()}
    for file in (resources.files("rights") / "law").iterdir():
        if file.name in {"authorities.yaml", "restriction_uses.yaml", "rest_openings.yaml"}:
            # Of demands, and of uses of what is restricted or had to stay, which people write about.
            continue
        law = yaml.safe_load(file.read_text()) if file.name.endswith(".yaml") else {}
        for part in (law, law.get("default", {}), *dict(law.get("regimes", {})).values()):
            if isinstance(part, dict):
                for code, ground in dict(part.get("grounds", {})).items():
                    # An objection's grounds say by which code letters know them.
                    known = ground.get("letter") if file.name == "objection.yaml" else code
                    codes["grounds"] |= {known} if known else set()
        for items in (law.get("everywhere", []), *dict(law.get("regimes", {})).values()):
            codes["withheld"] |= {one["item"] for one in items if isinstance(items, list)}
        codes["asked"] |= set(law.get("rungs", {}))
    assert min(map(len, codes.values())) > 5
    for language in LANGUAGES:
        for table, wanted in codes.items():
            assert wanted <= set(catalogue(language).words[table]), (language, table)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("law", "code", "provision"),
    [("nz", "nz_53_d", "Privacy Act 2020 s. 53(d)"), ("au-app", "app_12_3_b", "APP 12.3(b)")],
)
def test_MET_05_a_refusal_under_those_laws_names_their_provision_and_says_it_in_words(
    law: str, code: str, provision: str, language: Language
) -> None:
    said = facts(LetterKind.REFUSAL, law=law, ground=code, provision=provision, language=language)
    text = " ".join(render(said, OFFICE).text.split())
    assert provision in text
    assert catalogue(language).word(code, "grounds") in text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_COM_11_a_ground_of_the_operators_own_law_is_said_in_their_words_and_these_are_no_template(
    language: Language,
) -> None:
    own = read_own_law("law.yaml", LAW)
    adopt(own)
    try:
        said = facts(LetterKind.REFUSAL, ground=CODE, provision=article(CODE), language=language)
        letter = render(said, OFFICE)
        assert own.grounds[CODE].words[language] in " ".join(letter.text.split())
        assert "Art. 99 of Law 1/2020 (Portugal)" in " ".join(letter.text.split())
        assert "<we>" not in letter.html
        with pytest.raises(LetterIncomplete, match=f"{CODE} needs words in es"):
            render(said.model_copy(update={"language": "es"}), OFFICE)
    finally:
        adopt(None)


def test_a_code_without_words_is_no_letter() -> None:
    with pytest.raises(LetterIncomplete, match=r"grounds\.of_tomorrow needs words in en"):
        render(facts(LetterKind.REFUSAL, ground="of_tomorrow"), OFFICE)
    with pytest.raises(NoWords):
        catalogue("en").word("of_tomorrow", "grounds")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_says_whether_what_stays_is_locked_away_and_until_when(language: Language) -> None:
    """ "Until then" is said of what has a day; of what has none, that it is looked at again; and that it is opened."""
    words = catalogue(language)
    ends = Kept(ground="tax law", until=date(2034, 1, 1), rows=2)
    endless = Kept(ground="GDPR Art. 17(3)(e)", rows=1)

    def says(*kept: Kept, **how: bool) -> set[str]:
        shop = Answered(system="shop", state=State.DONE, found=3, kept=kept).model_copy(update=how)
        whole = facts(LetterKind.ANSWER_ERASURE, Result.IN_PART, language=language, systems=(shop,))
        text = " ".join(render(whole, OFFICE).text.split())
        return {name for name in ("locked", "locked_asked", "opened") if str(words.say(f"states.{name}")) in text}

    assert says(ends, locked=True) == {"locked"}
    assert says(ends, endless, locked=True) == {"locked_asked"}
    assert says(endless, opened=True) == {"opened"}
    assert says(ends, endless) == set()


@pytest.mark.parametrize("field", ["reason", "statement", "provision"])
def test_a_text_that_names_a_hold_or_a_matter_does_not_leave(field: str) -> None:
    """HLD-03: that there is one is told by nobody's slip."""
    with pytest.raises(LetterRefused) as refused:
        render(facts(LetterKind.REFUSAL).model_copy(update={field: "see 01KB0000000000000000000H0D"}), OFFICE)
    assert "01kb" not in str(refused.value).lower()


@pytest.mark.parametrize("child", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_HLD_03_what_a_hold_keeps_is_told_with_its_provision_and_nothing_of_the_hold(
    language: Language, child: bool
) -> None:
    """GDPR Art. 12(4), 17(3)(e): in the letter's language, of rows that stay and of a system left alone."""
    ground = ground_of([Reason.LITIGATION], ["eu-gdpr"])
    kept = Answered(system="shop", state=State.DONE, found=4, kept=(Kept(ground=ground, rows=4),))
    stopped = Answered(system="mailer", state=State.OUTSTANDING, found=1, held=ground)
    whole = facts(LetterKind.ANSWER_ERASURE, Result.IN_PART, language=language, child=child, systems=(kept, stopped))

    text = " ".join(render(whole, OFFICE).text.split())

    assert text.count("GDPR Art. 17(3)(e)") == 2
    assert "litigation" not in text
    assert ("legal hold" in text) == (language == "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_told_that_what_stays_is_locked_away_and_nothing_where_that_is_not_known(language: Language) -> None:
    words = {"en": "locked away", "de": "gesperrt", "fr": "bloqué", "es": "bloqueado"}[language]
    kept = Answered(system="shop", state=State.DONE, found=4, kept=(Kept(ground="tax law", rows=4),))

    def text(system: Answered) -> str:
        said = facts(LetterKind.ANSWER_ERASURE, Result.IN_PART, language=language, systems=(system,))
        return render(said, OFFICE).text

    assert words in text(kept.model_copy(update={"locked": True}))
    assert words not in text(kept)


@pytest.mark.parametrize("language", LANGUAGES)
def test_REC_06_what_is_disputed_is_told_to_a_recipient_with_the_persons_words(language: Language) -> None:
    plain = facts(LetterKind.RECIPIENT_NOTICE, language=language, disputed=(), disputed_statement=None)
    noted = plain.model_copy(update={"disputed": ("address",), "disputed_statement": "I never lived there."})

    assert "I never lived there." in render(noted, OFFICE).text
    assert "- address" in render(noted, OFFICE).text
    assert len(render(plain, OFFICE).text) < len(render(noted, OFFICE).text)


def test_a_recipient_is_told_no_more_than_it_needs() -> None:
    """GDPR Art. 19, 5(1)(c): what was done, to which data, of whom; not why, and not who else has it."""
    letter = render(facts(LetterKind.RECIPIENT_NOTICE, reason="a private matter", ground="gdpr_17_1_b"), OFFICE)
    assert "anna@example.org" in letter.text
    for private in ("a private matter", "consent", "newsletter", "Example Mailer", "2 November"):
        assert private not in letter.text


def test_whose_data_it_is_is_said_where_somebody_else_gets_the_letter() -> None:
    letter = render(facts(LetterKind.REFUSAL, on_behalf_of=Party(name="Ben Berg")), OFFICE)
    assert "on behalf of Ben Berg" in letter.text


def test_a_letter_is_never_printed_by_accident() -> None:
    whole = facts(LetterKind.IDENTITY_CODE)
    for printed in (repr(whole), str(whole), repr(render(whole, OFFICE))):
        assert "4711" not in printed
        assert "Anna" not in printed
