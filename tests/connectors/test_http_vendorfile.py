"""A vendor file that could go wrong is refused, by file, line and path, with what to write instead."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from connectors.http import build
from connectors.http.schema import Vendor
from connectors.http.vendorfile import SCHEMA, find_vendor, read_vendor, schema_text, shipped
from connectors.registry import build as build_by_name
from connectors.registry import kinds
from rights.datamap import System
from rights.mapfile import read_map
from rights.yamlfile import FileErrors

GOOD = """
habeas: connector/v1
name: made_up
about: a vendor that does everything
base: {us: "https://{option.account}.vendor.example", eu: https://eu.vendor.example}
hosts: ["*.files.example"]
options:
  account: {about: the account, pattern: "[a-z]+"}
  parts: {about: parts of it, many: true, default: a b}
secrets:
  key: {about: the key}
auth: {bearer: "{secret.key}"}
other_auth:
  old: {query: {name: token, value: "{secret.key}"}}
headers: {X-Version: "1"}
timeout: 30s
largest: 100000
limits:
  calls: {most: 10, within: 1s}
dates: {from: -30d}
errors:
  - {status: [403, "5xx"], json: false, then: throttle, wait: 1m}
  - {body: "error == 'key'", then: blocked, secret: key}
probe: {call: GET /me, spends: {calls: 1}}
collections:
  users:
    about: people
    key: [id]
    fields: {id: id, email: email, status: status, name: name, phone: phone}
    clean: "name == 'gone'"
    find:
      - by: email
        form: lower
        steps:
          - call: GET /lists
            auth: old
            save: {lists: "lists[].id"}
            paginate: {page: {param: page, first: 1, size: 50, items: lists}}
          - each: "{saved.lists}"
            as: list
            steps:
              - {call: "GET /lists/{list.value}/{by.value}", rows: "[@]", errors: [{status: 404, then: absent}]}
    erase:
      leaves: redacted
      redacted: gone
      steps:
        - call: POST /erase/{row.id}
          json: {since: "{dates.from}", ids: "{rows.id}"}
          save: {job: id}
          lookup: {call: GET /jobs, found: "[?user == {row.id}]", save: {job: "[0].id"}}
        - poll: GET /jobs/{saved.job}
          state: state
          states: {running: [new], done: [done], failed: [bad]}
          every: 1h
          deadline: 30d
    export:
      steps:
        - {call: POST /export, form: {user: "{row.id}"}, save: {urls: urls}}
        - {download: "{saved.urls}", name: "{file.number}.json", media_type: application/json}
    restrict:
      already: "status == 'off'"
      keeps: [status]
      steps: [{call: "PATCH /users/{row.id}", json: {status: "off"}}]
    lift:
      steps: [{call: "PATCH /users/{row.id}", json: {status: "{row.status}"}}]
    suppress:
      stops: [marketing]
      steps: [{call: "POST /block", json: {id: "{row.id}"}}]
    rectify:
      fields: [name, phone]
      steps: [{call: "PUT /users/{row.id}", json: {name: "{new.name?}", tel: "{new.phone?}"}}]
"""

WRONG = {
    "an unknown key": ("timeout: 30s", "timeuot: 30s", "timeuot: 'timeuot' is not a key here; did you mean 'timeout'?"),
    "another version": ("connector/v1", "connector/v2", "habeas: write one of: 'connector/v1'"),
    "a name in capitals": ("name: made_up", "name: MadeUp", "name: it must match"),
    "a wrong time": ("timeout: 30s", "timeout: 30", "timeout: write a time as a number and s, m, h or d"),
    "a wrong size": ("largest: 100000", "largest: 5", "largest: "),
    "a host with a path": ("*.files.example", "files.example/x", "hosts[0]: it must match"),
    "no such option": ("{option.account}", "{option.acount}", "base.us: '{option.acount}' has no value; option has"),
    "a bad pattern": ('"[a-z]+"', '"[a-z"', "options.account: pattern is not a regular expression"),
    "two ways to log in": (
        "auth: {bearer:",
        "auth: {google: {account: x, scopes: [y]}, bearer:",
        "auth: write exactly",
    ),
    "no such secret": ("{secret.key}", "{secret.kee}", "auth.bearer: '{secret.kee}' has no value; secret has: key"),
    "a secret in a header of its own": (
        'X-Version: "1"',
        'X-Version: "{secret.key}"',
        "secrets stand under auth alone",
    ),
    "a secret in a path": ("GET /me", "'GET /me/{secret.key}'", "probe.call: '{secret.key}' has no value here"),
    "no limit of that name": ("spends: {calls: 1}", "spends: {cals: 1}", "probe.spends.cals: there is no limit 'cals'"),
    "a limit of none": ("most: 10", "most: 0", "limits.calls.most: "),
    "a wrong date": ("-30d", "30 days", "dates.from: it must match"),
    "a rule for nothing": ('status: [403, "5xx"], json: false, then', "then", "errors[0]: a rule needs something"),
    "a wrong status": ("403, ", "4033, ", "errors[0].status: write a status as 404"),
    "an unknown meaning": ("then: throttle", "then: sleep", "errors[0].then: write one of: 'throttle'"),
    "a rule's unknown secret": ("secret: key}", "secret: kee}", "errors[1].secret: there is no secret 'kee'"),
    "no JMESPath": ("error == 'key'", "error == ", "errors[1].body: this is not JMESPath"),
    "a probe that changes": ("GET /me", "POST /me", "probe.call: a probe changes nothing: use GET"),
    "an unknown method": ("GET /lists\n", "FETCH /lists\n", "find[0].steps[0].call: it must match"),
    "a query in a path": ("GET /lists\n", "GET /lists?all=1\n", "find[0].steps[0].call: it must match"),
    "no such way to log in": ("auth: old", "auth: older", "find[0].steps[0].auth: there is no 'older'"),
    "two ways to page": ("page: {param", "link: {next: x}, page: {param", "paginate: write exactly one of"),
    "a key that is no field": ("key: [id]", "key: [ident]", "collections.users.key[0]: 'ident' is not under fields"),
    "found by no field": ("by: email", "by: mail", "collections.users.find[0].by: 'mail' is not under fields"),
    "an unknown form": ("form: lower", "form: upper", "find[0].form: write one of"),
    "a look that changes": ("GET /lists\n", "POST /lists\n", "find[0].steps[0].call: a look changes nothing"),
    "a place without a value": ("{by.value}", "{row.id}", "steps[0].call: '{row.id}' has no value here"),
    "a value nobody saves": ("{saved.lists}", "{saved.list}", "find[0].steps[1].each: '{saved.list}' has no value"),
    "a stray brace": ("GET /lists\n", "GET /lists/{id}\n", "a brace stands only in {place.name}"),
    "a body twice": ("json: {since", "form: {a: b}\n          json: {since", "a request has one body: json or form"),
    "a place in a key": ('ids: "{rows.id}"', '"{row.id}": 1', "the name of a key is written out"),
    "a step of no kind": ("- poll: GET", "- pole: GET", "erase.steps[1]: a step has one of the keys"),
    "no state": ("          state: state\n", "", "erase.steps[1]: 'state' is missing: add state: ..."),
    "no end": ("done: [done], ", "", "states: 'done' is missing: add done: ..."),
    "a redaction into nothing": ("      redacted: gone\n", "", "erase.leaves: leaves: redacted goes with redacted"),
    "batches of single rows": ("leaves: redacted\n", "leaves: redacted\n      batch: 9\n", "write {rows.id}"),
    "a key twice": ('already: "status', 'already: "x"\n      already: "status', "stands here twice"),
    "no way back": ("lift:", "suppres:", "'suppres' is not a key here; did you mean 'suppress'?"),
    "keeping what is not there": (
        "keeps: [status]",
        "keeps: [state]",
        "restrict.keeps[0]: 'state' is not under fields",
    ),
    "rows that are not looked for": (
        'POST /block"',
        'POST /block", rows: "[@]"',
        "suppress.steps[0].rows: rows belong",
    ),
    "an export without an end": (
        "- {download",
        "- {poll: GET /x, state: s, states: {done: [x]}, every: 1s, deadline: 1d}\n        #",
        "the steps of an export end with a download",
    ),
    "a field to write that is none": (
        "fields: [name,",
        "fields: [nam,",
        "rectify.fields[0]: 'nam' is not under fields",
    ),
    "a key to write": ("fields: [name,", "fields: [id, name,", "rectify.fields[0]: the key tells rows apart"),
    "what rows are found by": (
        "fields: [name,",
        "fields: [email, name,",
        "rectify.fields[0]: and nothing but that shows",
    ),
    "a field that no step writes": ('"{new.phone?}"', "x", "rectify.fields[1]: no step writes it"),
    "what was not asked for": ("{new.name?}", "{new.name}", "make the whole value {new.name?}"),
    "a field to write by a step that is none": (
        'call: "PUT /users/{row.id}"',
        'call: "PUT /users/{row.id}", writes: [nam]',
        "rectify.steps[0].writes[0]: 'nam' is not under fields of rectify",
    ),
    "what would be written unasked": (
        'tel: "{new.phone?}"',
        'tel: "{whole.phone}"',
        "this would be written unasked: put phone under writes",
    ),
    "a new value elsewhere": ("POST /block", "POST /block/{new.name}", "'{new.name}' has no value here"),
    "a look in a correction": (
        'call: "PUT /users/{row.id}"',
        'call: "PUT /users/{row.id}", lookup: {call: GET /x, found: x}',
        "rectify.steps[0].lookup: lookup belongs to erase",
    ),
    "offered and denied": (
        "collections:\n",
        "unsupported: {suppress: it cannot}\ncollections:\n",
        "suppress is offered: take this",
    ),
}


def test_the_good_file_is_good() -> None:
    assert read_vendor("made_up.yaml", GOOD).name == "made_up"


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_refused_with_its_place(what: str) -> None:
    old, new, advice = WRONG[what]
    assert old in GOOD
    text = GOOD.replace(old, new, 1)

    with pytest.raises(FileErrors) as caught:
        read_vendor("made_up.yaml", text)

    said = [str(error) for error in caught.value.errors]
    matching = [error for error in caught.value.errors if advice in str(error)]
    assert matching, said
    changed = {n for n, line in enumerate(text.splitlines(), 1) if line not in GOOD.splitlines()}
    near = {line + by for line in changed for by in (-2, -1, 0, 1)} or set(range(text.count("\n") + 2))
    assert any(error.line in near for error in matching) or not new or new.startswith("- {poll") or "batch" in new, said
    assert all(re.match(r"made_up\.yaml:\d+: ", line) for line in said)


def test_an_operation_is_offered_or_said_not_to_be() -> None:
    text = GOOD[: GOOD.index("    suppress:")]

    with pytest.raises(FileErrors, match="suppress is not offered: write suppress: 'why"):
        read_vendor("made_up.yaml", text)


def test_every_keyword_is_refused_where_it_does_not_belong() -> None:
    """No key of any part is taken, unread, at the top."""
    keys = {key for part in json.loads(schema_text())["$defs"].values() for key in part.get("properties", {})}
    for key in sorted(keys - set(json.loads(schema_text())["properties"])):
        with pytest.raises(FileErrors, match=rf"'{key}' is not a key here"):
            read_vendor("made_up.yaml", f"{GOOD}\n{key}: 1\n")


@pytest.mark.parametrize("text", ["", "[]", "a: [", "habeas: *x", "? {a: b}\n: c"])
def test_what_is_no_vendor_file_is_refused(text: str) -> None:
    with pytest.raises(FileErrors):
        read_vendor("x.yaml", text)


@pytest.mark.parametrize("vendor", shipped())
def test_shipped_files_are_good_and_fit_the_schema(vendor: str) -> None:
    text = find_vendor(vendor).read_text()

    assert read_vendor(vendor, text).name == vendor
    jsonschema.validate(yaml.safe_load(text), json.loads(SCHEMA.read_text()))


def test_the_shipped_schema_is_current() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text()))
    assert SCHEMA.read_text() == schema_text(), "write schema_text() into connectors/http/vendor.schema.json"


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    schema = json.loads(schema_text())
    parts = [schema, *(part for part in schema["$defs"].values() if part.get("type") == "object")]

    assert all(part.get("additionalProperties") is False for part in parts)
    assert Vendor.model_config["extra"] == "forbid"


MAP = """
system: newsletter
owner: marketing
connector: http
backups: none
connection: {key: "env:MAILCHIMP_KEY"}
options: {vendor: mailchimp, dc: us1}
collections:
  members:
    key: [list_id, id]
    fields: {list_id: {}, id: {}, email: {category: contact, identity: email}}
"""


def system_of(text: str) -> System:
    (system,) = read_map({"map.yaml": text}).systems.values()
    return system


def test_the_map_names_it_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILCHIMP_KEY", "not shown")

    connector = build_by_name(system_of(MAP))

    assert "http" in kinds()
    assert "not shown" not in repr(connector) + repr(vars(connector))


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ("vendor: mailchimp", "vendor: mailchump", "vendor 'mailchump' has no file"),
        ("vendor: mailchimp, ", "", "write vendor: NAME"),
        ("dc: us1", "dc: us-1", "options: dc must match"),
        (", dc: us1", "", "options: write dc:"),
        ("dc: us1", "dc: us1, region: eu", "has no regions"),
        ("dc: us1", "dc: us1, shape: x", "options: 'shape' is unknown"),
        ("dc: us1", "dc: us1, base_url: 'http://a.example'", "base_url is https"),
        ("dc: us1", "dc: us1, base_url: 'x'", "base_url is an address"),
        ("dc: us1", "dc: us1, private: [home]", "private is a list of addresses"),
        ("dc: us1", "dc: us1, environment: 3", "environment is a word"),
        ("members:", "people:", "has no 'people': write one of: members"),
        ("list_id: {}, id", "list_id: {}, ident: {}, id", "has no field 'ident'"),
        ("key: [list_id, id]", "key: [id]", "write key: [list_id, id]"),
        ("identity: email}}", "identity: email, strategy: 'null'}}\n    erase: redact", "write erase: delete"),
        ("fields: {list_id: {}", "options: {a: b}\n    fields: {list_id: {}", "leave options out"),
        ("email: {category: contact, identity: email}", "name: {identity: full_name}", "rows are found by email"),
    ],
)
def test_a_map_that_asks_what_the_vendor_does_not_do_is_refused(old: str, new: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        build(system_of(MAP.replace(old, new, 1)), {"key": "x"})


def test_secrets_are_those_of_the_file() -> None:
    with pytest.raises(ValueError, match="connection: write key: env:NAME or file:/path"):
        build(system_of(MAP), {})
    with pytest.raises(ValueError, match="connection: 'kee' is unknown"):
        build(system_of(MAP), {"key": "x", "kee": "y"})


def test_an_operators_own_file_is_read_by_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(find_vendor("mailchimp").read_text())

    assert build(system_of(MAP.replace("vendor: mailchimp", f"vendor: {file}")), {"key": "x"})
