"""The rows of the page "Needs review": what is known, what can be said of it now, and what follows from that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast

from django import forms as django_forms
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from portal import forms, models
from portal.db import clock
from portal.services.reconciliation import matching, operator_actions, review

_MOST_OPTIONS = 25  # workstations in a list; of more, the ID is typed
_LONGEST = 60  # characters of what AgentStation says, in a list
_CLOCK, _MOMENT = "H:i T", "j M, H:i:s T"

type Data = Mapping[str, object] | None


class Option(NamedTuple):
    """`leads_to` is what follows from the answer; `obstacle`, why it cannot be chosen now."""

    value: str
    label: str
    leads_to: str
    obstacle: str = ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    action: str
    form: forms.ReasonForm
    options: Sequence[Option]
    asks_workstation: bool = False

    @property
    def first(self) -> Option | None:
        """The first that can be chosen: an error links there."""
        return next((option for option in self.options if not option.obstacle), None)


@dataclass(frozen=True, kw_only=True)
class Row:
    decision: Decision | None
    case: review.Case | None = None
    workstation: models.Workstation | None = None
    expectation: str = ""
    facts: Sequence[tuple[str, str]] = ()


# --- Requests ---


def make_request_form(*, user: models.User, portal_request: models.Request, data: Data = None) -> forms.DecisionForm:
    """What the service would refuse now need not be confirmed."""
    obstacle = operator_actions.find_obstacle(actor=user, portal_request=portal_request)
    return forms.DecisionForm(
        data,
        needs_confirmation=not obstacle and operator_actions.is_sent_again(portal_request=portal_request),
        workstations=models.Workstation.objects.filter(account=portal_request.account_id),
        auto_id=f"request-{portal_request.pk}-%s",
    )


def describe_request(case: review.Case, *, user: models.User, now: datetime, refused: forms.ReasonForm | None) -> Row:
    expectation = _describe_expectation(case, now=now)
    may_decide = user.decides
    return Row(
        case=case,
        expectation=expectation,
        facts=[*_list_facts(case)],
        decision=_ask_about_request(case, user=user, expectation=expectation, refused=refused) if may_decide else None,
    )


def _describe_expectation(case: review.Case, *, now: datetime) -> str:
    if case.asked_at is not None:
        return _("Waiting for a person since %(when)s.") % {"when": _say(case.asked_at, _MOMENT)}
    if case.known_by is None or case.asked_by is None:
        return ""
    if now < case.known_by:
        return _("By itself, by about %(when)s.") % {"when": _say(case.known_by, _CLOCK)}
    if now < case.asked_by:
        return _("It takes longer: a person is asked by about %(when)s.") % {"when": _say(case.asked_by, _CLOCK)}
    return _("It takes longer than usual.")


def _list_facts(case: review.Case) -> Iterator[tuple[str, str]]:
    if case.attempt is None:
        return
    attempt = case.attempt
    if case.was_restored:
        yield _("Sent"), _("Not known: the database was restored from a backup")
    else:
        values = {"when": _say(attempt.claimed_at, _MOMENT), "number": attempt.number}
        yield _("Sent"), _("%(when)s, attempt %(number)s") % values
        title = attempt.failure_row.title if attempt.failure_row else attempt.failure
        codes = [attempt.failure, f"HTTP {attempt.http_status}" if attempt.http_status else ""]
        yield _("Outcome"), f"{title} ({', '.join(filter(None, codes))})"
    late = getattr(attempt, "late_response", None)
    if late is not None:
        yield _("Late response"), f"{_say(late.came_at, _MOMENT)}: {late.words or late.get_outcome_display()}"
    yield _("Complete scans since then"), _describe_scans(case.scans)
    found = "; ".join(_describe_candidate(one) for one in case.possible)
    yield _("May have been created for it"), found or _("No workstation that AgentStation lists")


def _describe_scans(scans: Sequence[models.Scan]) -> str:
    if not scans:
        return _("None yet")
    values = {"count": len(scans), "when": _say(scans[0].begun_at, _MOMENT)}
    values |= {"active": scans[0].active_count, "ended": scans[0].history_count}
    return _("%(count)s, the last at %(when)s (%(active)s active, %(ended)s ended)") % values


def _ask_about_request(
    case: review.Case, *, user: models.User, expectation: str, refused: forms.ReasonForm | None
) -> Decision:
    portal_request = case.portal_request
    form = _choose(make_request_form(user=user, portal_request=portal_request), refused)
    if 0 < len(case.candidates) <= _MOST_OPTIONS:
        form.fields["workstation"].widget = django_forms.Select(choices=_list_choices(case.candidates))
    return Decision(
        action=reverse("unknown_decide", args=[portal_request.pk]),
        form=form,
        options=_list_answers(case, user=user, expectation=expectation),
        asks_workstation=bool(case.candidates) or "workstation" in form.errors,
    )


def _list_answers(case: review.Case, *, user: models.User, expectation: str) -> list[Option]:
    none_known = _("None of the unassigned can be linked. One can be as soon as AgentStation's lists show its ID.")
    obstacle = operator_actions.find_obstacle(actor=user, portal_request=case.portal_request)
    return [
        Option(
            forms.DecisionForm.ADOPT,
            _("Link a workstation"),
            _("The request gets the unassigned workstation that you choose, and succeeds."),
            "" if case.candidates else none_known,
        ),
        Option(forms.DecisionForm.NOT_CREATED, *_describe_again(case), f"{obstacle} {expectation}" if obstacle else ""),
        Option(
            forms.DecisionForm.GIVE_UP,
            _("Mark as failed"),
            _("The request ends. A workstation that is found later stays unassigned."),
        ),
    ]


def _describe_again(case: review.Case) -> tuple[str, str]:
    """The label of the answer that nothing was created, and what it leads to."""
    if operator_actions.is_sent_again(portal_request=case.portal_request):
        leads_to = _(
            "The request goes back into the queue and is sent again. If AgentStation has created a workstation after "
            "all, there will be two, and both are billed."
        )
        return _("Not created: send again"), leads_to
    leads_to = _("The request is cancelled: the account that it was sent to is no longer in use.")
    if not case.portal_request.requester.is_active:
        leads_to = _("The request is cancelled: its requester may no longer request workstations.")
    if case.portal_request.cancel_requested_at is not None:
        leads_to = _("The request is cancelled, as its requester wants.")
    return _("Not created: cancel"), leads_to


def _list_choices(candidates: Sequence[review.Candidate]) -> list[tuple[str, object]]:
    likely = [(one.uid, _describe_candidate(one)) for one in candidates if one.is_likely]
    others = [(one.uid, _describe_candidate(one)) for one in candidates if not one.is_likely]
    groups: list[tuple[str, object]] = [("", _("Choose one"))]
    if likely:
        groups.append((_("May have been created for it"), likely))
    return [*groups, (_("Other unassigned workstations"), others)] if others else groups


# --- Unassigned workstations ---


def make_orphan_form(*, workstation: models.Workstation, data: Data = None) -> forms.OrphanForm:
    return forms.OrphanForm(data, auto_id=f"workstation-{workstation.pk}-%s")


def describe_orphan(workstation: models.Workstation, *, user: models.User, refused: forms.ReasonForm | None) -> Row:
    is_open = workstation.release_requested_at is None and not workstation.is_nameless
    may_decide = is_open and user.decides
    decision = _ask_about_orphan(workstation, refused=refused) if may_decide else None
    return Row(workstation=workstation, decision=decision)


def _ask_about_orphan(workstation: models.Workstation, *, refused: forms.ReasonForm | None) -> Decision | None:
    try:
        action = reverse("orphan_decide", args=[workstation.uid])
    except NoReverseMatch:  # an ID that no address can have
        return None
    form = _choose(make_orphan_form(workstation=workstation), refused)
    release = _("AgentStation ends it immediately and stops everything running on it. Files stay in the workspace.")
    disown = _("It belongs to somebody else who uses this API key. It stays as it is, and no request waits for it.")
    options = [Option(form.RELEASE, _("Release"), release), Option(form.DISOWN, _("Not ours"), disown)]
    return Decision(action=action, form=form, options=options)


# --- Both ---


def _choose[Form: forms.ReasonForm](form: Form, refused: forms.ReasonForm | None) -> Form:
    """The form of a row, or as it was sent and refused."""
    return cast(Form, refused) if refused is not None and refused.auto_id == form.auto_id else form


def list_possible(portal_request: models.Request) -> list[str]:
    return [_sketch(one) for one in review.list_possible(portal_request=portal_request, now=clock.read_clock())]


def _describe_candidate(one: review.Candidate | matching.Newcomer) -> str:
    uid, words = Truncator(one.uid).chars(_LONGEST), _sketch(one)
    return f"{uid} ({words})" if words else uid


def _sketch(one: review.Candidate | matching.Newcomer) -> str:
    parts = [Truncator(models.label_type(one.type)).chars(_LONGEST)] if one.type else []
    if one.started_at is not None:
        parts.append(_("started %(when)s") % {"when": _say(one.started_at, _MOMENT)})
    if one.workspace_uid:
        parts.append(_("workspace %(uid)s") % {"uid": Truncator(one.workspace_uid).chars(_LONGEST)})
    return ", ".join(parts)


def _say(moment: datetime, format: str) -> str:
    return date_format(timezone.localtime(moment), format)
