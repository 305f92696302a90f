"""Written for AgentStation: nothing here knows of a portal."""

import os

import requests
from playwright.sync_api import sync_playwright
from websockets.sync.client import connect

PAGE = """data:text/html,<button onclick="document.title = 'steered'">Go</button>"""

agentstation = requests.Session()
agentstation.headers["Authorization"] = f"Bearer {os.environ['API_KEY']}"
workstations = f"{os.environ['BASE_URL']}/workstations"

answer = agentstation.post(workstations, json={"type": "max"}, timeout=60)
answer.raise_for_status()
workstation = f"{workstations}/{answer.json()['id']}"


def open_connection(kind: str) -> str:
    opened = agentstation.post(f"{workstation}/{kind}", timeout=60)
    opened.raise_for_status()
    return opened.json()["url"]


with sync_playwright() as playwright:
    browser = playwright.chromium.connect_over_cdp(open_connection("browser/cdp"))
    page = browser.new_page()
    page.goto(PAGE)
    page.get_by_role("button").click()
    print(page.title())
    browser.close()

with connect(open_connection("sandbox/pty")) as shell:
    shell.send("echo $((6 * 7))\r")
    shown = b""
    while b"42" not in shown:  # which the echo of the command has not
        shown += shell.recv(60, decode=False)
    print("computed")

print(agentstation.delete(f"{workstation}/release", timeout=60).json()["released"])
