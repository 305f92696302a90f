"""Which events are acts of a person that count: a few changes a minute, and nothing that needs a right."""

from portal import models
from portal.models.event import Verb
from portal.services.limits import limits

# What needs a right, whoever does it to what, and what needs one only for what is somebody else's.
_ALWAYS = {
    *(Verb.SUBMIT, Verb.PAUSE, Verb.RESUME, Verb.CONFIRM_KEY, Verb.CONFIRM_DATABASE, Verb.CLEAR_SHARING, Verb.CLOSE),
    *(Verb.ADOPT, Verb.DISOWN, Verb.LEAVE_OUT, Verb.EVIDENCE, Verb.GIVE_WORKSPACE),
    *(
        Verb.ADD_PERSON,
        Verb.CHANGE_PERSON,
        Verb.MAKE_LINK,
        Verb.ASK_LINK,
        Verb.ADD_GROUP,
        Verb.CHANGE_GROUP,
        Verb.DELETE_GROUP,
    ),
    *(Verb.RESET_FACTORS, Verb.SET_LIMIT, Verb.CHANGE_POLICY),
}
_OF_OTHERS = {Verb.CANCEL, Verb.REQUEST_CANCEL, Verb.NOT_CREATED, Verb.ENDED, Verb.SET_END}
# What has a limit of its own, the end of what was counted when it began, and releases: nobody is kept from saving.
_ASIDE = {Verb.OPEN_CONNECTION, Verb.END_CONNECTION, Verb.PASS_ON, Verb.END_SESSIONS, Verb.SIGN_OUT, Verb.REFUSED}
_ASIDE |= {Verb.END_TOKEN, Verb.REQUEST_RELEASE}
# A stranger at an open browser can do none of these, and must not keep its owner from them.
_WITH_PASSWORD = {Verb.SIGN_IN, Verb.CHANGE_PASSWORD, Verb.USE_LINK, Verb.SET_UP}


def count_act(*, event: models.Event, person: models.User) -> bool:
    """Count an act of the person, but for those aside and what needs a right: submissions, and operators' decisions.

    Returns whether it counts. Raises limits.Limited."""
    if event.verb in _ASIDE or _needs_right(event, person=person):
        return False
    limits.count_one(kind=limits.SIGN_IN if event.verb in _WITH_PASSWORD else limits.ACT, person=person)
    return True


def _needs_right(event: models.Event, *, person: models.User) -> bool:
    """Whether an act of the person needs one, about this request: what is one's own needs none."""
    if event.verb not in _OF_OTHERS or event.request_number is None:
        return event.verb in _ALWAYS or event.verb in _OF_OTHERS
    requester = models.Request.objects.filter(pk=event.request_number).values_list("requester_id", flat=True).first()
    return requester not in (None, person.pk)  # none: it was pruned
