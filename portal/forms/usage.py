"""The period whose usage is shown."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.forms.filters import PeriodForm, choose_day


class UsageForm(PeriodForm):
    PERIODS = (7, 30, 90, 365)
    DEFAULT = 30
    LONGEST = 731  # days: two years

    days = forms.ChoiceField(
        required=False,
        choices=[(str(days), days) for days in PERIODS],
        widget=forms.HiddenInput,
        error_messages={"invalid_choice": _("Choose the last 7, 30, 90 or 365 days, or name two days.")},
    )
    since = choose_day(_("From"))
    until = choose_day(_("To"))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    @property
    def period(self) -> tuple[date, date]:
        """The first and the last day; of the default period where what was chosen cannot be read."""
        values = self.cleaned_data if self.is_valid() else {}
        until = values.get("until") or self.today
        return values.get("since") or until - timedelta(days=self.chosen_days - 1), until

    @property
    def chosen_days(self) -> int:
        """How many days up to today; 0 where two days were named."""
        if not self.is_valid():
            return self.DEFAULT
        return 0 if self.cleaned_data["since"] else int(self.cleaned_data["days"] or self.DEFAULT)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        since, until = cleaned.get("since"), cleaned.get("until")
        if "since" in self.errors or "until" in self.errors:
            return cleaned
        ahead = [name for name in ("until", "since") if (day := cleaned.get(name)) and day > self.today]
        if until and not since:
            self.add_error("since", _("Enter the first day."))
        elif ahead:
            self.add_error(ahead[0], _("This day is in the future."))
        elif since and ((until or self.today) - since).days >= self.LONGEST:
            self.add_error("since", _("A period can be two years at most."))
        return cleaned
