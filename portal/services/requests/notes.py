"""Why a person has to decide what became of a request, in words."""

from django.utils.translation import gettext_noop

# Kept in English in the database, and translated where they are shown.
NO_LISTS = gettext_noop("AgentStation has no lists in which the portal could look for a workstation.")
NO_SCANS = gettext_noop("AgentStation's lists could not be read completely for some time.")
LEFT_OUT = gettext_noop("AgentStation's lists leave out a workstation that runs, so the portal can't rely on them.")
NO_WITNESS = gettext_noop(
    "AgentStation's lists show no workstation for this request, but nothing in them proves that they are up to date."
)
NEWCOMER = gettext_noop(
    "AgentStation's lists show a workstation that this request may have created. The portal cannot tell whose it is."
)
CONFIRM = gettext_noop(
    "AgentStation's lists show a workstation that fits, but it may be somebody else's: an operator has to confirm it."
)
OTHERS = gettext_noop("AgentStation responded with the ID of another request's workstation, or of an older one.")
RESTORED = gettext_noop(
    "The portal's database was restored from a backup, so the portal does not know whether this request was sent."
)


def may_requester_decide(*, note: str) -> bool:
    """Whether a request with this note is its requester's to decide, too, and not an operator's alone."""
    return note not in ("", OTHERS)
