"""Which right an act needs, by the verb of its event."""

from collections.abc import Mapping

from portal import models
from portal.models.event import Verb

SUPERUSER = "is_superuser"  # what no permission gives
CLOSE, _RESUME = "portal.close_request", "portal.resume_key"
ALWAYS: Mapping[str, str] = {
    Verb.SUBMIT: "portal.submit_request",
    **dict.fromkeys((Verb.PAUSE, Verb.RESUME, Verb.CONFIRM_KEY, Verb.CONFIRM_DATABASE, Verb.CLEAR_SHARING), _RESUME),
    **dict.fromkeys((Verb.CLOSE, Verb.ADOPT, Verb.DISOWN, Verb.RELEASE_ORPHAN, Verb.EVIDENCE), CLOSE),
    **dict.fromkeys((Verb.GIVE_WORKSPACE, Verb.LEAVE_OUT), CLOSE),
    **dict.fromkeys((Verb.ADD_PERSON, Verb.CHANGE_PERSON, Verb.MAKE_LINK), SUPERUSER),
    **dict.fromkeys((Verb.ADD_GROUP, Verb.CHANGE_GROUP, Verb.DELETE_GROUP), SUPERUSER),
}
# What is one's own needs no right.
OF_OTHERS: Mapping[str, str] = dict.fromkeys(
    (Verb.CANCEL, Verb.REQUEST_CANCEL, Verb.NOT_CREATED, Verb.REQUEST_RELEASE, Verb.DECLARE_ENDED), CLOSE
)


def find_right(*, verb: str, number: object, actor: object) -> str:
    """The right that an act of the actor needs, about the request with this number; empty where none."""
    if verb not in OF_OTHERS:
        return ALWAYS.get(verb, "")
    if not isinstance(number, int):  # a workstation that nobody had
        return OF_OTHERS[verb]
    requester = models.Request.objects.filter(pk=number).values_list("requester_id", flat=True).first()
    return "" if requester in (None, actor) else OF_OTHERS[verb]  # none: it was pruned
