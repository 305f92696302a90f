"""The filters of the history: what may stand in its address, checked."""

import difflib
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.db.models import F, Q
from django.utils import dates, timezone
from django.utils.text import smart_split
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.forms.fields import NOT_IN_LIST, WholeText

_LONGEST = 366 * 86_400  # seconds: a year
_LONGEST_TYPED = 800  # characters
_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9}(?:[.,][0-9]{1,6})?)\s*(s|m|min|h|d)?", re.IGNORECASE)

_MOST_PEOPLE = 500
_DAYS = {str(_("today")).casefold(): 0, str(_("yesterday")).casefold(): 1}  # ago
_DAY = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{1,2} [a-z]{3,9}(?: [0-9]{4})?")


class DurationField(WholeText):
    """A length of time such as 90, 90 s, 5 min or 1.5 h, as seconds; None where it is empty."""

    def clean(self, value: Any) -> float | None:
        text = super().clean(value).strip()
        if not text:
            return None
        match = _DURATION.fullmatch(text)
        if match is None:
            raise forms.ValidationError(_("Enter a length of time, such as 90 s, 5 min or 2 h."))
        seconds = float(match[1].replace(",", ".")) * _UNITS[(match[2] or "").lower()]
        if seconds > _LONGEST:
            raise forms.ValidationError(_("No request takes longer than a year."))
        return seconds


class PersonField(WholeText):
    """As the ids of the person with this username, or else of those whose names begin with it; None for everybody."""

    def clean(self, value: Any) -> list[int] | None:
        name = super().clean(value)
        if not name:
            return None
        people = models.User.objects.filter(Q(username__istartswith=name) | Q(first_name__istartswith=name))
        found = dict(people.values_list("username", "pk")[:_MOST_PEOPLE])
        exact = [pk for username, pk in found.items() if username.casefold() == name.casefold()]
        if not found:
            raise forms.ValidationError(explain_nobody(name))
        return exact or list(found.values())


def choose(label: Any, choices: Any, **values: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, required=False, choices=choices, error_messages={"invalid_choice": NOT_IN_LIST}, **values
    )


def choose_day(label: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"})
    errors = {"invalid": _("This is not a date. Enter year, month and day, such as 2026-01-31.")}
    return forms.DateField(label=label, required=False, error_messages=errors, validators=[_check_near], widget=widget)


def choose_moment(label: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})
    return forms.DateTimeField(label=label, required=False, validators=[_check_near], widget=widget)


def _check_near(day: date) -> None:
    """Refuses days so far out that they have no beginning in some zones."""
    if not 1970 <= day.year <= 2199:
        raise forms.ValidationError(_("Choose a day from 1970 to 2199."))


class PeriodForm(forms.Form):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("The end must not be before the beginning."))
        return cleaned

    def read_moments(self) -> list[datetime | None]:
        """The midnights at which the first day begins and the last one ends; None where no day is given."""
        zone, since, until = (self.cleaned_data.get(name) for name in ("zone", "since", "until"))
        days = since, until and until + timedelta(days=1)
        zone = ZoneInfo(zone) if zone else None
        return [day and timezone.make_aware(datetime.combine(day, time.min), zone) for day in days]


def _read_day(text: str) -> date | None:
    """The last day of this name, to the reader: today, Tuesday, 24 Nov, 24 November 2025 or 2025-11-24."""
    today, name = timezone.localdate(), text.casefold()
    days = {str(day).casefold(): (today.weekday() - number) % 7 for number, day in dates.WEEKDAYS.items()} | _DAYS
    if name in days:
        return today - timedelta(days=days[name])
    for year in ("", f" {today.year}", f" {today.year - 1}") if _DAY.fullmatch(name) else ():
        with suppress(forms.ValidationError):
            day: date = choose_day("").clean(text + year)
            if day <= today or not year:
                return day
    return None


def explain_nobody(name: str) -> str:
    lately = models.User.objects.order_by(F("last_login").desc(nulls_last=True))
    names = lately.values_list("username", flat=True)[:_MOST_PEOPLE]
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    if not close:
        return gettext("Nobody has this name.")
    return gettext("Nobody has this name. Did you mean %(names)s?") % {"names": gettext(" or ").join(close)}


def list_periods(link: Callable[..., str], *, zone: tzinfo | None = None) -> list[tuple[str, str]]:
    """What is looked for most: words and links, made of the first day and the last, in the zone or the person's own."""
    today = timezone.localdate(timezone=zone)
    yesterday, week = today - timedelta(days=1), today - timedelta(days=6)
    return [
        (gettext("Today"), link(since=today, until=today)),
        (gettext("Yesterday"), link(since=yesterday, until=yesterday)),
        (gettext("Last 7 days"), link(since=week, until=today)),
    ]


class ListFilterForm(forms.Form):
    # Fields that exist only where everybody's rows are listed.
    FOR_EVERYBODY: ClassVar[tuple[str, ...]] = ("person",)

    def __init__(self, *args: Any, types: Iterable[str], with_person: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(name, models.label_type(name)) for name in types]
        self.fields["type"].choices = [("", _("Any")), *names]  # type: ignore[attr-defined]
        for name in () if with_person else self.FOR_EVERYBODY:
            del self.fields[name]


class PartsForm(forms.Form):
    """Has a `show`, the name of one of the list's parts in the address. The first is shown unless it says otherwise."""

    PARTS: ClassVar[tuple[tuple[str, Any], ...]]

    show = choose(_("Which"), [], widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["show"].choices = self.PARTS  # type: ignore[attr-defined]

    @property
    def shown(self) -> str:
        chosen: str = "" if "show" in self.errors else self.cleaned_data["show"]
        return chosen or self.PARTS[0][0]


class RequestFilterForm(ListFilterForm, PeriodForm):
    """`cleaned_data` also has what `q` asks for: the `number` of a request, or `words`.

    `zone` is that of the days, where it is not the person's."""

    q = WholeText(
        label=_("Search"),
        required=False,
        help_text=_(
            "A request's number (R-42), or words from a note, an error, a workspace's name or an ID. A state, a "
            "failure's code, a type or a day filters: failed, 422, Python, yesterday, Tuesday, 24 Nov, 2026-11-24. "
            "Quote it to search it as text."
        ),
        # More than may be looked for, so that too much is said to be so; in any script no more than an address takes.
        widget=forms.TextInput(
            attrs={"type": "search", "autocomplete": "off", "spellcheck": "false", "maxlength": _LONGEST_TYPED}
        ),
    )
    status = choose(_("State"), [("", _("Any")), *models.Request.Status.choices])
    type = choose(_("Type"), [])
    failure = choose(_("Failure"), [("", _("Any")), *failures.CHOICES])
    person = PersonField(label=_("Person"), required=False, max_length=150)
    unknown = choose(_("Outcome was ever unknown"), [("", _("Any")), ("ever", _("At some time"))])
    longer = DurationField(
        label=_("Duration over"),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": _("such as 5 min")}),
    )
    since = choose_day(_("From"))
    until = choose_day(_("To"))
    zone = choose(_("Days of"), lambda: [(name, name) for name in available_timezones()], widget=forms.HiddenInput)
    sort = choose(_("Order"), [("", _("Newest first")), ("oldest", _("Oldest first"))], widget=forms.HiddenInput)
    before = forms.IntegerField(required=False, min_value=1, max_value=models.MAX_ID, widget=forms.HiddenInput)
    after = forms.IntegerField(required=False, min_value=0, max_value=models.MAX_ID, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        text = cleaned.get("q", "")
        number = None if text in failures.CATALOGUE else models.read_number(text)
        if number is None:
            text, named = self._take_names(text)
            cleaned |= {name: value for name, value in named.items() if not cleaned.get(name)}
        words = []
        try:
            words = models.read_words(text) if number is None else []
            models.check_words(words)
        except models.UnreadableSearch as error:
            self.add_error("q", str(error))
        return {**cleaned, "number": number, "words": words}

    @property
    def is_address_wrong(self) -> bool:
        """Whether the address asks for what no field shows, and what there is not: a page, an order, a zone."""
        return any(field.errors for field in self.hidden_fields())

    def describe(self, *, name: str, value: str) -> str:
        if isinstance(self.fields[name], DurationField) and value.strip().isdecimal():
            return gettext("%(seconds)s s") % {"seconds": value.strip()}
        return str(dict(getattr(self.fields[name], "choices", [])).get(value, value))

    def _take_names(self, text: str) -> tuple[str, dict[str, Any]]:
        """The text without names of states, failures, types, people and days, and what these are. Quotes are text."""
        words, rest, found = list(smart_split(text)), list[str](), dict[str, Any]()
        people = models.User.objects.filter(username__in=words) if "person" in self.fields else ()
        names: dict[str, dict[str, Any]] = {one.username.casefold(): {"person": [one.pk]} for one in people}
        for field in ("type", "failure", "status"):
            choices: list[tuple[str, Any]] = self.fields[field].choices  # type: ignore[attr-defined]
            names |= {str(word).casefold(): {field: pair[0]} for pair in choices if pair[0] for word in pair}
        while words:
            for length in (3, 2, 1):
                day = _read_day(name := " ".join(words[:length]))
                named = {"since": day, "until": day} if day else names.get(name.casefold())
                if named and not named.keys() & found.keys():
                    found |= named
                    break
            else:
                rest.append(words[0])
            del words[:length]
        return " ".join(rest), found


class WorkstationFilterForm(PartsForm, ListFilterForm, PeriodForm):
    """Whoever sees everybody's workstations may also ask for those that ran in a period."""

    FOR_EVERYBODY = ("person", "since", "until")
    PARTS = (("running", _("Running")), ("unending", _("No end, over 24 h")), ("ended", _("Ended")), ("all", _("All")))

    type = choose(_("Type"), [])
    person = PersonField(label=_("Person"), required=False, max_length=150)
    since = choose_moment(_("Ran between"))
    until = choose_moment(_("and"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        return {**cleaned, "show": "all"} if cleaned.get("since") or cleaned.get("until") else cleaned


class WorkspaceFilterForm(PartsForm):
    """A workspace is in use while a workstation runs with it."""

    PARTS = (("all", _("All")), ("in-use", _("In use")), ("unused", _("Not in use")))
