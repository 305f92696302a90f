"""Events name rows in the code's words: what pages call a kind may change, and a search still finds former events."""

import pytest
from django.utils.functional import SimpleLazyObject

from portal import models


@pytest.mark.parametrize(
    ("row", "target"),
    [
        (models.User(username="alice"), "user alice"),
        (models.Notice(kind="colour"), "notice colour"),
        (models.LateResponse(attempt=models.Attempt(request_id=5, number=1)), "late response late response to R-5"),
        (models.Workstation(uid="W1"), "workstation W1"),
        (SimpleLazyObject(lambda: models.User(username="alice")), "user alice"),  # as an HTTP request has its person
    ],
)
def test_a_row_is_named_by_its_kind_and_itself(row, target):
    assert models.name_target(row).startswith(target)
