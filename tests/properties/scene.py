"""What the state machines share: a database that forgets each example, results without a provider, and time."""

from itertools import count
from uuid import uuid4

from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine

from portal import agentstation, failures, models
from portal.services.key import accounts
from portal.services.requests import dispatch, submissions
from tests import factories

# Moved by more than an example takes, so that real time never decides.
TICK = 10
_STATUSES = {"no-connection": None, "no-answer": None, "unreadable": 200, "other": 418}
_uids = count(1)


def bounded(*, examples: int, steps: int) -> settings:
    """The same examples in every run, and no more than these. A failure is shown as found: shrinking takes minutes."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


class Example(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self.account = accounts.get_current_account()
        factories.mark_baseline_scan()

    def conclude(self) -> None:
        """What must hold at the end of every example."""

    def teardown(self) -> None:
        try:
            self.conclude()
        finally:
            transaction.set_rollback(True)
            self._transaction.__exit__(None, None, None)


def submit(requester: models.User) -> models.Request:
    return submissions.submit_request(requester=requester, submission=uuid4(), type="python", workspace_uid="", note="")


def make_result(code: str, *, retry_after: float | None = None, uid: str = "") -> dispatch.Result:
    """What a call ends in: "200", "not-sent", the code of a failure, or a gateway's "502"."""
    if code == "not-sent":
        return dispatch.Result()
    status = _STATUSES[code] if code in _STATUSES else int(code)
    response = None
    if status is not None:
        response = agentstation.Response(
            status=status, body=code.encode(), truncated=False, retry_after=retry_after, error="", message=""
        )
    if code == "200":
        raw = {"id": uid or f"W{next(_uids)}", "type": "python", "status": "active"}
        return dispatch.Result(value=agentstation.Workstation.from_dict(raw), response=response)
    failure = failures.NO_ANSWER if code == "502" else failures.CATALOGUE[code]
    return dispatch.Result(failure=failure, response=response)
