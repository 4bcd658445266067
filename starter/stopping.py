"""The page behind the link of a cooling-off notice: one button, which stops an erasure before it begins.

    GET  .../<token>   the button; nothing is looked up
    POST .../<token>   the erasure is frozen, and two agents look at it

The one rule: looking changes nothing and tells nothing. Mail readers and scanners open every link by themselves, so
only the button counts; and whoever holds no token learns nothing of anybody.
"""

import base64
import hashlib
import html
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from ledger.errors import LedgerError, LedgerRefusal
from ledger.ledger import Ledger
from rights.letters import LANGUAGES, Language, Office
from starter.endpoint import Endpoint, Handler, secure, serving

_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._-]{1,60}){0,4}/([A-Za-z0-9_-]{1,60}\.[A-Za-z0-9_-]{1,60})\Z")
_BODY_MOST: Final = 4096
"""Bytes of what a browser sends with a button; nothing of it is read."""
EACH: Final = 4
"""Lines that one address has at a time: nobody keeps all of them from whoever wants to stop an erasure."""
_STYLE: Final = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}button{font:inherit;padding:.6rem 1.2rem;color:#fff;background:#8f1d1d;border:0;"
    "border-radius:.3rem}"
    "button:focus-visible{outline:3px solid #1a1a1a;outline-offset:2px}"
)
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}


class _Words(NamedTuple):
    title: str
    ask: str
    button: str
    stopped: str
    none: str
    trouble: str


_WORDS: Final[Mapping[Language, _Words]] = {
    "en": _Words(
        "Stop the erasure",
        "Somebody has asked for your data to be erased. If you did not, or have changed your mind, stop it here.",
        "Stop the erasure",
        "The erasure is stopped. Nothing was erased. Somebody will look at it and write to you.",
        "This link stops nothing: it is not complete, or its time is over. Write to us instead.",
        "This cannot be done at the moment. Please try again in a few minutes, or write to us.",
    ),
    "de": _Words(
        "Löschung anhalten",
        "Wir wurden gebeten, Ihre Daten zu löschen. Wenn Sie das nicht waren oder es nicht mehr wollen, halten Sie es "
        "hier an.",
        "Löschung anhalten",
        "Die Löschung ist angehalten. Es wurde nichts gelöscht. Jemand sieht sich das an und schreibt Ihnen.",
        "Dieser Link hält nichts an: Er ist nicht vollständig, oder seine Zeit ist um. Schreiben Sie uns stattdessen.",
        "Das geht im Augenblick nicht. Bitte versuchen Sie es in einigen Minuten wieder, oder schreiben Sie uns.",
    ),
    "fr": _Words(
        "Arrêter l'effacement",
        "On nous a demandé d'effacer vos données. Si ce n'était pas vous, ou si vous avez changé d'avis, arrêtez-le "
        "ici.",
        "Arrêter l'effacement",
        "L'effacement est arrêté. Rien n'a été effacé. Quelqu'un va l'examiner et vous écrire.",
        "Ce lien n'arrête rien : il est incomplet, ou son délai est passé. Écrivez-nous plutôt.",
        "Ce n'est pas possible pour le moment. Réessayez dans quelques minutes, ou écrivez-nous.",
    ),
    "es": _Words(
        "Detener la supresión",
        "Se nos ha pedido que suprimamos sus datos. Si no fue usted, o ha cambiado de opinión, deténgalo aquí.",
        "Detener la supresión",
        "La supresión está detenida. No se ha suprimido nada. Alguien lo examinará y le escribirá.",
        "Este enlace no detiene nada: está incompleto o su plazo ha terminado. Escríbanos en su lugar.",
        "No es posible en este momento. Inténtelo de nuevo en unos minutos o escríbanos.",
    ),
}


class StopPage(NamedTuple):
    """What the page works on."""

    ledger: Ledger
    office: Office
    now: Callable[[], datetime]


class _Handler(Handler):
    server: Endpoint

    def do_GET(self) -> None:
        """Show the button, to whoever comes."""
        words = self._words()
        if not _PATH.match(self.path):
            return self._page(HTTPStatus.NOT_FOUND, words.none)
        return self._page(HTTPStatus.OK, words.ask, button=True)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Stop it."""
        words, found = self._words(), _PATH.match(self.path)
        length = self.headers.get("content-length") or "0"
        if found is None or not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > _BODY_MOST:
            return self._page(HTTPStatus.NOT_FOUND, words.none)
        self.rfile.read(int(length))
        page: StopPage = self.server.serves
        try:
            page.ledger.stop(found[1], at=page.now())
        except LedgerRefusal:
            return self._page(HTTPStatus.NOT_FOUND, words.none)
        except (LedgerError, SQLAlchemyError) as error:  # a ledger that is away: nobody is told what is wrong with it
            self.server.log.error("stop_page_failed", error=type(error).__name__)
            return self._page(HTTPStatus.SERVICE_UNAVAILABLE, words.trouble, button=True)
        self.server.log.info("stop_page_used")
        return self._page(HTTPStatus.OK, words.stopped)

    def _page(self, status: int, text: str, *, button: bool = False) -> None:
        office: Office = self.server.serves.office
        language, words = self._language(), self._words()
        form = f'<form method="post"><button>{html.escape(words.button)}</button></form>' if button else ""
        signed = " · ".join(html.escape(part) for part in (office.controller, office.dpo) if part)
        document = (
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(words.title)}</title><style>{_STYLE}</style></head>"
            f"<body><main><h1>{html.escape(words.title)}</h1><p>{html.escape(text)}</p>{form}</main>"
            f"<footer><p>{signed}</p></footer></body></html>"
        )
        # Minutes lie between a look and the click: who keeps the line open meanwhile, as scanners of mail do, takes a
        # seat from whoever wants to stop an erasure.
        self.close_connection = True
        headers = _HEADERS | {"content-language": language, "vary": "accept-language"}
        self.say(status, document.encode(), "text/html; charset=utf-8", headers)

    def _words(self) -> _Words:
        return _WORDS[self._language()]

    def _language(self) -> Language:
        """The first that the reader's browser asks for and that is spoken here."""
        for wanted in self.headers.get("accept-language", "").lower().split(","):
            for language in LANGUAGES:
                if wanted.strip()[:2] == language:
                    return language
        office: Office = self.server.serves.office
        return office.language


def serve_stop_page(
    page: StopPage, host: str, port: int, certificate: tuple[Path, str] | None = None
) -> AbstractContextManager[int]:
    """Serve until the context is left; gives the port. `certificate`: its file, and its key as PEM.

    Raises:
        OSError: the port or the certificate cannot be used.
    """
    if certificate is None:  # a proxy beside it, behind which all have one address
        return serving(_Handler, page, host, port)
    return serving(_Handler, page, host, port, secure(*certificate), each=EACH)
