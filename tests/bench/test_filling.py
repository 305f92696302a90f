"""Made-up history is one that the portal itself could have written, and is written only where nothing else is."""

import pytest

from portal import models
from portal.services.audit import protection, verify
from tests import factories
from tests.bench import filling

REQUESTS = 130
pytestmark = pytest.mark.django_db(transaction=True)


def test_its_audit_log_is_sealed_and_verifies_and_tells_of_its_rows():
    filling.fill_history(requests=REQUESTS)
    report = verify.verify_log(rows=True)
    assert (report.findings, report.events) == ([], models.Event.objects.count())
    assert models.Seal.objects.exists()
    assert protection.find_faults() == []
    assert models.SearchEntry.objects.count() == REQUESTS

    request, attempt, workstation = (
        model.objects.latest("pk") for model in (models.Request, models.Attempt, models.Workstation)
    )
    with factories.unprotected():
        models.Request.objects.filter(pk=request.pk).update(note="another")
        models.Attempt.objects.filter(pk=attempt.pk).update(message="another")
        models.Workstation.objects.filter(pk=workstation.pk).update(uid="another")
    found = {finding.what for finding in verify.verify_log(rows=True).findings}
    assert found == {f"request {request}", f"attempt {attempt.pk}", f"workstation {workstation.pk}"}


def test_it_goes_on_where_it_was_stopped(monkeypatch):
    def stop(words: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(filling, "_BATCH", 100)
    with pytest.raises(KeyboardInterrupt):
        filling.fill_history(requests=REQUESTS, report=stop)
    assert 0 < models.Request.objects.count() < REQUESTS

    for _ in range(2):
        filling.fill_history(requests=REQUESTS)

    assert models.Request.objects.count() == REQUESTS
    assert verify.verify_log(rows=True).findings == []
    new = factories.submit(factories.create_user("zoe", "Members"), note="heliotrope")
    assert "heliotrope" in models.SearchEntry.objects.get(pk=new.pk).words
    with pytest.raises(filling.Refused, match="another number"):
        filling.fill_history(requests=REQUESTS + 1)
