"""Types on pages: the form offers what the provider offers, and what is gone is shown in the past."""

import re
from urllib.parse import urlencode

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from tests import factories

pytestmark = pytest.mark.django_db

NEW = "/requests/new/"
ODD = "Büro – 事務所 <b>&amp;" + "x" * 170  # 190 characters


def offer(*names: str, **values: object) -> None:
    """As if the provider's list had just named these."""
    rows = models.WorkstationType.objects.filter(account=accounts.get_current_account())
    rows.exclude(name__in=names).update(withdrawn_at=Now())
    for name in names:
        models.WorkstationType.objects.update_or_create(
            account=accounts.get_current_account(), name=name, defaults={"withdrawn_at": None, **values}
        )


def list_cards(response) -> list[str]:
    return [option.data["value"] for option in response.context["form"]["type"]]


def test_without_a_list_the_form_has_the_nine_and_says_what_each_is_for(sign_in, alice):
    response = sign_in(alice).get(NEW)
    assert sorted(list_cards(response)) == sorted(models.Request.Type.values)
    groups = re.findall(r'role="group"\s+aria-label="([^"]*)"', response.text)
    assert groups[1:] == ["Browsers", "Code", "Calls and everything"]
    said = re.findall(r'<span\s+class="what"[^>]*>\s*([^<]*?)\s*</span>', response.text)
    assert len({*filter(None, said)}) == 9
    assert said[2] == "Joins Zoom meetings, with a browser beside them."


def test_the_form_offers_what_the_list_has_and_says_what_it_says(sign_in, alice):
    offer("default", description="A desktop & more.", software=["ssh", "<b>chromium</b>"])
    response = sign_in(alice).get(NEW)
    page = response.text

    assert list_cards(response) == ["default"]
    assert 'aria-label="Others"' in page
    assert "A desktop &amp; more." in page
    assert "Software: ssh, &lt;b&gt;chromium&lt;/b&gt;" in page
    assert sign_in(alice).post(NEW, factories.fill_form(type="default")).status_code == 302
    assert models.Request.objects.get().type == "default"


def test_a_type_that_is_not_offered_is_refused_beside_the_field(sign_in, alice):
    offer("default")
    offer("max")
    for name in ("python", "default", "py\x00thon", "d\ud800".encode("utf-8", "surrogatepass"), "x" * 500):
        response = sign_in(alice).post(NEW, factories.fill_form(type=name, note="kept"))
        assert response.status_code == 200
        (error,) = response.context["form"].errors["type"]
        assert error == "AgentStation doesn't offer this type. Choose one of those shown here."
        assert list_cards(response) == ["max"]
        assert response.context["form"]["note"].value() == "kept"
    assert models.Request.objects.count() == 0


def test_a_type_that_is_gone_stays_in_the_history_and_its_filters(sign_in, alice, anna):
    offer("gone")
    gone = factories.submit(alice, type="gone")
    factories.submit(alice, type="max")
    offer("max")
    browser = sign_in(alice)

    page = browser.get("/requests/?type=gone").context["page"]
    assert [row.pk for row in page.requests] == [gone.pk]
    assert '<option value="gone">gone</option>' in browser.get("/requests/").text
    assert "?type=gone" in sign_in(anna).get("/admin/portal/request/").text


def test_an_odd_type_breaks_no_page(sign_in, alice, olga):
    offer(ODD, "max", description=ODD * 20, software=[ODD] * 20)
    browser = sign_in(alice)
    assert browser.post(NEW, factories.fill_form(type=ODD)).status_code == 302
    portal_request = models.Request.objects.get(type=ODD)
    models.Workstation.objects.create(
        account=portal_request.account, uid="w1", request=portal_request, type=ODD, status="active"
    )
    for path in (
        *(NEW, "/", "/requests/", f"/requests/{portal_request.pk}/", "/usage/", "/workstations/", "/workstations/w1/"),
        *("/unknown/", "/key/", "/admin/portal/request/", "/admin/portal/workstation/"),
        *("/admin/portal/workstationtype/", f"/admin/portal/request/{portal_request.pk}/change/"),
    ):
        response = sign_in(olga).get(path)
        assert response.status_code == 200, path
        assert "<b>&amp;x" not in response.text
    query = urlencode({"type": ODD, "status": "QUEUED"})
    assert browser.get(f"/requests/?{query}").status_code == 200
    assert browser.post(f"/requests/export.csv?{query}").status_code == 200
    for name in ("request", "workstation"):
        response = sign_in(olga).get(f"/admin/portal/{name}/", {"type": ODD})
        assert response.context["cl"].result_count == 1
        assert sign_in(olga).get(f"/admin/portal/{name}/", {"type": "none"}).context["cl"].result_count == 0
