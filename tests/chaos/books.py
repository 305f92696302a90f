"""Three books compared: what clients were told, what the portal stored, what the provider received and made.

The POST names a type and perhaps a workspace, nothing else: requests that ask for the same are one *group*, and only
the number in a group can be wrong. A workstation whose POST was answered with a clear refusal is an orphan *made on
purpose* by the mix of failures: nobody could know of it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

# Refusals in the provider's words: after one of these nobody looks for a workstation.
REFUSALS = frozenset({400, 401, 402, 418, 422, 429})
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
WRONG_OWNER, ASKED_NOBODY, BURNT = "wrong owner", "asked nobody", "queue burnt"
STOPPED, BROKE = "stopped by another key", "broke on what came"
ENDS, LIMITS, TOLD_TWICE, NO_PATH = "ends", "limits passed", "told twice", "no path of the model"
# What a run must not show.
KINDS = (
    *("lost", "doubled", "unknown left", "orphans left", "untold", "unexplained POSTs", "answers lost"),
    *("running unseen", "record", WRONG_OWNER, ASKED_NOBODY, BURNT, STOPPED, BROKE, ENDS, LIMITS, TOLD_TWICE, NO_PATH),
)
# Seconds that the clocks of a database and of the sandbox, on one machine, may seem to differ by.
SLACK = 0.25

type Group = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One submission as its client saw it: the numbers that it was given, and whether a form came back instead.

    `answers`: the status and address of each answer.
    """

    member: str
    submission: str
    type: str
    workspace: str
    numbers: tuple[int, ...] = ()
    refused: bool = False
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A stored request; `reason` says why only a person can go on with it, where one is asked.

    `sent_again`: how often a person said that nothing was made, and took the risk to pay twice. `given_up`: a person
    ended it though its outcome was unknown; what it had made is an orphan.
    """

    number: int
    member: str
    submission: str
    type: str
    workspace: str
    status: str
    failure: str = ""
    reason: str = ""
    sent_again: int = 0
    given_up: bool = False

    @property
    def group(self) -> Group:
        return self.type, self.workspace


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A stored attempt with the outcome that was stored last, late or not: its worker may only later have said that
    it sent nothing. `answered`: the status; `uid`: of the workstation that it named.
    """

    request: int
    worker: int
    claimed_at: float
    ended_at: float | None
    outcome: str
    failure: str = ""
    answered: int | None = None
    late: bool = False
    uid: str = ""

    @property
    def was_sent(self) -> bool:
        return self.outcome != "NOT_SENT" and self.failure != "no-connection"


@dataclass(frozen=True, kw_only=True)
class Workstation:
    """A stored workstation, with its request's number; None: unassigned that the portal knows."""

    uid: str
    request: int | None


@dataclass(frozen=True, kw_only=True)
class Post:
    """A POST that the sandbox received; `answered` with a status, or how it ended without; `made`: a workstation."""

    sequence: int
    at: float
    type: str
    workspace: str
    answered: int | str | None
    made: str | None = None

    @property
    def group(self) -> Group:
        return self.type, self.workspace

    @property
    def is_on_purpose(self) -> bool:
        """Whether it made a workstation that nobody could know of."""
        return self.made is not None and self.answered in REFUSALS


@dataclass(frozen=True, kw_only=True)
class Books:
    submissions: list[Submission]
    requests: list[Request]
    attempts: list[Attempt]
    workstations: list[Workstation]
    posts: list[Post]
    # Seconds after its claim in which an attempt may still send.
    send_within: float
    call_within: float
    # Workers that were killed or frozen: they may have missed a response.
    disturbed: frozenset[int] = frozenset()
    key_is_paused: bool = False
    # (from, until): attempts of this time are gone, for the database was put back.
    forgotten: tuple[float, float] = (math.inf, -math.inf)
    # Workstations that somebody else made with the same key.
    strangers: frozenset[str] = frozenset()
    # Workstations that run at the provider and that the portal shows to nobody.
    unseen: list[str] = field(default_factory=list)
    # What verifying the portal's own record finds.
    record: list[str] = field(default_factory=list)
    # What the run itself has seen, each with its kind.
    seen: list[tuple[str, str]] = field(default_factory=list)


@dataclass(kw_only=True)
class Report:
    findings: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, sentence: str) -> None:
        self.findings[kind].append(sentence)

    @property
    def is_clean(self) -> bool:
        return not any(self.findings.values())


def compare(books: Books) -> Report:
    report = Report()
    _compare_submissions(books, report)
    _compare_ends(books, report)
    owners = _match_posts(books, report)
    _compare_workstations(books, report, owners)
    _compare_responses(books, report, owners)
    _compare_unseen(books, report, owners)
    for kind, words in (*(("record", words) for words in books.record), *books.seen):
        report.add(kind, words)
    _count(books, report)
    return report


# --- What clients were told ---


def _compare_submissions(books: Books, report: Report) -> None:
    stored = {portal_request.number: portal_request for portal_request in books.requests}
    for seen in books.submissions:
        numbers = set(seen.numbers)
        if not numbers and not seen.refused:
            answers = ", ".join(seen.answers)
            report.add("untold", f"{seen.member} was never told about submission {seen.submission}: {answers}")
        if len(numbers) > 1:
            report.add("doubled", f"submission {seen.submission} became {sorted(numbers)}")
        for number in numbers:
            found = stored.get(number)
            wish = (seen.member, seen.submission, seen.type, seen.workspace)
            if found is None:
                report.add("lost", f"R-{number} was promised to {seen.member} and is not stored")
            elif wish != (found.member, found.submission, found.type, found.workspace):
                report.add("lost", f"R-{number} was promised for {wish} and is {found}")
    stored_counts = Counter((portal_request.member, portal_request.submission) for portal_request in books.requests)
    for (member, submission), count in stored_counts.items():
        if count > 1:
            report.add("doubled", f"submission {submission} of {member} is stored {count} times")


def _compare_ends(books: Books, report: Report) -> None:
    # Whose these are is not known before a person has said what became of the request that named them first.
    disputed = {row.workspace for row in books.requests if row.status == "UNKNOWN" and row.reason} - {""}
    for portal_request in books.requests:
        words = f"R-{portal_request.number} {portal_request.group} is {portal_request.status}"
        if portal_request.status == "UNKNOWN" and portal_request.reason:
            report.counts[f"left to a person: {portal_request.reason[:60]}"] += 1
        elif portal_request.status == "UNKNOWN":
            report.add("unknown left", f"{words} ({portal_request.failure}), and nobody is asked")
        elif portal_request.status == "QUEUED" and portal_request.workspace in disputed:
            report.counts["waiting for a person's decision about another of the workspace"] += 1
        elif portal_request.status not in FINAL and not books.key_is_paused:
            report.add("lost", f"{words} for good, though nothing holds it")


# --- Each POST belongs to one attempt ---


def _match_posts(books: Books, report: Report) -> dict[int, Attempt]:
    """The attempt of each POST, by its sequence. What a response names is certain; of the rest, only the time is."""
    groups = {portal_request.number: portal_request.group for portal_request in books.requests}
    by_uid = {attempt.uid: attempt for attempt in books.attempts if attempt.uid}
    owners = {post.sequence: by_uid[post.made] for post in books.posts if post.made in by_uid}
    taken = {id(attempt) for attempt in owners.values()}
    free: dict[Group, list[Attempt]] = defaultdict(list)
    for attempt in books.attempts:
        if attempt.was_sent and not attempt.uid and id(attempt) not in taken and attempt.request in groups:
            free[groups[attempt.request]].append(attempt)
    rest = [post for post in books.posts if post.sequence not in owners]
    for is_like in (_is_same_response, _is_silent, _is_any):
        rest = _match_by_time(rest, free, owners, is_like=is_like, books=books)
    for post in rest:
        if books.forgotten[0] <= post.at <= books.forgotten[1]:
            report.counts["POSTs whose attempts a restore has lost"] += 1
            continue
        report.add("unexplained POSTs", f"POST {post.sequence} {post.group} at {post.at:.3f} has no attempt: {post}")
    return owners


def list_made(books: Books) -> dict[int, list[tuple[str, float, float]]]:
    """For each request what its calls have made: the UID, when, and from when on the call may have been sent."""
    owners, made = _match_posts(books, Report()), defaultdict[int, list[tuple[str, float, float]]](list)
    for post in books.posts:
        if post.made and not post.is_on_purpose and (attempt := owners.get(post.sequence)):
            made[attempt.request].append((post.made, post.at, attempt.claimed_at - SLACK))
    return made


def _is_same_response(post: Post, attempt: Attempt) -> bool:
    return attempt.answered is not None and attempt.answered == post.answered


def _is_silent(post: Post, attempt: Attempt) -> bool:
    return attempt.answered is None


def _is_any(post: Post, attempt: Attempt) -> bool:
    return True


def _match_by_time(
    posts: list[Post],
    free: dict[Group, list[Attempt]],
    owners: dict[int, Attempt],
    *,
    is_like: Callable[[Post, Attempt], bool],
    books: Books,
) -> list[Post]:
    """Give each POST the attempt that could have sent it and whose time ends first; returns those without one."""
    rest = []
    for post in sorted(posts, key=lambda post: post.at):
        fitting = [
            attempt
            for attempt in free[post.group]
            if is_like(post, attempt) and could_send(attempt, at=post.at, books=books)
        ]
        if not fitting:
            rest.append(post)
            continue
        first = min(fitting, key=lambda attempt: _sends_until(attempt, books=books))
        owners[post.sequence] = first
        free[post.group].remove(first)
    return rest


def _sends_until(attempt: Attempt, *, books: Books) -> float:
    limit = attempt.claimed_at + books.send_within
    return min(limit, attempt.ended_at) if attempt.answered and not attempt.late and attempt.ended_at else limit


def could_send(attempt: Attempt, *, at: float, books: Books) -> bool:
    return attempt.claimed_at - SLACK <= at <= _sends_until(attempt, books=books) + SLACK


# --- Each workstation belongs to one request ---


def _compare_workstations(books: Books, report: Report, owners: dict[int, Attempt]) -> None:
    owned = {workstation.uid: workstation.request for workstation in books.workstations if workstation.request}
    for request, count in Counter(owned.values()).items():
        if count > 1:
            report.add("doubled", f"R-{request} owns {count} workstations")
    made = {post.made: post for post in books.posts if post.made}
    requests = {portal_request.number: portal_request for portal_request in books.requests}
    for uid, number in owned.items():
        if uid in books.strangers:
            report.add(WRONG_OWNER, f"R-{number} owns {uid}, which somebody else made with the same key")
        elif uid not in made:
            report.add(WRONG_OWNER, f"R-{number} owns {uid}, which nobody made")
        elif made[uid].group != requests[number].group:
            report.add(WRONG_OWNER, f"R-{number} {requests[number].group} owns {uid}, made for {made[uid].group}")
    for number in {portal_request.number for portal_request in books.requests if portal_request.status == "SUCCEEDED"}:
        if number not in owned.values():
            report.add("lost", f"R-{number} is SUCCEEDED and owns no workstation")
    _compare_people(books, report, owned=owned)
    doubled = _compare_surplus(books, report, owners, owned=owned.keys())
    _compare_group_sizes(books, report, doubled)


def _compare_unseen(books: Books, report: Report, owners: dict[int, Attempt]) -> None:
    """What runs is shown as live, or a person is asked about the request that it was made for."""
    asked = {row.number for row in books.requests if row.status == "UNKNOWN" and row.reason}
    made_for = {post.made: owners[post.sequence].request for post in books.posts if post.sequence in owners}
    for uid in books.unseen:
        if made_for.get(uid) not in asked:
            report.add("running unseen", f"{uid} runs at the provider, and the portal does not show it as live")


def _compare_people(books: Books, report: Report, *, owned: dict[str, int]) -> None:
    """Whoever was told of a workstation in time has it, unless nobody has."""
    members = {portal_request.number: portal_request.member for portal_request in books.requests}
    for attempt in books.attempts:
        owner = owned.get(attempt.uid)
        if owner is not None and not attempt.late and members[owner] != members[attempt.request]:
            words = f"R-{owner} of {members[owner]} owns {attempt.uid}, which the answer to R-{attempt.request}"
            report.add(WRONG_OWNER, f"{words} of {members[attempt.request]} had named")


def _compare_group_sizes(books: Books, report: Report, doubled: Counter[Group]) -> None:
    """More made for a group than it has requests: one was doubled, whoever owns the workstations now."""
    made = Counter(post.group for post in books.posts if post.made and not post.is_on_purpose)
    made.subtract(doubled)
    for portal_request in books.requests:
        made[portal_request.group] -= 1 + portal_request.sent_again
    for group, count in made.items():
        if count > 0:
            report.add("doubled", f"{count} workstations more were made for {group} than it has requests")


def _compare_surplus(
    books: Books, report: Report, owners: dict[int, Attempt], *, owned: Iterable[str]
) -> Counter[Group]:
    """In each group: workstations without an owner, less those made on purpose and those that may still be found.

    Returns how many of them are doubled.
    """
    doubled: Counter[Group] = Counter()
    known = {workstation.uid for workstation in books.workstations}
    unowned, forgiven, made_by_request = defaultdict(list), Counter[Group](), Counter[int]()
    for post in books.posts:
        if post.is_on_purpose:
            forgiven[post.group] += 1
        elif post.made and post.sequence in owners:
            made_by_request[owners[post.sequence].request] += 1
        if post.made and post.made not in owned:
            unowned[post.group].append(post)
    for portal_request in books.requests:
        may_be_anybodys = portal_request.status == "UNKNOWN" or portal_request.given_up
        forgiven[portal_request.group] += may_be_anybodys + portal_request.sent_again
    for group, posts in unowned.items():
        # Those made on purpose last: the first ones are forgiven.
        for post in sorted(posts, key=lambda post: not post.is_on_purpose)[forgiven[group] :]:
            attempt = owners.get(post.sequence)
            several = attempt is not None and made_by_request[attempt.request] > 1
            who = f"R-{attempt.request}" if attempt else "nobody"
            words = f"{post.made} of POST {post.sequence} {group}, answered {post.answered}, made for {who}"
            words += ", known as an orphan" if post.made in known else ", not known to the portal"
            doubled[group] += several
            report.add("doubled" if several else "orphans left", words)
    return doubled


# --- Each response was kept ---


def _compare_responses(books: Books, report: Report, owners: dict[int, Attempt]) -> None:
    """By group: complete answers that the sandbox sent, less those stored, less those that could be missed."""
    groups = {portal_request.number: portal_request.group for portal_request in books.requests}
    sent = Counter[Group]()
    for post in books.posts:
        is_forgotten = post.sequence not in owners and books.forgotten[0] <= post.at <= books.forgotten[1]
        sent[post.group] += isinstance(post.answered, int) and not is_forgotten
    for attempt in books.attempts:
        group = groups[attempt.request]
        if attempt.answered is not None or (attempt.was_sent and _may_miss(attempt, books=books)):
            sent[group] -= 1
    for group, count in sent.items():
        if count > 0:
            report.add("answers lost", f"{count} answers to {group} are not stored, and their workers lived")


def _may_miss(attempt: Attempt, *, books: Books) -> bool:
    lasted = (attempt.ended_at or float("inf")) - attempt.claimed_at
    return attempt.worker in books.disturbed or lasted >= books.call_within - SLACK


def _count(books: Books, report: Report) -> None:
    counts = report.counts
    counts["submitted"] = len(books.submissions)
    counts["accepted"] = sum(bool(one.numbers) for one in books.submissions)
    counts["told twice"] = sum(len(one.numbers) > 1 for one in books.submissions)
    counts["form given back"] = sum(one.refused and not one.numbers for one in books.submissions)
    counts["stored"] = len(books.requests)
    counts.update(portal_request.status for portal_request in books.requests)
    counts["attempts"] = len(books.attempts)
    counts["attempts given back"] = sum(attempt.outcome == "NOT_SENT" for attempt in books.attempts)
    counts["attempts ended UNKNOWN"] = sum(attempt.outcome == "UNKNOWN" for attempt in books.attempts)
    counts["late responses"] = sum(attempt.late for attempt in books.attempts)
    counts["POSTs received"] = len(books.posts)
    counts["workstations made"] = sum(post.made is not None for post in books.posts)
    counts["strangers"] = len(books.strangers)
    counts["orphans made on purpose"] = sum(post.is_on_purpose for post in books.posts)
    counts["workstations without request"] = sum(row.request is None for row in books.workstations)
