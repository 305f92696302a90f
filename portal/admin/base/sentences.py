"""Events as sentences: who did what to what.

In a sentence `{who}` is the actor, or the portal, and `{what}` what it was done to, with its kind where its name alone
does not say that.
"""

from collections.abc import Mapping

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal import failures, models
from portal.admin.base import columns
from portal.models.event import Verb

type Shown = SafeString | str

# Verbs that an auditor looks for together, by what an address calls them: a label, and the sentence of each verb.
GROUPS: Mapping[str, tuple[failures.Words, Mapping[Verb, failures.Words]]] = {
    "requests": (
        _("Requests"),
        {
            Verb.SUBMIT: _("{who} submitted {what}"),
            Verb.CANCEL: _("{who} cancelled {what}"),
            Verb.REQUEST_CANCEL: _("{who} asked to cancel {what}"),
            Verb.CLOSE: _("{who} closed {what}"),
            Verb.GIVE_UP: _("{who} gave {what} up: it had waited too long"),
            Verb.REFUSE_WORKSPACE: _("{who} refused {what}: its workspace is somebody else's"),
        },
    ),
    "sending": (
        _("Sending"),
        {
            Verb.CLAIM: _("{who} began to send {what}"),
            Verb.RESPONSE: _("{who} recorded the outcome of {what}"),
            Verb.LATE_RESPONSE: _("AgentStation responded late to {what}"),
            Verb.DEADLINE_PASSED: _("The deadline of {what} passed without a response"),
            Verb.WORKER_DIED: _("The worker that was sending {what} died"),
            Verb.LOST_RESPONSE: _("{who} kept the {what}"),
        },
    ),
    "checking": (
        _("Checking what was created"),
        {
            Verb.RECONCILE: _("{who} compared {what} with AgentStation's lists"),
            Verb.NEEDS_REVIEW: _("{who} asked for a review of {what}"),
            Verb.ADOPT: _("{who} linked a workstation to {what}"),
            Verb.NOT_CREATED: _("{who} chose to send {what} again"),
            Verb.BASELINE_SCAN: _("{who} read AgentStation's lists for the first time, of the {what}"),
        },
    ),
    "workstations": (
        _("Workstations"),
        {
            Verb.REQUEST_RELEASE: _("{who} asked to release the {what}"),
            Verb.RELEASED: _("The {what} was released"),
            Verb.OPEN_CONNECTION: _("{who} opened a connection to the {what}"),
            Verb.END_CONNECTION: _("{who} ended a connection to the {what}"),
            Verb.SHARE: _("{who} shared the {what}"),
            Verb.END_SHARE: _("{who} stopped sharing the {what}"),
            Verb.GIVE_WORKSPACE: _("{who} gave an owner to the {what}"),
            Verb.NAME_WORKSPACE: _("{who} named the {what}"),
            Verb.ENDED: _("{who} noted that the {what} has ended"),
            Verb.MISSING: _("{who} did not find the {what}"),
            Verb.FOUND_AGAIN: _("{who} found the {what} again"),
            Verb.REOPEN: _("The {what} is active again"),
            Verb.DISOWN: _("{who} declared that the {what} is not the team's"),
            Verb.LEAVE_OUT: _("{who} declared that scans are complete without the {what}"),
            Verb.CHANGE_TYPES: _("{who} noted other workstation types of the {what}"),
        },
    ),
    "key": (
        _("Key and account"),
        {
            Verb.PAUSE: _("{who} paused sending with the {what}"),
            Verb.RESUME: _("{who} resumed sending with the {what}"),
            Verb.ACTIVATE: _("{who} made the {what} active again"),
            Verb.PROBE: _("{who} probed the {what}"),
            Verb.FIRST_KEY: _("{who} accepted the first {what}"),
            Verb.ASK_ACCOUNT: _("{who} asked which account is reached by the {what}"),
            Verb.CONFIRM_KEY: _("{who} said which account is reached by the {what}"),
            Verb.WITHDRAW_KEY: _("{who} no longer accepts {what}: AgentStation refused it"),
            Verb.NOTE_SHARING: _("{who} noticed that the key is used elsewhere, of the {what}"),
            Verb.CLEAR_SHARING: _("{who} declared that nobody else uses the key, of the {what}"),
        },
    ),
    "people": (
        _("People and sign-in"),
        {
            Verb.SIGN_IN: _("{who} signed in"),
            Verb.SIGN_IN_FAILED: _("Somebody failed to sign in as {what}"),
            Verb.SIGN_IN_BLOCKED: _("Signing in was blocked for {what}"),
            Verb.SIGN_OUT: _("{who} signed out"),
            Verb.END_SESSIONS: _("{who} ended sessions of {what}"),
            Verb.SET_UP: _("{who} set the portal up"),
            Verb.CHANGE_PASSWORD: _("{who} changed the password of {what}"),
            Verb.SET_TIME_ZONE: _("{who} changed the time zone of {what}"),
            Verb.ADD_PERSON: _("{who} added {what}"),
            Verb.MAKE_LINK: _("{who} made a sign-in link for {what}"),
            Verb.USE_LINK: _("{who} chose a password by a sign-in link"),
            Verb.CHANGE_PERSON: _("{who} changed {what}"),
            Verb.ADD_GROUP: _("{who} added the {what}"),
            Verb.CHANGE_GROUP: _("{who} changed the {what}"),
            Verb.DELETE_GROUP: _("{who} deleted the {what}"),
            Verb.REFUSED: _("{who} was refused {what}"),
        },
    ),
    "audit-log": (
        _("Audit log and retention"),
        {
            Verb.CHECKED: _("{who} checked {what} as a whole"),
            Verb.EVIDENCE: _("{who} downloaded the audit bundle of {what}"),
            Verb.EXPORT: _("{who} exported {what}"),
            Verb.PRUNE: _("{who} deleted what was old enough, and named it in the {what}"),
        },
    ),
    "upkeep": (
        _("Backups, settings and API changes"),
        {
            Verb.RESTORE: _("{who} noted that a backup was restored: {what}"),
            Verb.RESTORED: _("{who} has to check {what}, because a backup was restored"),
            Verb.DATABASE_CHANGED: _("{who} noticed a change of the {what}"),
            Verb.CONFIRM_DATABASE: _("{who} said what became of the {what}"),
            Verb.CLOCK_STEP: _("{who} noticed a step of {what}"),
            Verb.SETTINGS: _("{who} started with other {what}"),
            Verb.NOTICE: _("{who} noticed an API change: {what}"),
        },
    ),
}
# Of a verb that this version of the portal does not know.
OTHER = _("{who}: {verb}, {what}")

# Kinds whose names say what they are; of others the kind is named too.
_PLAIN = ("request", "attempt", "user", "notice")
_DOUBLED = ("key", "restore", "lost response")  # whose names begin with the kind
_OTHERWISE = {"tombstone": _("deletion record")}  # what pages call a kind

_SENTENCES = {verb.value: words for _label, listed in GROUPS.values() for verb, words in listed.items()}


def list_verbs(code: str) -> tuple[str, ...]:
    """Those of the group with the code; of a verb's own code that one."""
    return tuple(GROUPS[code][1]) if code in GROUPS else (code,) if code else ()


def list_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """All verbs in their groups, as a field offers them: the whole group first."""
    return [
        (
            str(label),
            [
                (code, gettext("%(group)s: all") % {"group": label}),
                *((verb.value, capfirst(str(verb.label))) for verb in verbs),
            ],
        )
        for code, (label, verbs) in GROUPS.items()
    ]


def describe_event(event: models.Event) -> SafeString:
    """Who did what to what, and how it came out; the verb's code stands behind it."""
    words = str(_SENTENCES.get(event.verb, OTHER))
    sentence = format_html(words, who=_show_actor(event), what=_show_target(event), verb=event.verb)
    outcome = _describe_outcome(event)
    sentence = format_html("{}: {}", sentence, outcome) if outcome else sentence
    return format_html('{} <code class="verb">{}</code>', sentence, event.verb)


def _show_actor(event: models.Event) -> Shown:
    """The person, linked; or the portal, or who called a command on the server."""
    if event.actor_id is not None:
        return columns.link_to(models.User(pk=event.actor_id), event.actor_name)
    caller = event.detail.get("system_user") if isinstance(event.detail, dict) else None
    if caller:
        return gettext("%(name)s on the server") % {"name": caller}
    return event.actor_name or gettext("The portal")


def _show_target(event: models.Event) -> Shown:
    """What it was done to, with the request linked that it names or belongs to."""
    name = _name_target(event.target)
    if event.request_number is None:
        return name
    link, label = columns.link_to(models.Request(pk=event.request_number)), f"R-{event.request_number}"
    before, found, after = name.partition(label)
    if found and not after[:1].isdigit():
        return format_html("{}{}{}", before, link, after)
    return format_html("{} ({})", name, link)


def _name_target(target: str) -> str:
    for kind in _PLAIN:
        if target.startswith(f"{kind} "):
            return target.removeprefix(f"{kind} ")
    for kind in _DOUBLED:
        if target.startswith(f"{kind} {kind.split()[-1]} "):
            return target.removeprefix(f"{kind} ")
    kind, _space, name = target.partition(" ")
    return f"{_OTHERWISE[kind]} {name}" if kind in _OTHERWISE else target


def _describe_outcome(event: models.Event) -> Shown:
    """What the event's detail says of how it came out, for those verbs whose sentences leave that open."""
    detail = event.detail if isinstance(event.detail, dict) else {}
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
        case Verb.SHARE | Verb.END_SHARE:
            return str(detail.get("person", ""))
        case Verb.NEEDS_REVIEW if not event.reason:
            return gettext("no longer needed")
    return ""


def _join_outcome(outcome: str, failure: str) -> Shown:
    """An outcome as people say it, with the failure's code and title."""
    said = str(dict(models.Attempt.Outcome.choices).get(outcome, outcome)).lower()
    shown = columns.show_failure(failure) if failure else ""
    return format_html("{}, {}", said, shown) if said and shown else shown or said
