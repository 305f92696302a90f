"""The sandbox held against the provider's OpenAPI file by generated requests."""

import random
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from portal.sandbox import names, server

CONFIG = SchemathesisConfig.from_dict(
    {
        "headers": {"Authorization": f"Bearer {names.DEFAULT_API_KEY}"},
        "checks": {
            # A workspace or workstation that was made up is not found: 422.
            "positive_data_acceptance": {"expected-statuses": ["2xx", "422"]},
            # The contract does not say that what it does not describe is refused.
            "negative_data_rejection": {"enabled": False},
        },
    }
)
schema = schemathesis.openapi.from_path(Path(__file__).parent / "openapi.yaml", config=CONFIG)
TIMES = ["2021-04-07T10:30:00Z", "2030-01-01T00:00:00+02:00", "2025-12-31T23:59:59.5Z"]


def make_sound(case: schemathesis.Case) -> None:
    """Sound times, limits and no cursor; no reserved workspace.

    The file gives the first as any string or integer, and what the sandbox refuses of them has tests of its own;
    `hang` is no wish to be generated.
    """
    query, body = case.query, case.body
    choice = random.Random(repr(query))
    for name in {"before", "after"} & set(query or ()):
        query[name] = choice.choice(TIMES)
    if "limit" in (query or ()):
        query["limit"] = choice.randint(1, 100)
    if "cursor" in (query or ()):
        del query["cursor"]
    if isinstance(body, dict) and names.is_reserved(str(body.get("workspace_id"))):
        del body["workspace_id"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[server.Sandbox]:
    with server.Sandbox() as running:
        yield running


@schema.parametrize()
@hypothesis.settings(
    max_examples=50, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_the_sandbox_keeps_the_contract(case, sandbox):
    make_sound(case)
    case.call_and_validate(base_url=sandbox.base_url, timeout=30)
