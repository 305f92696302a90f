"""What people write in notes, in the languages of a team all over the store, and what the provider answers."""

import json
from collections.abc import Mapping
from random import Random
from typing import Any
from uuid import UUID

from portal import models
from portal.sandbox import responses, store

_NOTES = (
    "Recording of the weekly meeting, {project}",
    "Regression test of {project}, build {number}",
    "Demo for a customer: {project}",
    "Schulung {project}, Gruppe {number}",
    "Lasttest für {project}, zweiter Versuch",
    "Réunion d’équipe, enregistrement n° {number}",
    "Essai de {project} avec la nouvelle version",
    "Prueba de integración de {project} ({number})",
    "Gravação da aula {number}, {project}",
    "Test integracyjny {project}, zgłoszenie {number}",
    "Проверка сборки {number}, {project}",
    "Запис зустрічі щодо {project}",
    "{project} の動作確認 {number}",
    "{project} 会议录制",
    "اختبار {project} رقم {number}",
    "{project} परीक्षण {number}",
    "Kokous: {project} – muistiinpanot",
    "Δοκιμή {project} {number}",
)
_PROJECTS = (
    "billing", "atlas", "nightly", "onboarding", "telephony", "crawler", "translations", "reports", "mailroom",
    "scheduler", "inventory", "search", "webshop", "payroll", "kiosk", "dispatch", "archive", "playback",
)  # fmt: skip
_RARE = "heliotrope"  # in one note of a thousand


# The columns of what a response of the provider consists of.
type Columns = Mapping[str, Any]


def _read(reply: responses.Reply) -> Columns:
    texts = json.loads(reply.body) if reply.content_type == responses.JSON else {"error": "", "message": ""}
    return {"http_status": reply.status, "error": texts["error"], "message": texts["message"], "response": reply.body}


_GATEWAY = responses.Reply(
    status=502, body=responses.GATEWAY_PAGE.format(title="502 Bad Gateway").encode(), content_type=responses.HTML
)
_GARBAGE = responses.Reply(
    status=200, body=responses.GATEWAY_PAGE.format(title="Welcome to nginx!").encode(), content_type=responses.HTML
)
_REFUSALS = {str(status): _read(responses.reply_error(status)) for status in (400, 401, 402, 422, 429, 500, 503)}
# Of responses with a response.
ANSWERS: Mapping[str, Columns] = _REFUSALS | {
    "other": _read(responses.reply_error(418)),
    "gateway": _read(_GATEWAY),
    "402-held": _REFUSALS["402"],
    "unreadable": _read(_GARBAGE),
}


def write_note(random: Random) -> str:
    """A note; two in five requests have none."""
    chance = random.random()
    if chance < 0.4:
        return ""
    text = random.choice(_NOTES).format(project=random.choice(_PROJECTS), number=random.randrange(100, 10_000))
    return f"{text} ({_RARE})" if chance > 0.999 else text


def make_uid(random: Random) -> str:
    """In the provider's form."""
    return "".join(random.choices(store.ALPHABET, k=12))


def make_uuid(random: Random) -> UUID:
    """As Python makes them, but the same from the same seed."""
    return UUID(int=random.getrandbits(128), version=4)


def write_workstation(workstation: models.Workstation, *, workspace: str) -> str:
    """The provider's JSON of a workstation that was just made."""
    begun = str(workstation.created_at)
    return json.dumps(
        {
            "id": workstation.uid,
            "type": workstation.type,
            "status": "active",
            "workspace": {"id": workspace, "status": "active", "createdAt": begun},
            "startedAt": begun,
        }
    )
