"""Events as sentences: who did what to what, which is named with its kind where its name alone does not say that."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import columns
from portal.models.event import Verb

# Verbs that an auditor looks for together, by what an address calls them.
GROUPS: Mapping[str, failures.Words] = {
    "requests": _("Requests"),
    "sending": _("Sending"),
    "checking": _("Checking what was created"),
    "workstations": _("Workstations"),
    "key": _("Key and account"),
    "people": _("People and sign-in"),
    "audit-log": _("Audit log and retention"),
    "upkeep": _("Backups, settings and API changes"),
}
# Kinds whose names say what they are, or begin with the kind; of others the kind is named too.
_NEEDLESS = re.compile(
    "^(?:request|attempt|user|notice|key(?= key )|restore(?= restore )|lost response(?= response )) "
)


def list_verbs(code: str) -> list[str]:
    """Those of the group with the code; of a verb's own code that one."""
    return [verb for verb in Verb if code in (verb, verb.group)]


def list_choices() -> list[tuple[str, Any]]:
    """All verbs in their groups, as a field offers them: the whole group first."""
    groups = [
        (
            str(label),
            [
                (code, gettext("%(group)s: all") % {"group": label}),
                *((verb, capfirst(verb.replace("-", " "))) for verb in list_verbs(code)),
            ],
        )
        for code, label in GROUPS.items()
    ]
    return [("", gettext("Anything")), *groups]


def describe_event(event: models.Event) -> SafeString:
    """Who did what to what, and how it came out; the verb's code stands behind it."""
    sentence = format_html(event.words, who=_show_actor(event), what=_show_target(event), verb=event.verb)
    outcome = _describe_outcome(event)
    sentence = format_html("{}: {}", sentence, outcome) if outcome else sentence
    return format_html('{} <code class="verb">{}</code>', sentence, event.verb)


def _show_actor(event: models.Event) -> columns.Shown:
    if event.actor_id is not None:
        return columns.link_to(models.User(pk=event.actor_id), event.actor_name)
    caller = event.detail.get("system_user")
    if caller:
        return gettext("%(name)s on the server") % {"name": caller}
    return event.actor_name or gettext("The portal")


def _show_target(event: models.Event) -> columns.Shown:
    """What it was done to, with the request linked that it names or belongs to."""
    name = re.sub("^tombstone ", gettext("deletion record "), _NEEDLESS.sub("", event.target))
    if event.request_number is None:
        return name
    link, label = columns.link_to(models.Request(pk=event.request_number)), f"R-{event.request_number}"
    before, found, after = name.partition(label)
    if found and not after[:1].isdigit():
        return format_html("{}{}{}", before, link, after)
    return format_html("{} ({})", name, link)


def _describe_outcome(event: models.Event) -> columns.Shown:
    """What the event's detail says of how it came out, for those verbs whose sentences leave that open."""
    detail = event.detail
    match event.verb:
        case Verb.RESPONSE | Verb.LATE_RESPONSE | Verb.LOST_RESPONSE:
            return _join_outcome(str(detail.get("outcome", "")), str(detail.get("failure", "")))
        case Verb.PAUSE:
            return columns.show_failure(str(detail.get("cause", ""))) if detail.get("cause") else ""
        case Verb.PROBE if "passed" in detail:
            return gettext("accepted") if detail["passed"] else gettext("rejected")
        case Verb.RECONCILE if detail.get("workstation"):
            return gettext("found %(workstation)s") % {"workstation": detail["workstation"]}
        case Verb.RECONCILE if detail.get("decision") == "not created":
            return gettext("nothing was created")
        case Verb.ADOPT:
            return str(detail.get("workstation", ""))
        case Verb.OPEN_CONNECTION | Verb.END_CONNECTION:
            kinds = dict(models.Connection.Kind.choices)
            return str(kinds.get(detail.get("kind", ""), detail.get("kind", "")))
        case Verb.PASS_ON:
            return "{method} {path}: {status}".format(**detail)
        case Verb.SHARE | Verb.END_SHARE:
            return str(detail.get("person", ""))
        case Verb.SIGN_IN_FAILED if detail.get("count", 1) > 1:
            return gettext("%(count)s times") % {"count": detail["count"]}
        case Verb.NEEDS_REVIEW if not event.reason:
            return gettext("no longer needed")
    return ""


def _join_outcome(outcome: str, failure: str) -> columns.Shown:
    said = str(dict(models.Attempt.Outcome.choices).get(outcome, outcome)).lower()
    shown = columns.show_failure(failure) if failure else ""
    return format_html("{}, {}", said, shown) if said and shown else shown or said
