"""The types of workstation that may be asked for: those of the provider's list; without one, of its contract."""

from collections.abc import Sequence
from datetime import timedelta

from portal import agentstation, failures, models
from portal.db import release_connection
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts
from portal.services.mirrors import contract_drift, sanitize
from portal.services.runtime import leases

_TRUSTED_FOR = timedelta(hours=1)  # one refusal is no proof that a list that was read is gone
_MOST = 100  # types of one list: the form shows each as a card


def list_offered_types(*, account: models.Account | None = None) -> list[models.WorkstationType]:
    """What the form offers: the list of the (by default present) account, else the contract's types, without rows."""
    account = account or accounts.get_current_account()
    listed = models.WorkstationType.objects.filter(account=account, withdrawn_at=None)
    return list(listed.defer("raw").order_by("id")) or [
        models.WorkstationType(account=account, name=name) for name in models.Request.Type.values
    ]


def list_known_types() -> list[str]:
    """The names of all types that a request may have: those of the contract, then what any list ever had."""
    names = models.WorkstationType.objects.order_by("id").values_list("name", flat=True)
    return list(dict.fromkeys([*models.Request.Type.values, *names]))


def read_types(*, client: agentstation.Client) -> None:
    """Read the provider's list and keep what it says; whatever else is answered leaves things as they are."""
    account = accounts.get_current_account()
    if not accounts.is_key_accepted(account=account):
        return  # the list may be another account's
    release_connection()
    try:
        described = client.list_types()
    except agentstation.AgentStationError as error:
        _note_refusal(account=account, error=error)
    else:
        _store_list(account=account, described=described)


@leases.transaction()
def _note_refusal(*, account: models.Account, error: agentstation.AgentStationError) -> None:
    """Where the provider says that it has no list, forget the one that it had, if that was read long ago."""
    if error.response is None or 200 <= error.response.status < 300:
        return
    if not error.has_no_such_path and not failures.classify_error(error).no_such_list:
        contract_drift.note_deviations(deviations=error.response.deviations)
        return
    rows = models.WorkstationType.objects.filter(account=account, withdrawn_at=None)
    if not rows.filter(listed_at__gt=Now() - _TRUSTED_FOR).exists():
        _change_offer(account=account, rows=[])


@leases.transaction()
def _store_list(*, account: models.Account, described: Sequence[agentstation.WorkstationTypeDescription]) -> None:
    """An empty list is not believed: it would leave nothing to ask for."""
    contract_drift.note_deviations(deviations=[deviation for one in described for deviation in one.deviations])
    usable: dict[str, agentstation.WorkstationTypeDescription] = {}
    for one in described:
        # Line ends, NUL and other invisible characters would come back from a form changed.
        if 0 < len(one.name) <= models.LONGEST_TYPE and one.name.isprintable():
            usable.setdefault(one.name, one)
    rows = [_describe(account, one) for one in list(usable.values())[:_MOST]]
    if rows:
        _change_offer(account=account, rows=rows)


def _describe(account: models.Account, one: agentstation.WorkstationTypeDescription) -> models.WorkstationType:
    return models.WorkstationType(
        account=account,
        name=one.name,
        description=one.description,
        hardware=list(one.hardware),
        software=list(one.software),
        ai_models=list(one.models),
        raw=sanitize.write_json(raw=one.raw),
        listed_at=Now(),
    )


def _change_offer(*, account: models.Account, rows: list[models.WorkstationType]) -> None:
    """Offer these and no others. That other types are offered than before is an event."""
    stored = models.WorkstationType.objects.filter(account=account)
    offered = stored.filter(withdrawn_at=None).order_by("id").values_list("name", flat=True)
    before, known = list(offered), {row.name: row for row in stored}
    models.WorkstationType.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "name"],
        update_fields=["description", "hardware", "software", "ai_models", "raw", "listed_at", "withdrawn_at"],
    )
    stored.filter(withdrawn_at=None).exclude(name__in=[row.name for row in rows]).update(withdrawn_at=Now())
    after = list(offered.all())
    if changed := set(before) ^ set(after):
        audit.record(
            Verb.CHANGE_TYPES,
            account,
            detail={"before": {"types": before}, "after": {"types": after}},
            rows=[_read_anew(known.get(row.name), row) for row in stored.filter(name__in=changed).order_by("id")],
        )


def _read_anew(known: models.WorkstationType | None, row: models.WorkstationType) -> models.WorkstationType:
    """The row that was there before, with what is stored now, so that the event has the difference."""
    if known is None:
        row.note_added()
        return row
    known.withdrawn_at = row.withdrawn_at
    return known
