"""One request of a vendor file made, and its answer understood.

The one rule: an answer means what the file says it means. What the file does not describe is a person's matter, with
the place in the file that did not fit; nothing is guessed from it.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, timedelta
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.http import template
from connectors.http.answer import Answer, understood
from connectors.http.login import FORM, Login
from connectors.http.schema import Vendor
from connectors.http.steps import Call, Download, Paginate, Request
from connectors.http.template import MissingError, Scope
from connectors.http.transport import Received, Sent, Transport
from connectors.protocol import Call as Step
from rights.codes import Code

PACE: Final = timedelta(seconds=2)
"""A turn that comes this soon is waited for here: to hand the step back costs everybody more."""
TRIES: Final = 4


class Exchange:
    """Makes the requests of one system's vendor file."""

    def __init__(
        self,
        vendor: Vendor,
        base: str,
        transport: Transport,
        logins: Mapping[str, Login],
        constants: Scope,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.vendor, self._base, self._transport = vendor, base, transport
        self._logins, self._constants, self._pause = logins, constants, pause

    def scope(self, step: Step, **places: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
        """The values that every request of a step may use, and those given."""
        today = step.as_of.astimezone(UTC).date()
        dates = {name: (today + timedelta(days=int(days[:-1]))).isoformat() for name, days in self.vendor.dates.items()}
        return {**self._constants, "call": {"day": today.isoformat()}, "dates": dates, **places}

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def limit(self, within: timedelta) -> AbstractContextManager[None]:
        """Inside, whatever this thread asks here ends by then."""
        return self._transport.limit(within)

    def ask(self, step: Step, request: Request, target: str, scope: Scope, where: str) -> Answer:
        """Make a request. `where` is its place in the file.

        Raises:
            Retryable: the vendor is away or busy.
            NeedsHuman: the vendor refuses, or answers what the file does not describe.
        """
        return self._asked(step, request, self._built(request, target, scope, where), where)

    def pages(self, step: Step, call: Call, scope: Scope, where: str) -> Iterator[Answer]:
        """Make a call, and read it on to its last page.

        Raises:
            Retryable, NeedsHuman: as of `ask`; NeedsHuman too if there are more pages than the file expects.
        """
        if call.paginate is None:
            yield self.ask(step, call, call.call, scope, where)
            return
        page = self._built(call, call.call, scope, where)
        more: dict[str, str] | str | None = _first(call.paginate)
        seen: set[str] = set()
        for number in range(call.paginate.most):
            page = page if more is None else _turned(page, more)
            if page.url in seen:
                _misfit(f"{where}.paginate: the same page again")
            seen.add(page.url)
            answer = self._asked(step, call, page, where)
            yield answer
            more = None if answer.absent else self._next(call.paginate, answer.body, number, scope, where)
            if more is None:
                return
        raise NeedsHuman(Code.TOO_LARGE, f"{where}.paginate.most")

    def saved(self, request: Request, answer: Answer, scope: Scope, where: str) -> dict[str, Any]:
        """What a request saves of its answer.

        Raises:
            NeedsHuman: something of it is not there.
        """
        return {
            name: self.found(expression, answer.body, scope, f"{where}.save.{name}")
            for name, expression in ({} if answer.absent else request.save).items()
        }

    def found(self, expression: str, body: object, scope: Scope, where: str) -> Any:
        """What an expression finds.

        Raises:
            NeedsHuman: nothing.
        """
        value = self.sought(expression, body, scope, where)
        if value is None:
            _misfit(where)
        return value

    def sought(self, expression: str, body: object, scope: Scope, where: str) -> Any:
        """What an expression finds; None if nothing."""
        missing = ""
        try:
            return template.searched(expression, body, scope)
        except MissingError as error:
            missing = str(error)
        _misfit(f"{where}: {missing}")

    def download(self, step: Step, request: Download, url: str, scope: Scope, where: str) -> Iterator[bytes]:
        """One file, as it comes.

        Raises:
            Retryable: it is not there (any more), or broke off: the whole export is made again.
        """
        self._spend(step, request.spends)
        headers, _ = self._login(request.auth).sign()
        if url.startswith("/"):
            url = self._base + url
        answer = self._transport.download(
            Sent("GET", url, {"accept": "*/*"}, credentials=headers), within=timedelta(hours=1)
        )
        first = next(answer)
        if not isinstance(first, Received) or first.status != 200:
            raise Retryable(Code.UNREACHABLE, where)
        for chunk in answer:
            if isinstance(chunk, bytes):
                step.beat()
                yield chunk

    def _login(self, name: str) -> Login:
        return self._logins[name]

    def _built(self, request: Request, target: str, scope: Scope, where: str) -> Sent:
        """A request with everything put in but the credentials, which may be renewed."""
        method, _, path = target.partition(" ")
        missing = ""
        try:
            url = self._base + template.path(path, scope)
            query = {name: template.as_text(value) for name, value in template.typed(request.query, scope).items()}
            headers = {
                name: template.header(value, scope)
                for name, value in {**self.vendor.headers, **request.headers}.items()
            }
            body = b""
            if request.form is not None:
                form = template.typed(request.form, scope)
                headers["content-type"] = FORM
                body = urlencode(
                    [
                        (name, template.as_text(one))
                        for name, value in form.items()
                        for one in (value if isinstance(value, list) else [value])
                    ]
                ).encode()
            elif request.json_ is not None:
                headers["content-type"] = "application/json"
                body = json.dumps(template.typed(request.json_, scope)).encode()
            return Sent(method, url + ("?" + urlencode(query) if query else ""), headers, body)
        except MissingError as error:
            missing = str(error)
        _misfit(f"{where}: {missing}")

    def _asked(self, step: Step, request: Request, sent: Sent, where: str) -> Answer:
        """Send, and understand; what can be had again within moments is asked for again."""
        failure: ConnectorError | None = None
        renewed = False
        for _ in range(TRIES):
            step.beat()
            self._spend(step, request.spends)
            login = self._login(request.auth)
            headers, parameters = login.sign()
            url = sent.url
            if parameters:
                url += ("&" if "?" in url else "?") + urlencode(parameters)
            received = self._transport.send(Sent(sent.method, url, sent.headers, sent.body, headers))
            if received.status == 401 and not renewed and login.renew():
                renewed = True
                continue
            answer = understood(received, request, self.vendor.errors, login.secrets, where)
            if isinstance(answer, Answer):
                return answer
            failure = answer
            if not isinstance(answer, Retryable) or answer.code is not Code.BUSY:
                break
            if answer.after is None or answer.after > PACE:
                break
            self._pause(answer.after.total_seconds())
        raise failure or NeedsHuman(Code.CREDENTIALS, self._login(request.auth).secrets)

    def _spend(self, step: Step, spends: Mapping[str, int]) -> None:
        """Take what a request costs of what the vendor allows us all."""
        for name, cost in spends.items():
            limit = self.vendor.limits[name]
            for _ in range(TRIES):
                late: Retryable | None = None
                try:
                    step.quota(name, cost, limit.most, limit.within)
                except Retryable as error:
                    late = error
                if late is None:
                    break
                if late.after is None or late.after > PACE:
                    raise late
                self._pause(late.after.total_seconds())
            else:
                raise Retryable(Code.BUSY, name, after=PACE)

    def _next(
        self, paginate: Paginate, body: object, number: int, scope: Scope, where: str
    ) -> dict[str, str] | str | None:
        """What makes the next page's address: parameters, or the address itself; None if this was the last."""
        if cursor := paginate.cursor:
            if cursor.more and not self.found(cursor.more, body, scope, f"{where}.paginate.cursor.more"):
                return None
            value = self.sought(cursor.from_, body, scope, where)
            return {cursor.param: template.as_text(value)} if value else None
        if link := paginate.link:
            url = self.sought(link.next, body, scope, where)
            if not url:
                return None
            home, next_ = urlsplit(self._base), urlsplit(str(url))
            if (home.scheme, home.netloc) != (next_.scheme, next_.netloc):
                _misfit(f"{where}.paginate.link: another server")
            return str(url)
        numbered = paginate.offset or paginate.page
        assert numbered  # noqa: S101 - the schema: exactly one is set
        items = self.found(numbered.items, body, scope, f"{where}.paginate.items")
        if not isinstance(items, list):
            _misfit(f"{where}.paginate.items")
        if len(items) < numbered.size:
            return None
        step = numbered.size if paginate.offset else 1
        return {numbered.param: str(numbered.first + (number + 1) * step)}


def _misfit(where: str) -> NoReturn:
    raise NeedsHuman(Code.SHAPE, where)


def _first(paginate: Paginate) -> dict[str, str] | None:
    numbered = paginate.offset or paginate.page
    if numbered is None:
        return None
    return {numbered.param: str(numbered.first)} | (
        {numbered.size_param: str(numbered.size)} if numbered.size_param else {}
    )


def _turned(sent: Sent, more: Mapping[str, str] | str) -> Sent:
    """The request for another page."""
    if isinstance(more, str):
        return Sent(sent.method, more, sent.headers, sent.body)
    parts = urlsplit(sent.url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | dict(more)
    return Sent(sent.method, parts._replace(query=urlencode(query)).geturl(), sent.headers, sent.body)
