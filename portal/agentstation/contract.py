"""What differs in the provider's responses from its contract, whose schemas are in contract.json.

Nothing breaks by that, and a response may be anything: only so much of one is compared, and what is null is missing.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

_DEEPEST = 6  # objects and lists within each other, which is as far as the contract goes
_MOST_FIELDS = _MOST_ENTRIES = 100  # of an object, beside the contract's own; of a list
_LONGEST_TEXT = 500  # characters
_MOST_ERRORS, _MOST_KINDS = 200, 20  # of one document

_CONTRACT = json.loads((Path(__file__).parent / "contract.json").read_text())
_FIELDS = frozenset(name for schema in _CONTRACT["$defs"].values() for name in schema.get("properties", ()))


def _find_missing(_: object, required: Sequence[str], instance: object, __: object) -> Iterator[ValidationError]:
    """The keyword "required", for which null is missing; the error has the field's name as its message."""
    if isinstance(instance, dict):
        yield from (ValidationError(name) for name in required if instance.get(name) is None)


_Validator = validators.extend(Draft202012Validator, {"required": _find_missing})  # type: ignore[no-untyped-call]
_VALIDATORS = {
    name: _Validator({**_CONTRACT, "$ref": f"#/$defs/{definition}"})
    for name, definition in {
        "workstation": "Workstation",
        "list": "WorkstationList",
        "type": "WorkstationTypeDescription",
        "release": "Release",
        "error": "Error",
    }.items()
}


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """A kind of difference from the contract, in words, and the first object that has it, as it came."""

    kind: str
    example: Mapping[str, object] = field(repr=False)


def find_deviations(*, name: str, document: Mapping[str, object]) -> tuple[Deviation, ...]:
    """What differs in a document from what the contract calls so, each kind once."""
    found: dict[str, Deviation] = {}
    errors = _VALIDATORS[name].iter_errors(_cut(document))
    for error in itertools.islice(errors, _MOST_ERRORS):
        for deviation in _describe(error, name=name, document=document):
            found.setdefault(deviation.kind, deviation)
        if len(found) >= _MOST_KINDS:
            break
    return tuple(found.values())[:_MOST_KINDS]


def find_in_response(*, status: int, document: object, is_refusal: bool) -> tuple[Deviation, ...]:
    """What differs in a response, whatever it was asked for; `document` is its body as JSON, None where it is none.

    `is_refusal`: whether its status is one of those whose bodies the contract describes.
    """
    is_success = 200 <= status < 300
    example = {"status": status}
    if isinstance(document, dict) and is_refusal:
        return find_deviations(name="error", document=document)
    if is_success or is_refusal:
        is_object = isinstance(document, dict)
        return () if is_object else (Deviation(kind=f"the response {status} is no JSON object", example=example),)
    is_gateway = status == 408 or status >= 500
    return () if is_gateway else (Deviation(kind=f"a response has the HTTP status {status}", example=example),)


def _cut(value: object, depth: int = 0) -> object:
    match value:
        case dict() | list() if depth == _DEEPEST:
            return "left out"
        case dict():
            names = dict.fromkeys([*itertools.islice(value, _MOST_FIELDS), *_FIELDS])
            return {name: _cut(value[name], depth + 1) for name in names if name in value}
        case list():
            return [_cut(entry, depth + 1) for entry in value[:_MOST_ENTRIES]]
        case str():
            return value[:_LONGEST_TEXT]
    return value


def _describe(error: Any, *, name: str, document: Mapping[str, object]) -> Iterator[Deviation]:
    """A ValidationError in words. That a value is of another type is no deviation: it is read as missing."""
    path = list(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            words = [
                f"has a field {added}" for added in sorted(error.instance.keys() - error.schema["properties"].keys())
            ]
        case "required":
            words = [f"lacks {error.message}"]
        case "enum" | "const" if error.instance is not None:
            words = [f"has the {path.pop()} {error.instance}"]
        case _:
            return
    example: Any = document
    for step in path:
        example = example[step]
    for text in words:
        yield Deviation(kind=f"{_name_object(path) or name} {text}", example=example)


def _name_object(path: Sequence[str | int]) -> str:
    """What people call the object that is there in a document; "" where that is the document itself."""
    match path:
        case [*_, str(listed), "data", int()]:
            return listed.removesuffix("s")
        case [*_, "files" | "logs"]:
            return "list"
        case [*_, str(field_name)]:
            return field_name
    return ""
