"""The form by which a connection is asked for."""

from datetime import timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from portal import models
from portal.forms.fields import WholeText
from portal.forms.requests import ReasonForm


class ConnectionForm(ReasonForm):
    """Asks what to open; and why, where the workstation is somebody else's."""

    kind = forms.TypedChoiceField(
        coerce=models.Connection.Kind.read, error_messages={"required": _("Choose what to open.")}
    )


class ShareForm(forms.Form):
    """`hours` is how long the share lasts; None where it has no end of its own."""

    person = WholeText(
        label=_("Username"),
        max_length=150,
        error_messages={"required": _("Enter the username of somebody in the portal.")},
        widget=forms.TextInput(
            attrs={"list": "people", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
        ),
    )
    level = forms.TypedChoiceField(
        label=_("They may"),
        choices=models.Share.Level.choices,
        coerce=models.Share.Level,
        initial=models.Share.Level.LOOK,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what they may do.")},
    )
    hours = forms.TypedChoiceField(
        label=_("For"),
        choices=[("", _("as long as it runs")), ("1", _("1 hour")), ("8", _("8 hours")), ("24", _("24 hours"))],
        coerce=lambda hours: timedelta(hours=int(hours)),
        empty_value=None,
        required=False,
    )
