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
# Each verb's group and sentence.
SENTENCES: Mapping[str, tuple[str, failures.Words]] = {
    Verb.SUBMIT: ("requests", _("{who} submitted {what}")),
    Verb.CANCEL: ("requests", _("{who} cancelled {what}")),
    Verb.REQUEST_CANCEL: ("requests", _("{who} asked to cancel {what}")),
    Verb.CLOSE: ("requests", _("{who} closed {what}")),
    Verb.GIVE_UP: ("requests", _("{who} gave {what} up: it had waited too long")),
    Verb.REFUSE_WORKSPACE: ("requests", _("{who} refused {what}: its workspace is somebody else's")),
    Verb.CLAIM: ("sending", _("{who} began to send {what}")),
    Verb.RESPONSE: ("sending", _("{who} recorded the outcome of {what}")),
    Verb.LATE_RESPONSE: ("sending", _("AgentStation responded late to {what}")),
    Verb.DEADLINE_PASSED: ("sending", _("The deadline of {what} passed without a response")),
    Verb.WORKER_DIED: ("sending", _("The worker that was sending {what} died")),
    Verb.LOST_RESPONSE: ("sending", _("{who} kept the {what}")),
    Verb.RECONCILE: ("checking", _("{who} compared {what} with AgentStation's lists")),
    Verb.NEEDS_REVIEW: ("checking", _("{who} asked for a review of {what}")),
    Verb.ADOPT: ("checking", _("{who} linked a workstation to {what}")),
    Verb.NOT_CREATED: ("checking", _("{who} chose to send {what} again")),
    Verb.BASELINE_SCAN: ("checking", _("{who} read AgentStation's lists for the first time, of the {what}")),
    Verb.REQUEST_RELEASE: ("workstations", _("{who} asked to release the {what}")),
    Verb.RELEASED: ("workstations", _("The {what} was released")),
    Verb.OPEN_CONNECTION: ("workstations", _("{who} opened a connection to the {what}")),
    Verb.END_CONNECTION: ("workstations", _("{who} ended a connection to the {what}")),
    Verb.SHARE: ("workstations", _("{who} shared the {what}")),
    Verb.END_SHARE: ("workstations", _("{who} stopped sharing the {what}")),
    Verb.GIVE_WORKSPACE: ("workstations", _("{who} gave an owner to the {what}")),
    Verb.NAME_WORKSPACE: ("workstations", _("{who} named the {what}")),
    Verb.ENDED: ("workstations", _("{who} noted that the {what} has ended")),
    Verb.MISSING: ("workstations", _("{who} did not find the {what}")),
    Verb.FOUND_AGAIN: ("workstations", _("{who} found the {what} again")),
    Verb.REOPEN: ("workstations", _("The {what} is active again")),
    Verb.DISOWN: ("workstations", _("{who} declared that the {what} is not the team's")),
    Verb.LEAVE_OUT: ("workstations", _("{who} declared that scans are complete without the {what}")),
    Verb.CHANGE_TYPES: ("workstations", _("{who} noted other workstation types of the {what}")),
    Verb.PAUSE: ("key", _("{who} paused sending with the {what}")),
    Verb.RESUME: ("key", _("{who} resumed sending with the {what}")),
    Verb.ACTIVATE: ("key", _("{who} made the {what} active again")),
    Verb.PROBE: ("key", _("{who} probed the {what}")),
    Verb.FIRST_KEY: ("key", _("{who} accepted the first {what}")),
    Verb.ASK_ACCOUNT: ("key", _("{who} asked which account is reached by the {what}")),
    Verb.CONFIRM_KEY: ("key", _("{who} said which account is reached by the {what}")),
    Verb.WITHDRAW_KEY: ("key", _("{who} no longer accepts {what}: AgentStation refused it")),
    Verb.NOTE_SHARING: ("key", _("{who} noticed that the key is used elsewhere, of the {what}")),
    Verb.CLEAR_SHARING: ("key", _("{who} declared that nobody else uses the key, of the {what}")),
    Verb.SIGN_IN: ("people", _("{who} signed in")),
    Verb.SIGN_IN_FAILED: ("people", _("Somebody failed to sign in as {what}")),
    Verb.SIGN_IN_BLOCKED: ("people", _("Signing in was blocked for {what}")),
    Verb.SIGN_OUT: ("people", _("{who} signed out")),
    Verb.END_SESSIONS: ("people", _("{who} ended sessions of {what}")),
    Verb.ADD_FACTOR: ("people", _("{who} added a second factor")),
    Verb.REMOVE_FACTOR: ("people", _("{who} removed a second factor")),
    Verb.RESET_FACTORS: ("people", _("{who} reset the second factors of {what}")),
    Verb.LINK_IDENTITY: ("people", _("{who} linked {what} with an identity provider")),
    Verb.UNLINK_IDENTITY: ("people", _("{who} unlinked {what} from an identity provider")),
    Verb.RENEW_CODES: ("people", _("{who} made new recovery codes")),
    Verb.SET_UP: ("people", _("{who} set the portal up")),
    Verb.CHANGE_PASSWORD: ("people", _("{who} changed the password of {what}")),
    Verb.SET_TIME_ZONE: ("people", _("{who} changed the time zone of {what}")),
    Verb.ADD_PERSON: ("people", _("{who} added {what}")),
    Verb.MAKE_LINK: ("people", _("{who} made a sign-in link for {what}")),
    Verb.ASK_LINK: ("people", _("Somebody asked for a sign-in link for {what}")),
    Verb.MAIL_FAILED: ("people", _("{who} could not mail a sign-in link to {what}")),
    Verb.USE_LINK: ("people", _("{who} chose a password by a sign-in link")),
    Verb.CHANGE_PERSON: ("people", _("{who} changed {what}")),
    Verb.ADD_GROUP: ("people", _("{who} added the {what}")),
    Verb.CHANGE_GROUP: ("people", _("{who} changed the {what}")),
    Verb.DELETE_GROUP: ("people", _("{who} deleted the {what}")),
    Verb.REFUSED: ("people", _("{who} was refused {what}")),
    Verb.CHECKED: ("audit-log", _("{who} checked {what} as a whole")),
    Verb.EVIDENCE: ("audit-log", _("{who} downloaded the audit bundle of {what}")),
    Verb.EXPORT: ("audit-log", _("{who} exported {what}")),
    Verb.PRUNE: ("audit-log", _("{who} deleted what was old enough, and named it in the {what}")),
    Verb.RESTORE: ("upkeep", _("{who} noted that a backup was restored: {what}")),
    Verb.RESTORED: ("upkeep", _("{who} has to check {what}, because a backup was restored")),
    Verb.DATABASE_CHANGED: ("upkeep", _("{who} noticed a change of the {what}")),
    Verb.CONFIRM_DATABASE: ("upkeep", _("{who} said what became of the {what}")),
    Verb.CLOCK_STEP: ("upkeep", _("{who} noticed a step of {what}")),
    Verb.SETTINGS: ("upkeep", _("{who} started with other {what}")),
    Verb.NOTICE: ("upkeep", _("{who} noticed an API change: {what}")),
}
# Of a verb that this version of the portal does not know.
_OTHER = ("", _("{who}: {verb}, {what}"))

# Kinds whose names say what they are; of others the kind is named too.
_PLAIN = ("request", "attempt", "user", "notice")
_DOUBLED = ("key", "restore", "lost response")  # whose names begin with the kind
_OTHERWISE = {"tombstone": _("deletion record")}  # what pages call a kind


def list_verbs(code: str) -> list[str]:
    """Those of the group with the code; of a verb's own code that one."""
    return [verb for verb, (group, _words) in SENTENCES.items() if code in (verb, group)]


def list_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """All verbs in their groups, as a field offers them: the whole group first."""
    return [
        (
            str(label),
            [
                (code, gettext("%(group)s: all") % {"group": label}),
                *((verb, capfirst(str(Verb(verb).label))) for verb in list_verbs(code)),
            ],
        )
        for code, label in GROUPS.items()
    ]


def describe_event(event: models.Event) -> SafeString:
    """Who did what to what, and how it came out; the verb's code stands behind it."""
    _group, words = SENTENCES.get(event.verb, _OTHER)
    sentence = format_html(str(words), who=_show_actor(event), what=_show_target(event), verb=event.verb)
    outcome = _describe_outcome(event)
    sentence = format_html("{}: {}", sentence, outcome) if outcome else sentence
    return format_html('{} <code class="verb">{}</code>', sentence, event.verb)


def _show_actor(event: models.Event) -> columns.Shown:
    if event.actor_id is not None:
        return columns.link_to(models.User(pk=event.actor_id), event.actor_name)
    caller = event.detail.get("system_user") if isinstance(event.detail, dict) else None
    if caller:
        return gettext("%(name)s on the server") % {"name": caller}
    return event.actor_name or gettext("The portal")


def _show_target(event: models.Event) -> columns.Shown:
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


def _describe_outcome(event: models.Event) -> columns.Shown:
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
        case Verb.SIGN_IN_FAILED if detail.get("count", 1) > 1:
            return gettext("%(count)s times") % {"count": detail["count"]}
        case Verb.NEEDS_REVIEW if not event.reason:
            return gettext("no longer needed")
    return ""


def _join_outcome(outcome: str, failure: str) -> columns.Shown:
    said = str(dict(models.Attempt.Outcome.choices).get(outcome, outcome)).lower()
    shown = columns.show_failure(failure) if failure else ""
    return format_html("{}, {}", said, shown) if said and shown else shown or said
