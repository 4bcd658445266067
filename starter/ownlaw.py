"""What to say of an operator's own grounds of law before anybody decides by them.

The one rule: what ends, or cannot be said in the language of the letters, is said while there is time to mend it.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from rights.letters import Language
from rights.ownlaw import OwnLaw
from starter.checks import Check
from starter.show import plural

_SOON = timedelta(days=60)


def findings(own: OwnLaw, day: date, language: Language | None) -> Iterator[Check]:
    """A line for the file, and one for each ground that somebody should look at; `language`: of the letters, if it is
    known."""
    about = f"{plural(len(own.grounds), 'ground')} of your own, digest {own.digest[:12]}"
    yield Check(name="own law", ok=True, about=about)
    silent = set(own.lacks_words(language)) if language else set()
    for code, ground in own.grounds.items():
        name, last = f"own law {code}", ground.limit.until
        if ground.verified.day > day:
            yield Check(
                name=name,
                ok=False,
                about=f"verified on {ground.verified.day}, which lies ahead",
                advice="write the day on which the text was read",
                severity="error",
                code="verified_ahead",
            )
        if last < day:
            about, advice = f"its last day was {last}: nothing is decided on it", "read the law again, or take it out"
            yield Check(name=name, ok=True, about=about, advice=advice, severity="warning", code="over")
        elif last <= day + _SOON:
            about, advice = f"its last day is {last}", "read the law again before that day"
            yield Check(name=name, ok=True, about=about, advice=advice, severity="note", code="soon")
        if code in silent:
            about = f"it has no words in '{language}', the language of the letters: it is not decided on"
            advice = f"add words: {{{language}: ...}}"
            yield Check(name=name, ok=True, about=about, advice=advice, severity="warning", code="no_words")
