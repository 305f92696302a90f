"""The rows of the failure catalogue."""

from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from portal import agentstation
from portal.failures.catalogue import Actor, Failure, Pause, Retry

_NO_ANSWER = Failure(
    code="no-answer",
    title=_("No response from AgentStation"),
    cause=_(
        "The request was sent, but no usable response came back: the connection broke, the time ran out, or a "
        "gateway responded instead. A workstation may have been created. The portal never sends a request twice "
        "without knowing, because a second workstation would be billed."
    ),
    actor=Actor.NOBODY,
    steps=(
        _(
            "You don't need to do anything. The portal looks for the workstation in AgentStation's lists, and "
            "sends the request again only when it's certain that none was created."
        ),
        _("If you need a workstation right now, submit another request. You may end up with two."),
    ),
    again=_("Not yet: it may create a second workstation, which would be billed."),
    may_exist=True,
    retry=Retry.AFTER_RECONCILIATION,
    pause=Pause.CONSECUTIVE_FAILURES,
    errors=(agentstation.errors.NoAnswer,),
)

ROWS = (
    Failure(
        code="400",
        title=_("Invalid request format"),
        cause=_("AgentStation rejected the format of the portal's request. Nothing was created and nothing is billed."),
        actor=Actor.OPERATOR,
        steps=(
            _(
                "Send %(operator)s the number of this request. The portal and AgentStation disagree about the "
                "format, and only the portal can be changed."
            ),
            _("Try again once they tell you that it's fixed."),
        ),
        operator_steps=(
            _("Compare the request and AgentStation's response, both in the audit log, with its documentation."),
            _("The format can be changed only by a newer version of the portal: update it, or report the problem."),
        ),
        again=_("Yes, but it will fail in the same way until the portal is fixed."),
        refuses_connection=True,
        errors=(agentstation.errors.InvalidRequest,),
    ),
    Failure(
        code="401",
        title=_("API key rejected"),
        cause=_(
            "The team's API key is missing, wrong or revoked. Nothing was created. This pauses requests for the whole "
            "team until the key is replaced."
        ),
        actor=Actor.OPERATOR,
        steps=(
            _("Tell %(operator)s: the team's API key has to be replaced on the server."),
            _(
                "Once the key works again, waiting requests are sent automatically. Only a request that has failed "
                "has to be submitted again."
            ),
        ),
        operator_steps=(
            _("Replace the API key (AGENTSTATION_API_KEY) on the server, and restart the portal."),
            _(
                "Waiting requests are sent automatically once AgentStation accepts the key. Only a request that has "
                "failed has to be submitted again."
            ),
        ),
        again=_("Yes. A new request waits until the key works."),
        pause=Pause.UNTIL_ACCEPTED,
        stops_reads=True,
        errors=(agentstation.errors.InvalidKey,),
    ),
    Failure(
        code="402",
        title=_("Payment required"),
        cause=_(
            "The team's credit is used up, or its payment method has expired. Nothing was created and nothing is "
            "billed. This pauses requests for the whole team until the account is paid."
        ),
        actor=Actor.BUDGET_OWNER,
        steps=(
            _("Ask the owner of the team's AgentStation account to add credit or update the payment method."),
            _("Then %(operator)s resumes sending."),
            _("Waiting requests are sent automatically. Only a request that has failed has to be submitted again."),
        ),
        operator_steps=(
            _("Ask the owner of the team's AgentStation account to add credit or update the payment method."),
            _("Resume sending on the status page once the account is paid. Waiting requests are sent automatically."),
        ),
        again=_("Yes. A new request waits until the account is paid."),
        pause=Pause.UNTIL_OPERATOR,
        errors=(agentstation.errors.PaymentRequired,),
    ),
    Failure(
        code="422",
        title=_("Workspace not found"),
        cause=_("The workspace doesn't exist in the team's account, or no longer does. Nothing was created."),
        actor=Actor.REQUESTER,
        steps=(
            _("Check the workspace ID, character by character. Upper and lower case matter."),
            _("Try again with another workspace, or with a new one."),
        ),
        again=_("Yes, with another workspace or a new one."),
        means_missing=True,
        # Without a list, its address is read as that of a workstation.
        no_such_list=True,
        refuses_workspace=True,
        refuses_connection=True,
        errors=(agentstation.errors.AssetNotFound,),
    ),
    Failure(
        code="429",
        title=_("Rate limit reached"),
        cause=_("The team has sent more requests than AgentStation allows in this time. Nothing was created."),
        actor=Actor.NOBODY,
        steps=(_("Wait. The portal tries again as soon as AgentStation allows it."),),
        again=_(
            "Yes, but there is no need: the portal tries again by itself, and a second request makes the queue longer."
        ),
        retry=Retry.UNTIL_IT_WORKS,
        pause=Pause.UNTIL_RETRY_AFTER,
        errors=(agentstation.RateLimited,),
    ),
    Failure(
        code="500",
        title=_("AgentStation internal error"),
        cause=_(
            "Something went wrong at AgentStation while it handled this request. It may have created a workstation "
            "all the same."
        ),
        actor=Actor.PROVIDER,
        steps=(
            _(
                "Wait. The portal checks whether a workstation was created, and tries again only when it's certain "
                "that none was."
            ),
            _("If the request has failed, try again later."),
        ),
        again=_(
            "Not while the portal is checking: it may create a second workstation, which would be billed. Once the "
            "request has failed, yes."
        ),
        may_exist=True,
        retry=Retry.AFTER_RECONCILIATION,
        pause=Pause.CONSECUTIVE_FAILURES,
        errors=(agentstation.errors.InternalError,),
    ),
    Failure(
        code="503",
        title=_("AgentStation is overloaded"),
        cause=_("AgentStation dropped the request because of high load. Nothing was created."),
        actor=Actor.PROVIDER,
        steps=(_("Wait a few minutes. The portal has already tried several times."), _("Try again.")),
        again=_("Yes."),
        retry=Retry.FEW,
        pause=Pause.CONSECUTIVE_FAILURES,
        errors=(agentstation.errors.Overloaded,),
    ),
    Failure(
        code="no-connection",
        title=_("Can't reach AgentStation"),
        cause=_("The portal couldn't connect to AgentStation, so nothing was sent and nothing was created."),
        actor=Actor.OPERATOR,
        steps=(
            _("Wait. The portal tries again by itself."),
            _(
                "If this goes on, tell %(operator)s: the server's connection to AgentStation (network, DNS or "
                "certificate) is broken."
            ),
        ),
        operator_steps=(
            _("Wait a few minutes. The portal tries again by itself."),
            _("If this goes on, check the server's network, its DNS, and the base URL and certificate it connects to."),
        ),
        again=_("Yes, but there is no need: the portal tries again by itself."),
        retry=Retry.UNTIL_IT_WORKS,
        pause=Pause.CONSECUTIVE_FAILURES,
        errors=(agentstation.errors.NoConnection,),
    ),
    _NO_ANSWER,
    replace(
        _NO_ANSWER,
        code="unreadable",
        title=_("Unreadable response"),
        cause=_(
            "AgentStation accepted the request, but its response can't be read. A workstation has probably been "
            "created. The response is kept as it came."
        ),
        errors=(agentstation.errors.UnreadableResponse,),
    ),
    Failure(
        code="waited-too-long",
        title=_("Waiting time exceeded"),
        cause=_("The request could not be sent in time, so the portal stopped trying. Nothing was created."),
        actor=Actor.REQUESTER,
        steps=(
            _("The status page says what kept requests from being sent."),
            _("If you still need the workstation, submit the request again."),
        ),
        again=_("Yes."),
    ),
    Failure(
        code="other",
        title=_("Unexpected response"),
        cause=_(
            "The response has a status that AgentStation does not document. Probably nothing was created; a "
            "workstation that turns up is listed as unassigned. The response is kept as it came."
        ),
        actor=Actor.OPERATOR,
        steps=(
            _(
                "Send %(operator)s the number of this request. An address, a proxy or AgentStation itself may "
                "have changed."
            ),
            _("Try again once they tell you that it's fixed."),
        ),
        operator_steps=(
            _("Check the base URL, and any proxy between the server and AgentStation."),
            _("Read the response as it came, in the audit log. AgentStation may have changed."),
        ),
        again=_("Yes, but it will probably fail in the same way."),
        pause=Pause.UNLESS_OTHERS_PASS,
        errors=(agentstation.errors.UnexpectedStatus,),
    ),
    Failure(
        code="not-sent",
        title=_("Database too slow"),
        cause=_(
            "The portal's database took so long that it was no longer safe to send the request. Nothing was sent and "
            "nothing was created."
        ),
        actor=Actor.OPERATOR,
        steps=(
            _("Wait. The portal tries again by itself."),
            _("If this goes on, tell %(operator)s: the portal's database is too slow."),
        ),
        operator_steps=(
            _("Check the database: its disk, its replicas, and how long a commit takes."),
            _("A request is sent only if the portal can record within a few seconds that it is about to be sent."),
        ),
        again=_("Yes, but there is no need: the portal tries again by itself."),
        retry=Retry.UNTIL_IT_WORKS,
        pause=Pause.CONSECUTIVE_FAILURES,
    ),
    Failure(
        code="by-operator",
        title=_("An operator paused sending"),
        cause=_("Sending is paused on purpose; the status page lists by whom and why. Requests are saved and wait."),
        actor=Actor.OPERATOR,
        steps=(_("Wait. Requests are sent automatically once %(operator)s resumes sending."),),
        operator_steps=(_("Resume sending on the status page. Waiting requests are sent automatically."),),
        again=_("Yes. A new request waits until sending is resumed."),
        pause=Pause.UNTIL_OPERATOR,
    ),
)
