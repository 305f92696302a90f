"""The contract's schemas are those of the OpenAPI file, and to compare a response with them costs little, always."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from portal import models
from portal.agentstation import Page, Workstation, WorkstationTypeDescription, contract

OPENAPI = yaml.safe_load((Path(__file__).parent.parent / "contract" / "openapi.yaml").read_text())
SCHEMAS = json.loads((Path(contract.__file__).parent / "contract.json").read_text())
WORKSTATION = {"id": "w1", "type": "max", "status": "active", "startedAt": "2026-01-02T03:04:05Z"}
FILE = {"id": "f1", "name": "a", "url": "https://files.example/a", "size": 1, "createdAt": "2026-01-02T03:04:05Z"}


def close(schema: Any) -> Any:
    """A schema of the OpenAPI file without what only people read, and without other fields than it names."""
    if isinstance(schema, list):
        return [close(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/components/schemas/", "#/$defs/")}
    closed = {name: close(part) for name, part in schema.items() if name not in ("description", "example")}
    if "properties" in schema:
        closed["properties"] = {name: close(part) for name, part in schema["properties"].items()}
        closed["additionalProperties"] = False
    return closed


def read_schema(response: dict[str, Any]) -> Any:
    return close(response["content"]["application/json"]["schema"])


def find(document: object) -> list[str]:
    return [deviation.kind for deviation in Workstation.from_entry(document).deviations]


def within(**contents: object) -> dict[str, object]:
    return WORKSTATION | {"workspace": {"id": "s", "status": "active", "createdAt": "2026-01-02T03:04:05Z"} | contents}


def test_the_schemas_are_those_of_the_openapi_file():
    components, paths = OPENAPI["components"], OPENAPI["paths"]
    expected = {name: close(components["schemas"][name]) for name in components["schemas"].keys() & SCHEMAS["$defs"]}
    expected["WorkstationList"] = read_schema(components["responses"]["WorkstationList"])
    expected["Release"] = read_schema(paths["/workstations/{workstation_id}/release"]["delete"]["responses"]["200"])
    # The reference insists on neither, and every example has both: a refusal without words is worth a notice.
    expected["Error"]["required"] = ["error", "message"]
    assert SCHEMAS["$defs"] == expected
    assert OPENAPI["openapi"].startswith("3.1")
    assert SCHEMAS["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(SCHEMAS)


def test_the_types_are_those_of_the_form():
    assert SCHEMAS["$defs"]["WorkstationType"]["enum"] == models.Request.Type.values


@pytest.mark.parametrize("name", ["workstation", "list", "type", "release", "error"])
@pytest.mark.parametrize(
    "odd", [None, True, -1, 1.5, 2**63, "", "\x00", "\ud800", [], [[]], {}, {"\ud800": None}], ids=repr
)
def test_nothing_odd_breaks_the_comparison(name, odd):
    fields = [field for schema in SCHEMAS["$defs"].values() for field in schema.get("properties", ())]
    contract.find_deviations(name=name, document=dict.fromkeys([*fields, "\ud800", "x"], odd))
    contract.find_deviations(name="workstation", document=within(files={"data": [odd]}, logs=odd))


@pytest.mark.parametrize("opening", ['{"type":', "["])
def test_however_deep_a_response_is_it_is_compared_no_deeper_than_the_contract(opening):
    closing = "}" if opening[0] == "{" else "]"
    deep = json.loads(opening * 4000 + "1" + closing * 4000)
    kinds = find(WORKSTATION | {"type": deep, "workspace": deep, "x": deep})
    assert kinds[0] == "workstation has a field x"
    assert all(len(kind) < 200 for kind in kinds)


def test_of_a_long_list_the_beginning_is_compared():
    files = [FILE] * 99 + [FILE | {"in": 1}, FILE | {"out": 1}] + [FILE] * 10_000
    assert find(within(files={"data": files})) == ["file has a field in"]


def test_of_many_fields_some_are_told_and_none_of_the_contract_is_missed():
    kinds = find({f"x{number}": number for number in range(10_000)} | WORKSTATION | {"status": "paused"})
    assert len(kinds) == 20
    assert not any("lacks" in kind for kind in kinds)
    assert find(dict.fromkeys((f"x{number}" for number in range(10_000)), None) | WORKSTATION) == kinds


def test_a_huge_text_is_neither_compared_nor_told_as_a_whole():
    (kind,) = find(WORKSTATION | {"type": "x" * 1_000_000})
    assert kind == f"workstation has the type {'x' * 500}"


def test_of_a_page_as_many_entries_are_compared_as_are_ever_asked_for():
    page = Page.from_dict({"data": [WORKSTATION | {"x": 1}] * 1000, "total": 3})
    assert [deviation.kind for deviation in page.deviations] == ["list has a field total"]
    assert sum(bool(entry.deviations) for entry in page.entries) == 100
    assert len(page.entries) == 1000


def test_of_a_list_of_types_a_thousand_are_read():
    assert len(WorkstationTypeDescription.list_from_dict({"data": [{"id": "a", "x": 1}] * 2000})) == 1000


def test_the_example_is_the_object_that_differs_as_it_came():
    told = Workstation.from_entry(within(files={"data": [FILE, FILE | {"name": None}]}))
    assert [(one.kind, one.example) for one in told.deviations] == [("file lacks name", FILE | {"name": None})]
