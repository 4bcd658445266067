"""What is wrong with the settings, in words that say what to write instead.

The one rule: no value is quoted, since a secret may have been written there.
"""

import json
import re
from tomllib import TOMLDecodeError
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsError as UnreadableSetting

from starter.groups import FILE, ApiSettings, EvidenceSettings, HandoffSettings, MailSettings, OidcSettings

_GROUPS: dict[str, type[BaseModel]] = {
    "mail": MailSettings,
    "evidence": EvidenceSettings,
    "api": ApiSettings,
    "handoff": HandoffSettings,
    "oidc": OidcSettings,
}


def why_not(error: ValueError | OSError, settings: type[BaseModel]) -> str:
    """What keeps settings of a kind from being read, a line or a few for each that is missing or wrong."""
    match error:
        case ValidationError():
            return "\n".join(_line(detail, settings) for detail in error.errors())
        case TOMLDecodeError():
            # Of the parser's words only the place, since they may quote what stands there.
            place = re.search(r"at line \d+", str(error))
            return f"{FILE} is not TOML{f', {place[0]}' if place else ''}: texts stand in quotes, and each name once"
        case UnreadableSetting():
            name = re.search(r'field "(\w+)"', str(error))
            return (
                f"{name[1] if name else 'a setting'} in the environment cannot be read: "
                'a list is written as JSON, such as ["maps"]'
            )
        case _:
            return f"{FILE} or .env cannot be read: it is a text in UTF-8 of yours"


def _line(detail: Any, settings: type[BaseModel]) -> str:
    """One of pydantic's findings, with an example of each way to write the setting."""
    path = [str(part) for part in detail["loc"]]
    if not path:  # about several together
        return f"the settings do not fit together. {str(detail['msg']).removeprefix('Value error, ')}"
    field, inner = _field(path, settings)
    name = ".".join(path) if inner else path[0]
    example = field.examples[0] if field and field.examples else ""
    what = "is missing" if detail["type"] == "missing" else f"cannot be used: {_said(detail)}"
    about = f" {field.description}" if field and field.description else ""
    where = f"in {FILE}: [{path[0]}] {path[1]}" if inner else f"in {FILE}: {name}"
    return (
        f"{name} {what}.{about}\n"
        f"    {where} = {_toml(example)}\n"
        f"    or set:  HABEAS_{name.upper().replace('.', '__')}={_env(example)}"
    )


def _field(path: list[str], settings: type[BaseModel]) -> tuple[FieldInfo | None, bool]:
    """The setting that a finding is about, and whether it is one of a group."""
    group = _GROUPS.get(path[0])
    if group and len(path) > 1 and path[1] in group.model_fields:
        return group.model_fields[path[1]], True
    return settings.model_fields.get(path[0]), False


def _said(detail: Any) -> str:
    """What is wrong with a value, without it."""
    pattern = str(detail.get("ctx", {}).get("pattern", ""))
    if not pattern:
        return str(detail["msg"])
    if pattern.startswith("^(env|file"):
        return "a secret is named, never written here: env:NAME or file:/path"
    return "write it as in the example"


def _toml(example: Any) -> str:
    if isinstance(example, dict):
        return f"{{ {', '.join(f'{name} = {json.dumps(value)}' for name, value in example.items())} }}"
    return json.dumps(example)


def _env(example: Any) -> str:
    return example if isinstance(example, str) else json.dumps(example)
