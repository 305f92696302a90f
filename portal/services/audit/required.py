"""Which acts need a right, by the verb of their event."""

from portal import models
from portal.models.event import Verb

_ALWAYS = {
    *(Verb.SUBMIT, Verb.PAUSE, Verb.RESUME, Verb.CONFIRM_KEY, Verb.CONFIRM_DATABASE, Verb.CLEAR_SHARING, Verb.CLOSE),
    *(Verb.ADOPT, Verb.DISOWN, Verb.LEAVE_OUT, Verb.EVIDENCE, Verb.GIVE_WORKSPACE),
    *(Verb.ADD_PERSON, Verb.CHANGE_PERSON, Verb.MAKE_LINK, Verb.ADD_GROUP, Verb.CHANGE_GROUP, Verb.DELETE_GROUP),
    Verb.RELEASE_ORPHAN,
}
_OF_OTHERS = {Verb.CANCEL, Verb.REQUEST_CANCEL, Verb.NOT_CREATED, Verb.REQUEST_RELEASE, Verb.DECLARE_ENDED}


def needs_right(*, verb: str, number: int | None, actor: int) -> bool:
    """Whether an act of the actor needs one, about the request with this number: what is one's own needs none."""
    if verb not in _OF_OTHERS or number is None:
        return verb in _ALWAYS or verb in _OF_OTHERS
    requester = models.Request.objects.filter(pk=number).values_list("requester_id", flat=True).first()
    return requester not in (None, actor)  # none: it was pruned
