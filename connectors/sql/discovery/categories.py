"""What kind of personal data a column holds, by its name, its type and its comment.

The one rule: a guess says why it was made. Categories are the keys of the Fides taxonomy (fideslang, CC-BY 4.0,
https://github.com/ethyca/fideslang); names are read in English, German and French.
"""

import re
from dataclasses import dataclass
from typing import Final

from connectors.sql.discovery.words import words


@dataclass(frozen=True, slots=True)
class Guess:
    """A category, and why."""

    category: str
    reason: str


EMAIL: Final = "user.contact.email"
PHONE: Final = "user.contact.phone_number"
NAME: Final = "user.name"
PASSWORD: Final = "user.authorization.password"  # noqa: S105 - a category's key
CREDENTIALS: Final = "user.authorization.credentials"
FREE_TEXT: Final = "user.content"
PERSON: Final = "user"
"""Nothing closer is known: text in a row that stands for a person."""
SECRETS: Final = frozenset({PASSWORD, CREDENTIALS})
"""Never given out in a parcel."""

# By the words of a name, joined by `_`; the first that fits counts. `\b` of a name is a `_` or an end.
_NAMES: Final[tuple[tuple[str, str], ...]] = (
    (PASSWORD, r"password|passwd|pwd|passwort|kennwort|mot_de_passe|passphrase|pass_hash"),
    (
        CREDENTIALS,
        r"(api|access|refresh|auth|reset|session|remember|otp|totp|mfa)_(token|secret|key|code)|secret|salt|pin|token",
    ),
    (EMAIL, r"e?_?mail|email|e_mail|mail_?(address|adresse)|courriel|email_address"),
    ("user.contact.fax_number", r"fax|telefax|telecopie"),
    (PHONE, r"phone|telephone|mobile|cell|telefon|handy|mobil|tel|portable|rufnummer|phone_number|msisdn|whatsapp"),
    ("user.demographic.date_of_birth", r"birth|birthday|dob|date_of_birth|geburt|geburtsdatum|geburtstag|naissance"),
    ("user.financial.bank_account", r"iban|bic|swift|bank_?account|konto_?(nummer|nr)|kontonummer|account_number|rib"),
    (
        "user.financial.credit_card",
        r"(credit_|debit_)?card_?(number|no|last|expiry|holder)\w*|credit_card|cc_?(number|num)|kreditkarte\w*|pan",
    ),
    (
        "user.government_id.national_identification_number",
        r"ssn|social_security\w*|national_?(id|insurance)\w*|tax_?(id|number)|steuer_?(id|nummer|nr)|steuernummer"
        r"|sozialversicherung\w*|personalausweis\w*|numero_securite_sociale|insee|nir|tin",
    ),
    ("user.government_id.passport_number", r"passport\w*|reisepass\w*|passeport"),
    ("user.government_id.drivers_license_number", r"driver_?s?_licen[cs]e\w*|fuehrerschein\w*|permis_de_conduire"),
    ("user.government_id.vehicle_registration", r"licen[cs]e_plate|number_plate|kennzeichen|kfz_kennzeichen"),
    ("user.health_and_medical.insurance_beneficiary_id", r"insurance_?(number|no|id)|versicherten_?nummer"),
    (
        "user.health_and_medical",
        r"diagnos\w*|allerg\w*|medication|blood_?(type|group)|disability|krankheit\w*|blutgruppe|maladie|icd|symptoms?",
    ),
    ("user.demographic.gender", r"gender|sex|geschlecht|anrede|salutation|civilite|sexe|title_of_courtesy"),
    ("user.demographic.marital_status", r"marital\w*|familienstand|etat_civil"),
    ("user.demographic.religious_belief", r"religi\w*|konfession|confession"),
    ("user.demographic.race_ethnicity", r"race|ethnic\w*|herkunft"),
    ("user.demographic.political_opinion", r"political\w*|political_party"),
    ("user.demographic.sexual_orientation", r"sexual_orientation"),
    ("user.demographic.language", r"locale|preferred_language|sprache|langue"),
    ("user.criminal_history", r"criminal\w*|convictions?|vorstrafen"),
    (
        "user.name.first",
        r"first_?name|firstname|fname|given_?name|forename|vorname|prenom|middle_?name|middle_?initial",
    ),
    (
        "user.name.last",
        r"last_?name|lastname|lname|surname|family_?name|nachname|familienname|nom_de_famille|maiden_name",
    ),
    (
        "user.account.username",
        r"user_?name|username|login|nick_?name|screen_name|handle|benutzername|login_name|identifiant|display_name",
    ),
    (
        NAME,
        r"(full|real|contact|person|legal|holder|cardholder|billing|shipping|ship|recipient|sender|customer|client|guest"
        r"|patient|author|employee|owner|member|kunden)_?name|fullname|ansprechpartner|nom|name_on_card|initials",
    ),
    (
        "user.contact.address.postal_code",
        r"post_?code|postal_?code|postalcode|zip|zip_?code|plz|postleitzahl|code_postal",
    ),
    (
        "user.contact.address.street",
        r"street|address|addr|address_?line|strasse|hausnummer|anschrift|adresse|rue|house_?(number|no)|district|street_\w+",
    ),
    ("user.contact.address.city", r"city|town|ort|wohnort|stadt|ville"),
    (
        "user.contact.address.state",
        r"((billing|shipping|ship|delivery|home|address|mailing)_)?(state|province|region|bundesland|canton|kanton)",
    ),
    ("user.contact.address.country", r"country|land|pays|country_?code|nationality|staatsangehoerigkeit"),
    ("user.device.ip_address", r"ip|ip_?addr(ess)?|remote_addr|client_ip|last_ip|inet|adresse_ip"),
    ("user.device.cookie_id", r"cookie|cookie_id"),
    ("user.device.device_id", r"device_?id|idfa|gaid|imei|mac_address|fingerprint|push_token|advertising_id"),
    ("user.device", r"user_agent|browser|device|useragent"),
    ("user.location.precise", r"lat|latitude|lng|lon|longitude|geo|gps|geolocation|coordinates|standort|geo_?point"),
    ("user.content.self_image", r"photo|picture|avatar|portrait|profile_image|photo_path|foto|bild|selfie"),
    ("user.contact.url", r"website|homepage|linkedin|twitter|facebook|instagram|profile_url|home_page"),
    ("user.job_title", r"job_title|position|occupation|profession|beruf|contact_title"),
    (
        "user.contact.organization",
        r"company|company_name|employer|firma|organi[sz]ation|arbeitgeber|societe|entreprise",
    ),
    ("user.financial", r"salary|income|gehalt|einkommen|lohn|salaire|wage|credit_limit|revenu"),
    ("user.behavior.search_history", r"search_?(term|query|history)"),
    ("user.behavior.browsing_history", r"referr?er|page_?url|visited|landing_page"),
    (
        "user.privacy_preferences",
        r"(marketing_|newsletter_|email_)?(opt_?(in|out)|consent)|subscribed|einwilligung|optin",
    ),
    (
        FREE_TEXT,
        r"notes?|comments?|remarks?|message|body|bio|biography|about|feedback|description|free_?text|bemerkung(en)?"
        r"|notiz(en)?|nachricht|kommentar|beschreibung|commentaire|remarque|subject|gift_message|text|content|memo",
    ),
)
_RULES: Final = tuple((key, re.compile(rf"(?:^|_)(?:{names})(?:_|$)")) for key, names in _NAMES)
_ALONE: Final = frozenset({"token", "pin", "tel", "ip", "nom", "pan", "land", "ort", "race", "sex", "state", "region"})
"""Words that say something only where they are the whole name: `tax_region`, `ip_count` are nobody's."""
_NOT: Final = re.compile(
    r"(?:^|_)(?:count|counter|verified|confirmed|enabled|is|has|can|sent|type|status|flag|hash_algo|template|sent_at"
    r"|verified_at|confirmed_at|changed_at|expires|expires_at|attempts|update|updated|created|deleted)(?:_|$)"
)
"""About a value, not the value: `email_verified_at`, `has_phone`."""
_TEXTUAL: Final = frozenset({"text", "other", "json"})
_LETTERS_ONLY: Final = frozenset(
    {
        EMAIL, PHONE, NAME, PASSWORD, CREDENTIALS, FREE_TEXT, "user.name.first", "user.name.last",
        "user.account.username", "user.contact.address.street", "user.contact.address.city",
        "user.contact.address.country", "user.contact.address.state", "user.contact.fax_number", "user.contact.url",
        "user.job_title", "user.contact.organization", "user.device.cookie_id", "user.device",
    }
)  # fmt: skip
"""Never a number, a date or a flag: `city_id` and `message_count` are something else."""
_ABOUT_THE_THING: Final = frozenset({FREE_TEXT, "user.contact.organization", "user.job_title", "user.contact.url"})
"""Fits things as well as people; see `categorise`."""


def categorise(table: str, column: str, kind: str, comment: str = "", *, person: bool = False) -> Guess | None:
    """What a column holds, as far as it can be told; None if it looks technical.

    Args:
        table: the table's name.
        column: the column's name.
        kind: what the values are: text, integer, numeric, date, timestamp, bool, uuid, bytes, json, inet or other.
        comment: the column's comment in the database.
        person: whether the table's rows stand for people; there, `name` is a person's.
    """
    name = "_".join(words(column))
    if guess := _declared(comment):
        return guess
    if kind == "inet":
        return Guess("user.device.ip_address", "its type is an address of a network")
    if person and name in {"name", "nombre", "title_name"} and kind in _TEXTUAL:
        return Guess(NAME, f"'{column}' in a table of people")
    if _NOT.search(name) or (name.endswith("_id") and not re.search(r"(device|cookie|national|tax|steuer)_id$", name)):
        return None
    for key, rule in _RULES:
        found = rule.search(name)
        if not found or (key in _LETTERS_ONLY and kind not in _TEXTUAL):
            continue
        word = found[0].strip("_")
        if (word in _ALONE and word != name) or (kind == "bool" and key != "user.privacy_preferences"):
            continue
        return Guess(key, f"by the name '{word}'")
    return _by_comment(comment, kind)


def may_be_a_thing(category: str) -> bool:
    """Whether a category by name alone is as likely one of a thing as of a person (a product's description)."""
    return category in _ABOUT_THE_THING


def _declared(comment: str) -> Guess | None:
    """A comment that names a category outright, as `fides: user.contact.email` or the bare key."""
    found = re.search(r"\buser(?:\.[a-z_]+)+\b", comment)
    return Guess(found[0], "its comment names the category") if found else None


def _by_comment(comment: str, kind: str) -> Guess | None:
    spoken = "_".join(words(comment))
    if re.search(r"(?:^|_)(?:no|not|never|without|keine?|sans)_", spoken):
        return None
    for key, rule in _RULES:
        if key in _ABOUT_THE_THING or (key in _LETTERS_ONLY and kind not in _TEXTUAL):
            continue
        found = rule.search(spoken)
        if found and (word := found[0].strip("_")) not in _ALONE and len(word) > 3:
            return Guess(key, f"its comment says '{word}'")
    if re.search(r"personal_data|pii|personenbezogen|donnees_personnelles", spoken):
        return Guess(PERSON, "its comment says personal data")
    return None
