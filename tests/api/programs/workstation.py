"""Written for AgentStation: nothing here knows of a portal."""

import os

import requests

agentstation = requests.Session()
agentstation.headers["Authorization"] = f"Bearer {os.environ['API_KEY']}"
workstations = f"{os.environ['BASE_URL']}/workstations"

answer = agentstation.post(workstations, json={"type": "python"}, timeout=60)
answer.raise_for_status()
made = answer.json()
print(made["type"], made["status"])


def count() -> int:
    page = agentstation.get(workstations, params={"limit": 100}, timeout=60).json()
    return sum(one["id"] == made["id"] for one in page["data"])


print("listed", count())
print(agentstation.get(f"{workstations}/{made['id']}", timeout=60).json()["status"])
released = agentstation.delete(f"{workstations}/{made['id']}/release", timeout=60).json()
print(released["type"], str(released["released"]).lower())
print("listed", count())
print(agentstation.get(f"{workstations}/{made['id']}", timeout=60).status_code)
