"""What an auditor asks of the audit log: may stand in an address, and is checked."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.forms.fields import OfferingForm, WholeText
from portal.forms.filters import PeriodForm, choose, choose_day, explain_nobody

MOST_PEOPLE = 50  # whose events are looked for one by one
_TYPED = {"autocomplete": "off", "spellcheck": "false"}


class EventFilterForm(OfferingForm, PeriodForm):
    """`person` is cleaned to the names that events may have, `request` to its number."""

    person = WholeText(
        label=_("Done by"), required=False, max_length=150, widget=forms.TextInput(attrs={**_TYPED, "size": 14})
    )
    request = WholeText(
        label=_("Request"),
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={**_TYPED, "size": 12, "placeholder": _("such as R-1042")}),
    )
    since = choose_day(_("From"))
    until = choose_day(_("To"))
    verb = choose(_("What happened"), [])

    def clean_person(self) -> list[str]:
        """The person of this name, or else those whose names begin with it.

        A former name counts as a name: events keep it when an administrator renames somebody.
        """
        name = self.cleaned_data["person"]
        if not name:
            return []
        rows = models.User.objects.filter(username__istartswith=name).order_by("username")
        found = list(rows.values_list("username", flat=True)[: MOST_PEOPLE + 1])
        exact = {username for username in found if username.casefold() == name.casefold()}
        if models.Event.objects.filter(actor_name=name).exists():
            exact.add(name)
        if not exact and len(found) > MOST_PEOPLE:
            raise forms.ValidationError(_("Too many names begin like this. Type more of the name."))
        if not exact and not found:
            raise forms.ValidationError(explain_nobody(name))
        return sorted(exact) or found

    def clean_request(self) -> int | None:
        text = self.cleaned_data["request"]
        number = models.read_number(text) if text else None
        if text and number is None:
            raise forms.ValidationError(_("Enter a request's number, such as R-1042 or 1042."))
        return number
