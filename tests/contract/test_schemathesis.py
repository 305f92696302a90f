"""The sandbox held against the provider's OpenAPI file by generated requests."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from portal.sandbox import names, server
from tests.contract import generated

CONFIG = SchemathesisConfig.from_dict(
    {"headers": {"Authorization": f"Bearer {names.DEFAULT_API_KEY}"}, **generated.CHECKS}
)
schema = schemathesis.openapi.from_path(Path(__file__).parent / "openapi.yaml", config=CONFIG)


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
