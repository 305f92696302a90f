"""Second factors: who must have one, an authenticator app, recovery codes, and what becomes of lost ones."""

from contextlib import suppress
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import DownloadRecoveryCodesView, GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from django.contrib import messages
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.accounts import forms
from portal.models.event import Verb
from portal.services import audit
from portal.services.people import policy
from portal.services.tokens import tokens
from portal.views import people
from portal.views.http import SignedInRequest
from portal.web import middleware


def require_factor(*, session: SessionBase, person: models.User) -> None:
    """Have the person set up a second factor now, where they must have one and have none; an issuer stands for it."""
    who = policy.read_policy().second_factor
    is_needed = who == "everybody" or (who == "operators" and person.sees_all)
    if is_needed and not session.get("issuer") and not Authenticator.objects.filter(user=person).exists():
        session[middleware.FACTOR_MISSING] = True
    else:
        session.pop(middleware.FACTOR_MISSING, None)


def describe(*, person: models.User) -> dict[str, Any]:
    """The person's app and passkeys, and how many recovery codes are left."""
    rows = Authenticator.objects.filter(user=person).order_by("created_at")
    kinds = {row.type: row for row in rows}
    codes = kinds.get(Authenticator.Type.RECOVERY_CODES)
    return {
        "app": kinds.get(Authenticator.Type.TOTP),
        "passkeys": [row for row in rows if row.type == Authenticator.Type.WEBAUTHN],
        "codes": _count_codes(codes) if codes else 0,
    }


def _count_codes(codes: Any) -> int:
    with suppress(ValidationError):  # encrypted with a former SECRET_KEY
        return len(codes.wrap().get_unused_codes())
    return 0


class Recorded:
    """A view by which somebody changes their own factors: that is recorded in the same transaction, and said."""

    request: Any
    verb: Verb
    factor = Authenticator.Type.TOTP
    said: str | Promise = ""
    did_generate_recovery_codes = False

    def get_success_url(self) -> str:
        return reverse("mfa_view_recovery_codes" if self.did_generate_recovery_codes else "account")

    def form_valid(self, form: Any) -> Any:
        person = self.request.user
        with transaction.atomic():
            response = super().form_valid(form)  # type: ignore[misc]
            audit.record(self.verb, person, by=person, detail={"factor": self.factor}, rows=())
            require_factor(session=self.request.session, person=person)
        if self.said:
            messages.success(self.request, str(self.said))
        return response


class AddApp(Recorded, ActivateTOTPView):
    template_name = "accounts/add_app.html"
    form_class = forms.AddAppForm
    verb = Verb.ADD_FACTOR
    said = _("The app is added. From now on you are asked for a code when you sign in.")


class RemoveApp(Recorded, DeactivateTOTPView):
    template_name = "accounts/remove_app.html"
    verb = Verb.REMOVE_FACTOR
    said = _("The app is removed: its codes are no longer asked for.")


class _ReadableCodes:
    """Leads back, and says why, where the codes were encrypted with a SECRET_KEY that is not known any more."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        except ValidationError as error:
            messages.warning(request, error.messages[0])
            return redirect("account")


class ShowCodes(_ReadableCodes, ViewRecoveryCodesView):
    template_name = "accounts/codes.html"


class DownloadCodes(_ReadableCodes, DownloadRecoveryCodesView):
    template_name = "accounts/codes.txt"


class RenewCodes(_ReadableCodes, Recorded, GenerateRecoveryCodesView):
    """New recovery codes, in place of the former ones."""

    template_name = "accounts/renew_codes.html"
    verb = Verb.RENEW_CODES
    factor = Authenticator.Type.RECOVERY_CODES
    did_generate_recovery_codes = True


@people.change_person
def reset(request: SignedInRequest, person: models.User) -> str:
    remove_factors(person=person, by=request.user, all_tokens="all_tokens" in request.POST)
    return str(_("%(name)s signs in with the password alone until they add a factor."))


@transaction.atomic
def remove_factors(*, person: models.User, by: models.User | None, all_tokens: bool = False, **detail: object) -> int:
    """Remove all second factors of somebody who has lost them, and end tokens that `wsp login` got, or all; returns how
    many factors there were."""
    rows = Authenticator.objects.filter(user=person)
    kinds = sorted(rows.values_list("type", flat=True))
    rows.delete()
    audit.record(Verb.RESET_FACTORS, person, by=by, detail={"factors": kinds, **detail}, rows=())
    tokens.end_tokens(person=person, by=by, all_=all_tokens)
    return len(kinds)
