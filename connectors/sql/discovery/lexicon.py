"""The words by which tables and columns are known for what they are, in English, German and French.

The one rule: a list here is data; what is made of it is decided elsewhere.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OWNERS: Final = _words(
    """
    customer user person member client patient student pupil subscriber guest contact lead account passenger donor
    applicant candidate participant attendee tenant resident visitor buyer shopper player citizen individual party
    kunde benutzer nutzer mitglied patient schueler abonnent bewerber gast kontakt teilnehmer spender client
    utilisateur personne membre abonne eleve adherent
    """
)
"""People whose rows are their own."""

HANDLERS: Final = _words(
    """
    staff employee supplier vendor admin administrator operator agent driver teacher doctor physician author courier
    mitarbeiter angestellter lieferant fahrer lehrer arzt personal employe fournisseur seller merchant instructor
    """
)
"""People who mostly deal with the rows of others."""

THINGS: Final = _words(
    """
    store shop branch office company organization organisation department location warehouse setting config template
    queue log event audit history order invoice payment message mail email outbox job filiale firma abteilung
    bestellung rechnung magasin commande facture shipper carrier brand address adresse anschrift session ticket
    booking reservation delivery shipment address
    """
)
"""Things that have an address or a contact, and are nobody."""

JOINT: Final = _words(
    """
    comment like reaction message review reply vote follow follower participant member membership attendee share
    invite invitation mention chat conversation friend friendship kommentar nachricht teilnehmer commentaire
    """
)
"""Rows that other people add to somebody's own."""

RECORDS: Final = _words(
    """
    invoice order payment purchase sale transaction receipt refund bill contract subscription booking rental
    shipment rechnung bestellung zahlung auftrag vertrag buchung gutschrift facture commande paiement contrat
    """
)
"""Rows that tax or commercial law may want kept."""

TECHNICAL: Final = _words(
    """
    id type status state code kind version currency lang uuid guid hash ref source level role tier slug
    """
)
"""Parts of a column's name that say it is no text about anybody."""
