"""All states that a machine can come to, breadth first; the shortest way to what must never be, in words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern

type Step[S] = tuple[str, S]


@dataclass(frozen=True, kw_only=True)
class Machine[S]:
    first: S
    list_steps: Callable[[S], Iterator[Step[S]]]
    find_violation: Callable[[S, S], str]  # of the state before and the one after
    normalize: Callable[[S], S]  # one state for all from which the same follows
    is_over: Callable[[S], bool]
    is_asked: Callable[[S], bool]  # whether people are asked, and have what to say


@dataclass(frozen=True, kw_only=True)
class Explored:
    states: int
    depth: int
    violation: str = ""
    path: Sequence[str] = ()


def explore[S](machine: Machine[S], *, most: int = 1_000_000) -> Explored:
    """Stops at the first violation, at a state from which there is no way on, and at more states than that."""
    first = machine.normalize(machine.first)
    numbers, states, came = {first: 0}, [first], [(-1, "")]
    before: list[list[int]] = [[]]  # from which states each is reached; where by a person's word, its complement
    at, depth, last_of_depth = 0, 0, 0
    while at < len(states):
        for words, reached in machine.list_steps(states[at]):
            violation, after = machine.find_violation(states[at], reached), machine.normalize(reached)
            number = numbers.setdefault(after, len(states))
            if number == len(states):
                states.append(after)
                came.append((at, intern(words)))
                before.append([])
            before[number].append(~at if words.startswith("a person") else at)
            if violation:
                return _describe(came, depth, violation, [*_trace(came, at), words])
            if len(states) > most:
                return _describe(came, depth, f"more than {most} states", [])
        if at == last_of_depth:
            depth, last_of_depth = depth + 1, len(states) - 1
        at += 1
    ends = [number for number, state in enumerate(states) if machine.is_over(state)]
    asked = [number for number, state in enumerate(states) if machine.is_asked(state)]
    for goals, with_people, violation in (
        (ends, True, "there is no way to an end"),
        ([*ends, *asked], False, "it waits for people, who are asked nothing"),
    ):
        stuck = _find_stuck(before, goals, with_people=with_people)
        if stuck is not None:
            return _describe(came, depth, violation, _trace(came, stuck))
    return _describe(came, depth, "", [])


def _find_stuck(before: Sequence[Sequence[int]], goals: Sequence[int], *, with_people: bool) -> int | None:
    """The first state from which none of the goals can be reached."""
    good, left = set(goals), list(goals)
    while left:
        for word in before[left.pop()]:
            earlier = max(word, ~word)
            if earlier not in good and (with_people or word >= 0):
                good.add(earlier)
                left.append(earlier)
    return next((number for number in range(len(before)) if number not in good), None)


def _describe(came: Sequence[tuple[int, str]], depth: int, violation: str, path: Sequence[str]) -> Explored:
    return Explored(states=len(came), depth=depth, violation=violation, path=path)


def _trace(came: Sequence[tuple[int, str]], at: int) -> list[str]:
    path = list[str]()
    while at > 0:
        at, words = came[at]
        path.append(words)
    return path[::-1]
