"""`/v1` held against the provider's OpenAPI file by generated requests of one person, beside another's workstations."""

import random
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from tests import factories
from tests.contract import generated
from tests.worker.running import run_worker

pytestmark = pytest.mark.django_db(transaction=True)
# Every workstation may be deleted, also by the path that the file only tells of: it knows fewer methods than there are.
ALLOWED = {name: {"enabled": False} for name in ("unsupported_method", "allow_header_conformance")}
CONFIG = SchemathesisConfig.from_dict({"checks": generated.CHECKS["checks"] | ALLOWED})
schema = schemathesis.openapi.from_path(Path(generated.__file__).parent / "openapi.yaml", config=CONFIG)


@pytest.fixture
def others(sandbox, bob) -> list[str]:
    """What nobody but bob may read of: his workstations, and their workspaces."""
    made = factories.create_workstations(bob, 2)
    return [uid for one in made for uid in (one.uid, factories.get_workspace(one).uid)]


@pytest.fixture
def own(sandbox, alice) -> list[str]:
    return [one.uid for one in factories.create_workstations(alice, 2)]


@pytest.fixture
def worker(program, own, others) -> Iterator[None]:
    with run_worker():
        yield


@schema.parametrize()
@hypothesis.settings(
    max_examples=12, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_v1_keeps_the_contract_and_tells_nothing_of_others(case, program, own, others, worker):
    generated.make_sound(case)
    choice = random.Random(repr(case.path_parameters))
    if case.path_parameters:
        case.path_parameters["workstation_id"] = uid = choice.choice([*own, others[0], others[2], "made-up"])
    answer = case.call_and_validate(
        base_url=program.server.base_url, headers={"Authorization": f"Bearer {program.secret}"}, timeout=60
    )
    assert not any(one in answer.text for one in others)
    if case.path_parameters and uid not in own:
        assert answer.status_code >= 400
