"""What people write in notes, in the languages of a team all over the world, and what the provider answers."""

import json
from dataclasses import dataclass
from random import Random

from portal.sandbox import endings, world

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


@dataclass(frozen=True, kw_only=True)
class Words:
    """What an answer of the provider consists of."""

    http_status: int | None = None
    error: str = ""
    message: str = ""
    answer: bytes | None = None


def _read(reply: endings.Reply) -> Words:
    texts = json.loads(reply.body) if reply.content_type == endings.JSON else {"error": "", "message": ""}
    return Words(http_status=reply.status, error=texts["error"], message=texts["message"], answer=reply.body)


_GATEWAY = endings.Reply(
    status=502, body=endings.GATEWAY_PAGE.format(title="502 Bad Gateway").encode(), content_type=endings.HTML
)
_GARBAGE = endings.Reply(
    status=200, body=endings.GATEWAY_PAGE.format(title="Welcome to nginx!").encode(), content_type=endings.HTML
)
_REFUSALS = {str(status): _read(endings.reply_error(status)) for status in (400, 401, 402, 422, 429, 500, 503)}
ANSWERS = _REFUSALS | {
    "other": _read(endings.reply_error(418)),
    "no-connection": Words(),
    "no-answer": Words(),
    "gateway": _read(_GATEWAY),
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
    return "".join(random.choices(world.ALPHABET, k=12))


def write_workstation(*, uid: str, type: str, workspace: str, started_at: str) -> Words:
    """The answer that a workstation was made."""
    document = {
        "id": uid,
        "type": type,
        "status": "active",
        "workspace": {"id": workspace, "status": "active", "createdAt": started_at},
        "startedAt": started_at,
    }
    return Words(http_status=200, answer=json.dumps(document).encode())
