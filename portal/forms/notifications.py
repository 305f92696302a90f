"""What a person gets by mail."""

from django.utils.translation import gettext_lazy as _

from portal.forms.fields import CheckedField, OfferingForm


class MailForm(OfferingForm):
    kinds = CheckedField(label=_("Mail me when"))
