"""A garage with a running server, and a browser that reaches no other host."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.conftest import BOOKING, MECHANIC
from tests.gunicorn_server import ROOT
from tests.mail_server import Inbox, mail_server_of
from tests.tools import running, sign_up

HERE = Path(__file__).parent
NODE = HERE.parent.parent / ".node/node_modules"
AXE = NODE / "axe-core/axe.min.js"
MILLISECONDS = 30_000  # until what does not come has failed; Chromium takes seconds to begin where nothing is cached
expect.set_options(timeout=MILLISECONDS)
ADMIN, OWNER = "admin@example.com", "owner@garage.example"
# A script that makes a page lose patience with a call after half a second.
HASTE = "const { timeout } = AbortSignal; AbortSignal.timeout = () => timeout.call(AbortSignal, 500)"
PLACES = {"Near Nina": (40.71, -73.99), "Middle Mo": (40.65, -73.95), "Far Fay": (40.9, -73.5)}


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Garage:
    """A server with an admin and mechanics, and tabs that look at it. errors: what the consoles of the tabs said."""

    def __init__(self, server, browser, inbox=None):
        self.server, self.browser, self.inbox = server, browser, inbox
        self.address = f"http://127.0.0.1:{server.port}"
        self.errors, self.hosts = [], set()
        self.token = sign_up(server, ADMIN, admin=True)
        for name, (latitude, longitude) in PLACES.items():
            self.hire(name, latitude=latitude, longitude=longitude)

    def call(self, method, path, json=None, token=None):
        answer = self.server.call(method, path, json, token=token)
        assert answer.status < 300, answer.body
        return answer.json

    def hire(self, name, **fields):
        email = f"{name.split()[0].lower()}@garage.example"
        return self.call("POST", "/api/mechanics", {**MECHANIC, "name": name, "email": email, **fields}, self.token)

    def book(self, **fields):
        return self.call("POST", "/api/booking", {**BOOKING, **fields})

    def mail_to(self, address):
        """The newest mail that arrived at an address, once what is due is sent."""
        send = [sys.executable, "-m", "flask", "--app", "wsgi", "send-mail", "--once"]
        subprocess.run(send, cwd=ROOT, env={**self.server.environ, "FLASK_SKIP_DOTENV": "1"}, check=True)
        return [letter for letter in self.inbox.letters if letter.recipients == [address]][-1]

    def link_in(self, letter):
        """The path that its link leads to on this server."""
        (link,) = re.findall(rf'href="{self.address}(/[^"]+#[^"]+)"', letter.html)
        return link

    def open(self, path, **context):
        page = self.browser.new_context(locale="en-GB", **context).new_page()
        page.set_default_timeout(MILLISECONDS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(self.address + path)
        return page

    def dispatch(self, fragment="", **context):
        """The dispatch page, signed in."""
        page = self.open(f"/admin{fragment}", **context)
        self.sign_in(page)
        page.wait_for_selector("#refreshed:not(:empty)", state="attached")
        return page

    def sign_in(self, page, email=ADMIN, password="password123"):
        page.fill("#sign-in-email", email)
        page.fill("#sign-in-password", password)
        page.keyboard.press("Enter")


@pytest.fixture
def garage(tmp_path, chromium):
    inbox = Inbox()
    with mail_server_of(inbox) as port, running(tmp_path, **mail(port)) as server:
        made = Garage(server, chromium, inbox)
        yield made
        for context in chromium.contexts:
            context.close()
        assert made.errors == []
        assert made.hosts <= {made.address.removeprefix("http://")}


def mail(port: int) -> dict[str, str]:
    """The settings for mail, with a mail server on this machine."""
    return {"MAIL_URL": f"smtp://127.0.0.1:{port}", "MAIL_FROM": "garage@garage.example", "OWNER_EMAIL": OWNER}


def check_accessible(page):
    """axe-core finds nothing serious."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []
