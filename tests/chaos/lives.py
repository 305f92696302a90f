"""Ids that the provider gave more than once: each time another workstation, in the books another life of the id."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tests.chaos import books
from tests.provider.store import FORMER


def name_lives(contents: books.Books) -> books.Books:
    """The books, in which attempts and rows name the life that they mean, as the provider's record does."""
    reused = {uid: posts for uid, posts in _list_lives(contents).items() if len(posts) > 1}
    groups = {portal_request.number: portal_request.group for portal_request in contents.requests}
    by_request: dict[int | None, list[books.Attempt]] = defaultdict(list)
    for attempt in contents.attempts:
        by_request[attempt.request].append(attempt)

    def find(uid: str, attempts: Iterable[books.Attempt], *, is_owned: bool = False) -> str:
        alike = [
            (post, attempt)
            for post in reused.get(uid, ())
            for attempt in attempts
            if groups.get(attempt.request) == post.group
        ]
        sent = [post for post, attempt in alike if books.could_send(attempt, at=post.at, books=contents)]
        # Of unknown outcomes that are alike, a request may have got what another has made.
        found = sent or [post for post, _ in alike if is_owned]
        return (found[0].made if found else None) or uid

    attempts = [replace(attempt, uid=find(attempt.uid, [attempt])) for attempt in contents.attempts]
    rows = [replace(row, uid=find(row.uid, by_request[row.request], is_owned=True)) for row in contents.workstations]
    return replace(contents, attempts=attempts, workstations=rows)


def find_mixups(contents: books.Books, *, released: frozenset[str], reopened: Iterable[tuple[str, float]]) -> list[str]:
    """What was done to one life in the place of another, in books that name lives. `released`: lives too."""
    owners = {row.uid: row.request for row in contents.workstations if row.request}
    found = [f"{uid} was released, and no request has it" for uid in sorted(released - owners.keys())]
    lives = _list_lives(contents)
    for uid, at in reopened:
        begun = [post.made or "" for post in lives.get(uid, ()) if post.at <= at]
        if begun and begun[-1] not in owners and any(life in owners for life in begun):
            found.append(f"the end of {begun[:-1]} was taken back, though {begun[-1]} is another")
    return found


def _list_lives(contents: books.Books) -> dict[str, Sequence[books.Post]]:
    lives: dict[str, list[books.Post]] = defaultdict(list)
    for post in sorted(contents.posts, key=lambda post: post.at):
        if post.made:
            lives[post.made.partition(FORMER)[0]].append(post)
    return dict(lives)
