"""The sandbox held against the provider's OpenAPI file by generated requests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
import yaml
from schemathesis.config import SchemathesisConfig

from portal.sandbox import names, server
from tests.contract import generated

CONFIG = SchemathesisConfig.from_dict(
    {"headers": {"Authorization": f"Bearer {names.DEFAULT_API_KEY}"}, **generated.CHECKS}
)


def read_newer() -> dict[str, Any]:
    """The contract with what it has under x-unknown of the newer generation, which the sandbox offers beside it."""
    contract: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "openapi.yaml").read_text())
    schemas, paths = contract["components"]["schemas"], contract["paths"]
    schemas["WorkstationType"]["enum"].append("default")
    del schemas["WorkstationRequest"]["required"]
    released = paths["/workstations/{workstation_id}/release"]["delete"]
    paths["/workstations/{workstation_id}"]["delete"] = released | {"operationId": "releaseByID"}
    return contract


schema = schemathesis.openapi.from_dict(read_newer(), config=CONFIG)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[server.Sandbox]:
    with server.Sandbox() as running:
        yield running


@schema.parametrize()
@hypothesis.settings(
    max_examples=50, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_the_sandbox_keeps_the_contract(case, sandbox):
    generated.make_sound(case)
    case.call_and_validate(base_url=sandbox.base_url, timeout=30)
