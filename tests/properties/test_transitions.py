"""The life of a request against the table of the design, whatever happens in whatever order."""

import pytest
from django.db.models import Count, Q
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from portal import failures, models
from portal.services.reconciliation import operator_actions
from portal.services.requests import dispatch, results, submissions
from tests import factories
from tests.properties import scene

# Written out from the design, not taken from the code.
TABLE = {
    "QUEUED": {"SENDING", "CANCELLED", "FAILED", "SUCCEEDED", "UNKNOWN"},
    "SENDING": {"SUCCEEDED", "FAILED", "UNKNOWN", "QUEUED"},
    "UNKNOWN": {"SUCCEEDED", "QUEUED", "FAILED", "CANCELLED"},
    "SUCCEEDED": set(),
    "FAILED": set(),
    "CANCELLED": set(),
}
NO_ANSWERS = ("waited-too-long", "by-operator")
CODES = ["200", "200", "200", "not-sent", "502", *(code for code in failures.CATALOGUE if code not in NO_ANSWERS)]
PERHAPS_MADE = ("200", "500", "502", "no-answer", "unreadable")
SENT_AGAIN = ("not-sent", "401", "402", "429", "no-connection")
OPEN_KEY = {"state": "ACTIVE", "cause": "", "paused_at": None, "paused_until": None, "consecutive_failures": 0}


class Life(scene.Example):
    @initialize()
    def set_up(self) -> None:
        self.person = factories.create_user("person", "Members")
        self.lease = factories.acquire_lease(name="recover", seconds=60)
        self.calls: list[dispatch.Call] = []  # under way, as far as their workers know
        self.late: list[dispatch.Call] = []  # past their deadline, their workers alive
        self.told: list[tuple[dispatch.Call, dispatch.Result]] = []
        self.named: set[str] = set()  # workstations that the provider has named to us
        self.seen: dict[int, str] = {}
        for _ in range(3):
            scene.submit(self.person)
        self.moves_are_in_the_table()

    def one(self, data: st.DataObject, *statuses: str) -> models.Request:
        rows = models.Request.objects.filter(status__in=statuses).order_by("pk")
        return data.draw(st.sampled_from(list(rows)), label="request")

    def has(self, *statuses: str) -> bool:
        return any(status in statuses for status in self.seen.values())

    def status_of(self, call: dispatch.Call) -> str:
        return models.Request.objects.get(attempts=call.attempt_id).status

    # --- What can happen ---

    @rule()
    def claim(self) -> None:
        factories.pass_time(scene.TICK)
        models.Key.objects.update(**OPEN_KEY)  # the pause is another machine's matter
        models.Request.objects.filter(status="QUEUED").update(next_attempt_at=None)
        call = factories.claim_next(worker="test")
        assert (call is not None) == self.has("QUEUED")
        if call is not None:
            self.calls.append(call)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), code=st.sampled_from(CODES))
    def answer_comes(self, data: st.DataObject, code: str) -> None:
        call = data.draw(st.sampled_from(self.calls))
        self.calls.remove(call)
        self.tell(call, scene.make_result(code, uid=f"of-{call.attempt_id}"))

    @precondition(lambda self: self.late)
    @rule(data=st.data(), code=st.sampled_from(CODES))
    def response_comes_late(self, data: st.DataObject, code: str) -> None:
        self.tell_late(data.draw(st.sampled_from(self.late)), code)

    def tell_late(self, call: dispatch.Call, code: str) -> None:
        self.late.remove(call)
        request = models.Request.objects.get(attempts=call.attempt_id)
        is_last = not request.attempts.filter(pk__gt=call.attempt_id).exists()
        was_listed = models.Workstation.objects.filter(uid=f"of-{call.attempt_id}").exists()
        expected = request.status
        if code == "200" and expected in ("UNKNOWN", "QUEUED"):
            expected = "UNKNOWN" if was_listed else "SUCCEEDED"
        elif expected == "UNKNOWN" and is_last and code not in PERHAPS_MADE:
            expected = self.expect_refused(request, code=code)

        self.tell(call, scene.make_result(code, uid=f"of-{call.attempt_id}"))

        assert self.status_of(call) == expected
        # "No response" is no response; everything else is kept.
        assert models.LateResponse.objects.filter(attempt=call.attempt_id).exists() == (code != "no-answer")

    @staticmethod
    def expect_refused(request: models.Request, *, code: str) -> str:
        if request.cancel_requested_at is not None:
            return "CANCELLED"
        if code == "503":
            return "FAILED" if request.attempt_count >= 4 else "QUEUED"
        return "QUEUED" if code in SENT_AGAIN else "FAILED"

    def tell(self, call: dispatch.Call, result: dispatch.Result) -> None:
        results.record_result(call=call, result=result)
        self.told.append((call, result))
        if result.value is not None:
            self.named.add(result.value.uid)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def record_again(self, data: st.DataObject) -> None:
        """As after a commit that was not confirmed."""
        call, result = data.draw(st.sampled_from(self.told))
        before = models.LateResponse.objects.count(), self.status_of(call)
        results.record_result(call=call, result=result)
        assert (models.LateResponse.objects.count(), self.status_of(call)) == before

    @precondition(lambda self: self.late)
    @rule(data=st.data(), code=st.sampled_from(["502", "not-sent", "422"]))
    def more_comes_late(self, data: st.DataObject, code: str) -> None:
        self.response_comes_late(data, code)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), code=st.sampled_from(["422", "not-sent", "200"]))
    def is_sent_again_after_its_deadline(self, data: st.DataObject, code: str) -> None:
        """Proven not created, it is sent again and no response comes again; then the first call's comes."""
        call = data.draw(st.sampled_from(self.calls))
        self.end_by_deadline(call)
        request = models.Request.objects.get(attempts=call.attempt_id)
        factories.ask_people(request)
        operator_actions.declare_not_created(actor=self.person, portal_request=request, reason="Nothing there.")
        while self.status_of(call) == "QUEUED":
            self.moves_are_in_the_table()
            self.claim()
        if self.status_of(call) == "SENDING":
            self.end_by_deadline(self.calls[-1])
        self.tell_late(call, code)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def deadline_passes(self, data: st.DataObject) -> None:
        self.end_by_deadline(data.draw(st.sampled_from(self.calls)))

    def end_by_deadline(self, call: dispatch.Call) -> None:
        self.calls.remove(call)
        factories.make_overdue(call)
        factories.expire_overdue(lease=self.lease)
        assert self.status_of(call) == "UNKNOWN"
        self.moves_are_in_the_table()
        self.late.append(call)

    @precondition(lambda self: self.has("QUEUED", "SENDING", "UNKNOWN"))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        request = self.one(data, "QUEUED", "SENDING", "UNKNOWN")
        may = request.status == "QUEUED" or (request.status == "UNKNOWN" and request.cancel_requested_at is None)
        try:
            submissions.cancel_request(actor=self.person, portal_request=request)
        except submissions.NotPossible:
            assert not may
        else:
            assert may

    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        request = self.one(data, *TABLE)
        try:
            submissions.close_request(actor=self.person, portal_request=request, reason="Given up.")
        except submissions.NotPossible:
            assert request.status not in ("QUEUED", "UNKNOWN")
        else:
            becomes = {"QUEUED": "CANCELLED", "UNKNOWN": "FAILED"}[request.status]
            request.refresh_from_db()
            assert request.status == becomes

    @precondition(lambda self: self.has("UNKNOWN"))
    @rule(data=st.data())
    def prove_not_created(self, data: st.DataObject) -> None:
        request = self.one(data, "UNKNOWN")
        factories.ask_people(request)
        operator_actions.declare_not_created(actor=self.person, portal_request=request, reason="Nothing there.")

    @precondition(lambda self: self.calls or self.late)
    @rule(data=st.data())
    def adopt_what_a_call_has_made(self, data: st.DataObject) -> None:
        """An operator gives what a list showed before the call to a request; then the call's answer may name it."""
        call = data.draw(st.sampled_from(self.calls + self.late))
        self.adopt(call, data)

    @precondition(lambda self: self.calls and self.has("UNKNOWN", "QUEUED"))
    @rule(data=st.data())
    def adopt_what_is_then_heard_of(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        self.adopt(call, data)
        self.calls.remove(call)
        self.tell(call, scene.make_result("200", uid=f"of-{call.attempt_id}"))

    def adopt(self, call: dispatch.Call, data: st.DataObject) -> None:
        uid = f"of-{call.attempt_id}"
        stored, _ = models.Workstation.objects.get_or_create(
            account=self.account, uid=uid, defaults={"raw": "{}", "listed_tick": 0}
        )
        request = self.one(data, *TABLE)
        try:
            operator_actions.adopt_workstation(
                actor=self.person, portal_request=request, workstation=stored, reason="His."
            )
        except submissions.NotPossible:
            assert request.status not in ("UNKNOWN", "QUEUED") or stored.request_id is not None

    # --- What must hold ---

    @invariant()
    def moves_are_in_the_table(self) -> None:
        now = dict(models.Request.objects.values_list("pk", "status"))
        for pk, status in now.items():
            before = self.seen.get(pk, status)
            assert status == before or status in TABLE[before], f"R-{pk} went from {before} to {status}"
        self.seen = now

    @invariant()
    def attempts_fit_their_request(self) -> None:
        sending, unsettled = Q(attempts__outcome="SENDING"), Q(attempts__outcome="UNKNOWN")
        rows = models.Request.objects.annotate(
            under_way=Count("attempts", filter=sending), unknown=Count("attempts", filter=unsettled)
        )
        for pk, status, under_way, unknown in rows.values_list("pk", "status", "under_way", "unknown"):
            assert under_way == (status == "SENDING"), f"R-{pk} is {status} with {under_way} under way"
            if status == "UNKNOWN":
                assert unknown, f"R-{pk} is UNKNOWN, and no attempt is by which it could be settled"

    @invariant()
    def nothing_named_is_lost_and_nobody_has_two(self) -> None:
        stored = dict(models.Workstation.objects.values_list("uid", "request"))
        assert self.named <= stored.keys()
        owned = [request for request in stored.values() if request is not None]
        assert sorted(owned) == sorted(pk for pk, status in self.seen.items() if status == "SUCCEEDED")


@pytest.mark.django_db
def test_a_life_is_as_the_table_says(settings):
    settings.PORTAL_CALLS_IN_FLIGHT = 1000
    settings.PORTAL_LONGEST_WAIT = settings.PORTAL_RECORD_MARGIN = 10**9
    run_state_machine_as_test(Life, settings=scene.bounded(examples=12, steps=30))
