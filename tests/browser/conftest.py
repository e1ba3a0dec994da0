"""A running site with the demo's calls in it, and a browser. Skipped, with the reason, where there is no Chromium."""

import base64
import hashlib
import hmac
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.machine import ADMIN_PASSWORD, Machine, reachable, running_machine
from tests.polling import until

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Machine]:
    """Web, worker and beat with every demo call in a final state."""
    with running_machine(tmp_path_factory.mktemp("browser") / "speech") as machine:
        machine.manage(["load_demo"], ["collectstatic", "--noinput", "--verbosity", "0"])
        for name in ("beat", "worker", "web"):
            machine.spawn(name)
        until(lambda: reachable(machine.url("/readyz")), seconds=60, every=0.2)
        # 24 calls to transcribe, 3 of them files of offline tasks; of all that has text, 20 transcripts and 12 threads, AI tasks are asked.
        ended = "SELECT count(*) FROM jobs_record WHERE state <> 'in_progress'"
        until(lambda: machine.ask(ended)[0][0] == 24 + 20 + 12, seconds=90, every=0.3)
        yield machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if "PARLANCE_NO_BROWSER" in os.environ:
        pytest.skip(os.environ["PARLANCE_NO_BROWSER"])
    path = os.environ.get("PARLANCE_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium: run `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """One person's browser window; collects everything a page complains about."""

    def __init__(self, page: Page, site: Machine) -> None:
        self.page, self.site = page, site
        self.complaints: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str) -> Page:
        """Go to a page of the site."""
        self.page.goto(self.site.url(path))
        return self.page

    def sign_in(self, organisation: str, username: str) -> Page:
        """Sign in through the page, as people do."""
        password = ADMIN_PASSWORD if organisation == "system" else demo_password(organisation, username)
        self.open("/sign-in/")
        for name, value in [("organisation", organisation), ("username", username), ("password", password)]:
            self.page.fill(f"[name={name}]", value)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(self.site.url("/"))
        return self.page

    def violations(self) -> list[str]:
        """What axe finds on the page that is open."""
        self.page.evaluate(AXE)
        found = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules}).then(result => result.violations.map("
            "v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(' | ')))",
            RULES,
        )
        # axe measures text with inline styles of its own, which the site's policy rightly refuses.
        self.complaints = [c for c in self.complaints if "style" not in c.lower()]
        return found


@pytest.fixture
def visit(browser, site) -> Iterator[Callable[..., Visitor]]:
    """A new window: ``visit(dark=True, width=390, scripts=False)``."""
    contexts = []

    def make(*, dark: bool = False, width: int = 1280, scripts: bool = True) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            accept_downloads=True,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return Visitor(context.new_page(), site)

    yield make
    for context in contexts:
        context.close()


def demo_password(organisation: str, username: str) -> str:
    """The password that the demo gives this person on the test site."""
    digest = hmac.new(b"tests", f"{organisation}/{username}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()
