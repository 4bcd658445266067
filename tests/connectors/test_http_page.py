"""docs/vendors.md claims of each vendor what its file does, and no more."""

import re
from pathlib import Path
from typing import Final

import pytest

from connectors.http.steps import Poll
from connectors.http.vendorfile import find_vendor, read_vendor

PAGE: Final = (Path(__file__).parents[2] / "docs" / "vendors.md").read_text()


def documented() -> dict[str, dict[str, str]]:
    """The table of docs/vendors.md: rows by vendor, cells by column."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    head, *rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    return {row[0].strip("`"): dict(zip(head, row, strict=True)) for row in rows}


@pytest.mark.parametrize("vendor", sorted(documented()))
def test_the_page_claims_what_the_file_does(vendor: str) -> None:
    file, claims = read_vendor(vendor, find_vendor(vendor).read_text()), documented()[vendor]
    erases = [spec.erase for spec in file.collections.values() if spec.erase]

    for what in ("restrict", "suppress", "rectify", "export"):
        offered = what == "export" or any(getattr(spec, what) for spec in file.collections.values())
        assert (claims[what] != "–") is (offered and what not in file.unsupported), what
        assert (claims[what] == "–") is bool(file.unsupported.get(what)), "and a reason is given"
    written = {field for spec in file.collections.values() if spec.rectify for field in spec.rectify.fields}
    assert set(re.findall(r"`(\w+)`", claims["rectify"])) == written
    assert ("events" in claims["export"]) is any(spec.export for spec in file.collections.values())
    assert ("redacted" in claims["erased"]) is any(erase.leaves == "redacted" for erase in erases)
    waits = any(isinstance(step, Poll) for erase in erases for step in erase.steps)
    terms = [f"{erase.term.days} days" for erase in erases if erase.term]
    assert ("`" in claims["done when"], claims["done when"] == "at once") == (waits, not waits and not terms)
    assert all(term in claims["done when"] for term in terms)
    blind = any(spec.blind for spec in file.collections.values())
    verified = all(spec.verified for spec in file.collections.values()) and not blind
    assert claims["receipt"] == ("verified" if verified else "attested" if terms else "completed")
    assert (claims["found by"] == "nobody can be looked up") is blind


def test_the_page_names_every_limit_that_is_counted() -> None:
    for vendor in documented():
        part = PAGE[PAGE.index(f"(`{vendor}`)") :].partition("\n## ")[0]
        file = read_vendor(vendor, find_vendor(vendor).read_text())
        for name, limit in file.limits.items():
            if (vendor, name) == ("amplitude", "deletions"):
                assert "one call a second" in part
            elif name != "dsar":  # no request comes near it
                assert re.search(rf"\b{limit.most}\b", part), (vendor, name)
