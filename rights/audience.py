"""What each reader may be told.

The one rule: a value of a person reaches an agent only masked, and nobody else at all.
"""


def mask(value: object) -> str:
    """Show enough of a value to tell candidates apart, never enough to learn it.

    The first character of each word stays, and a number or date keeps its first two: ``Anna Berg`` -> ``A··· B···``,
    ``anna@example.org`` -> ``a···@e···``, ``1984-02-01`` -> ``19······``. Of what is so short, or has so few values,
    that this would tell it, nothing stays.
    """
    if value is None:
        return "(empty)"
    text = str(value).strip()
    if not text:
        return "(empty)"
    if isinstance(value, bool):
        return "···"
    if text[0].isdigit() or text[0] in "+-":
        return (text[:2] if len(text) > 4 else "") + "······"
    if "@" in text:
        local, _, domain = text.partition("@")
        return f"{local[:1]}···@{domain[:1]}···"
    return " ".join((word[:1] if len(word) > 1 else "") + "···" for word in text.split()[:4])
