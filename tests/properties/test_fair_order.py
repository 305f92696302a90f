"""The fair order against a model in plain Python: lists, and who had the last turn."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from portal import models
from portal.models.clock import Now
from portal.services.reconciliation import operator_actions
from portal.services.requests import dispatch, fair_queue, results, submissions
from tests import factories
from tests.properties import scene


@dataclass
class Model:
    """`queues`: each person's requests, oldest first. `turns`: who had theirs longest ago comes first."""

    queues: dict[int, list[int]] = field(default_factory=dict)
    turns: list[int] = field(default_factory=list)

    def take(self, *, passed_over: frozenset[int] = frozenset()) -> int | None:
        for person in self.turns:
            due = [number for number in self.queues[person] if number not in passed_over]
            if due:
                self.queues[person].remove(due[0])
                self.turns.remove(person)
                self.turns.append(person)
                return due[0]
        return None

    def find_position(self, number: int) -> int:
        later = Model(queues={person: list(queue) for person, queue in self.queues.items()}, turns=list(self.turns))
        position = 1
        while later.take() != number:
            position += 1
        return position


class FairOrder(scene.Example):
    @initialize(count=st.integers(2, 4))
    def set_up(self, count: int) -> None:
        self.people = [factories.create_user(f"person-{number}", "Members") for number in range(count)]
        ids = [person.pk for person in self.people]
        self.model = Model(queues={pk: [] for pk in ids}, turns=ids)
        self.in_flight: list[tuple[dispatch.Call, int]] = []
        self.postponed: set[int] = set()
        self.order: dict[int, int] = {}  # when each was last put into the queue, in steps
        self.step = 0

    def tick(self) -> None:
        factories.pass_time(scene.TICK)
        self.step += 1

    def put(self, number: int, *, to_back: bool) -> None:
        if to_back:
            self.order[number] = self.step
        queue = self.model.queues[models.Request.objects.get(pk=number).requester_id]
        queue.append(number)
        queue.sort(key=lambda one: self.order[one])

    def waiting(self) -> list[int]:
        return sorted(number for queue in self.model.queues.values() for number in queue)

    @rule(person=st.integers(0, 3))
    def submit(self, person: int) -> None:
        self.tick()
        self.put(scene.submit(self.people[person % len(self.people)]).pk, to_back=True)

    @rule(most=st.integers(1, 6))
    def claim(self, most: int) -> None:
        """So many at once are those that would be claimed one by one."""
        self.tick()
        calls = factories.claim_requests(worker="test", most=most)
        taken = [self.model.take(passed_over=frozenset(self.postponed)) for _ in range(most)]
        claimed = [models.Attempt.objects.get(pk=call.attempt_id).request_id for call in calls]
        assert claimed == [number for number in taken if number is not None]
        self.in_flight += zip(calls, claimed, strict=True)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), code=st.sampled_from(["200", "not-sent", "422", "unreadable"]))
    def end(self, data: st.DataObject, code: str) -> None:
        """Given back it keeps its place; proven not created it queues anew."""
        self.tick()
        call, number = data.draw(st.sampled_from(self.in_flight))
        self.in_flight.remove((call, number))
        results.record_result(call=call, result=scene.make_result(code))
        models.Key.objects.update(consecutive_failures=0)  # the pause is another machine's matter
        if code == "not-sent":
            self.put(number, to_back=False)
        elif code == "unreadable":
            portal_request = models.Request.objects.get(pk=number)
            factories.ask_people(portal_request)
            operator_actions.declare_not_created(actor=portal_request.requester, portal_request=portal_request)
            self.put(number, to_back=True)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.tick()
        number = data.draw(st.sampled_from(self.waiting()))
        submissions.cancel_request(actor=self.people[0], portal_request=models.Request.objects.get(pk=number))
        for queue in self.model.queues.values():
            if number in queue:
                queue.remove(number)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def postpone(self, data: st.DataObject) -> None:
        """Its next try is not due yet: others go first, and it keeps its place in the count."""
        number = data.draw(st.sampled_from(self.waiting()))
        later = Now() + timedelta(days=1)
        models.Request.objects.filter(pk=number).update(next_attempt_at=later)
        self.postponed.add(number)

    @rule()
    def all_are_due(self) -> None:
        models.Request.objects.filter(status="QUEUED").update(next_attempt_at=None)
        self.postponed.clear()

    @invariant()
    def positions_are_the_model_s(self) -> None:
        rows = models.Request.objects.select_related("requester").filter(status="QUEUED")
        real = {row.pk: fair_queue.find_position(portal_request=row) for row in rows}
        assert real == {number: self.model.find_position(number) for number in self.waiting()}

    @invariant()
    def nobody_waits_for_more_than_one_call_of_each_other_person(self) -> None:
        for queue in self.model.queues.values():
            if queue:
                others = sum(bool(other) for other in self.model.queues.values() if other is not queue)
                assert self.model.find_position(queue[0]) <= 1 + others

    def conclude(self) -> None:
        """Where all are due, they go out exactly in the order of their positions."""
        if not hasattr(self, "model"):
            return
        self.all_are_due()
        expected = sorted(self.waiting(), key=self.model.find_position)
        for call, _ in self.in_flight:
            results.record_result(call=call, result=scene.make_result("422"))
        for number in expected:
            call = factories.claim()
            assert models.Attempt.objects.get(pk=call.attempt_id).request_id == number
            results.record_result(call=call, result=scene.make_result("422"))


@pytest.mark.django_db
def test_the_order_is_as_its_model(settings):
    settings.PORTAL_CALLS_IN_FLIGHT = 1000
    run_state_machine_as_test(FairOrder, settings=scene.bounded(examples=12, steps=30))
