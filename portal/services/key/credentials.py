"""The keys of the portal's processes: who has which, what operators are asked about them, and probes of them."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal import agentstation, failures, models
from portal.db import clock, release_connection
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, circuit_breaker, key_lock
from portal.services.runtime import leases, workers

_SEEN_LATELY = timedelta(seconds=30)  # of a worker that lives: it shows itself each five
_ASKED_LATELY = timedelta(hours=1)  # of a question: what no process has had for longer needs no answer


def list_questions(*, account: models.Account) -> list[models.Credential]:
    """The keys that processes have had lately and that an operator has yet to confirm, in the order of their coming."""
    asked = models.Credential.objects.asked().filter(account=account, seen_at__gte=Now() - _ASKED_LATELY)
    return list(asked.order_by("pk"))


def find_warnings() -> list[str]:
    """What to say at the start of a worker that may not send with its key before an operator has answered."""
    account = accounts.get_current_account()
    if _belongs_to_sandbox(account=account) or accounts.is_key_accepted(account=account):
        return []
    return [
        "This API key or base URL is not confirmed: nothing is sent until an operator has answered on the key's page."
    ]


def present_key(*, worker: str) -> None:
    """Show with each heartbeat that a worker lives with this process's key, and ask operators about an unknown one.

    The key is paused only while no worker has one that was confirmed.
    """
    account = accounts.get_current_account()
    rows = models.Credential.objects.filter(account=account, fingerprint=accounts.fingerprint_key(account=account))
    seen = {"seen_at": Now(), "seen_on": worker}
    if not rows.update(**seen):
        _ask(account=account, seen=seen)
    credential, asks = rows.get(), account.key.asks_for_account
    if credential.accepted_at is not None:
        if asks:
            _end_question(account=account)
    elif _belongs_to_sandbox(account=account):
        _leave_sandbox(credential=credential)
    elif not asks and not _has_living(account=account):
        _pause(account=account)


def _belongs_to_sandbox(*, account: models.Account) -> bool:
    """Whether the account is the sandbox's, which a real key leaves without a question."""
    return account.credentials.accepted().filter(is_sandbox=True).exists()


@transaction.atomic
def _ask(*, account: models.Account, seen: dict[str, object]) -> None:
    credential, is_new = models.Credential.objects.get_or_create(
        account=account,
        fingerprint=accounts.fingerprint_key(account=account),
        defaults={"base_url": settings.AGENTSTATION_BASE_URL, "is_sandbox": settings.USING_SANDBOX, **seen},
    )
    if is_new:
        detail = {"base_url": credential.base_url, "worker": credential.seen_on}
        audit.record(Verb.ASK_ACCOUNT, credential, detail=detail)


def _has_living(*, account: models.Account, beside: str = "") -> bool:
    """Whether a worker lives whose key is accepted, and is another than the one of the fingerprint `beside`."""
    living = account.credentials.accepted().filter(seen_at__gte=Now() - _SEEN_LATELY)
    return living.exclude(fingerprint=beside).exists()


def withdraw_key(*, key: models.Key, fingerprint: str) -> bool:
    """Under the locked key, no longer accept one that is refused: operators are asked about it again.

    False where no worker lives with another one: then the refusal is of the account's key, and pauses it.
    """
    if not _has_living(account=key.account, beside=fingerprint):
        return False
    before, refused = _list_accepted(key.account), key.account.credentials.filter(fingerprint=fingerprint).first()
    accepted = models.Credential.objects.accepted()
    if refused is not None and refused.update_where(accepted, accepted_at=None, accepted_by=None):
        detail = {"worker": refused.seen_on, "before": before, "after": _list_accepted(key.account)}
        audit.record(Verb.WITHDRAW_KEY, refused, detail=detail)
    return True


@transaction.atomic
def note_refusal(*, account: models.Account) -> None:
    """A call that was no attempt was refused with this process's key: find out whether it is still accepted."""
    note_refusal_under_lock(key=key_lock.lock_key(account=account))


def note_refusal_under_lock(*, key: models.Key) -> None:
    """Withdraw the key where others are accepted, else ask for a probe; the caller holds the key's lock."""
    account = key.account
    if not withdraw_key(key=key, fingerprint=accounts.fingerprint_key(account=account)):
        circuit_breaker.request_probe(key=key)


@transaction.atomic
def _pause(*, account: models.Account) -> None:
    key = key_lock.lock_key(account=account)
    # Looked at again behind the lock: a worker with an accepted key may have come meanwhile.
    if not key.asks_operator and not _has_living(account=account):
        circuit_breaker.pause_with_question(key=key, cause=models.NEW_KEY, now=clock.read_clock())


@transaction.atomic
def _end_question(*, account: models.Account) -> None:
    key = key_lock.lock_key(account=account)
    if key.asks_for_account:
        circuit_breaker.end_pause(key=key, now=clock.read_clock())
        workers.wake_workers()


@transaction.atomic
def _leave_sandbox(*, credential: models.Credential) -> None:
    """Nobody need be asked: what waits for the sandbox is never meant for another provider."""
    key_lock.lock_key(account=credential.account)
    if _is_open(credential=credential):
        _change_account(credential=credential, actor=None)


@transaction.atomic
def confirm_key(*, actor: models.User, credential: models.Credential, is_same_account: bool) -> None:
    """Say whether a key is of the same account. If not, what waits for the old is cancelled. Raises PauseRefused."""
    key = key_lock.lock_key(account=credential.account)
    if not _is_open(credential=credential):
        raise circuit_breaker.PauseRefused(_("Somebody has already confirmed which account the key belongs to."))
    if not is_same_account:
        _change_account(credential=credential, actor=actor)
    else:
        before = _list_accepted(credential.account)
        credential.update_where(models.Credential.objects.all(), accepted_at=Now(), accepted_by=actor)
        detail = {"is_same_account": True, "before": before, "after": _list_accepted(credential.account)}
        audit.record(Verb.CONFIRM_KEY, credential, by=actor, detail=detail)
        if key.asks_for_account or (key.is_paused and key.probe_at is not None):  # the former key was refused
            circuit_breaker.end_pause(key=key, actor=actor, now=clock.read_clock())
    workers.wake_workers()


def _is_open(*, credential: models.Credential) -> bool:
    """Whether the question is still to be answered: asked behind the lock, past which nobody else can answer."""
    return models.Credential.objects.asked().filter(pk=credential.pk, account__retired_at=None).exists()


def _change_account(*, credential: models.Credential, actor: models.User | None) -> None:
    """Retire the account, and go on with that of the key: one that accepted it once, or a new one."""
    former = credential.account
    former.update_where(models.Account.objects.all(), retired_at=Now())
    same_key = models.Credential.objects.accepted().filter(fingerprint=credential.fingerprint)
    known = models.Account.objects.filter(credentials__in=same_key).exclude(pk=former.pk).order_by("-retired_at")
    account = known.first() or models.Account(base_url=credential.base_url, salt=former.salt)
    account.retired_at = None
    account.save()
    key, _is_new = models.Key.objects.get_or_create(account=account)
    values = {name: getattr(credential, name) for name in ("base_url", "is_sandbox", "seen_at", "seen_on")}
    values |= {"accepted_at": Now(), "accepted_by": actor}
    accepted, _is_new = models.Credential.objects.get_or_create(
        account=account, fingerprint=credential.fingerprint, defaults=values
    )
    detail = {"is_same_account": False, "before": _list_accepted(former), "after": _list_accepted(account)}
    rows = [former, account, key, accepted]
    audit.record(Verb.CONFIRM_KEY, credential, by=actor, detail=detail, rows=rows)


def _list_accepted(account: models.Account) -> list[str]:
    return list(account.credentials.accepted().order_by("pk").values_list("fingerprint", flat=True))


def probe_key(*, client: agentstation.Client) -> bool:
    """Make a probe where one is due: a harmless call that shows whether the key is accepted. True where it passed.

    Raises LeaseLost where the key is refused of this worker alone: another has to try its own.
    """
    account = accounts.get_current_account()
    if account.key.probe_at is None or not accounts.is_key_accepted(account=account):
        return False
    claimed = circuit_breaker.claim_probe(account=account)
    if claimed is None:
        return False
    release_connection()
    failure = None
    try:
        client.check_key()
    except agentstation.AgentStationError as error:
        failure = failures.classify_error(error)
    circuit_breaker.note_probe(account=account, probe=claimed, failure=failure)
    if failure is not None and failure.pause is failures.Pause.UNTIL_ACCEPTED:
        with transaction.atomic():
            key = key_lock.lock_key(account=account)
            is_withdrawn = withdraw_key(key=key, fingerprint=accounts.fingerprint_key(account=account))
        if is_withdrawn:
            leases.drop_lease()
            raise leases.LeaseLost("the key of this worker is refused, and another worker has one that may be accepted")
    return failure is None
