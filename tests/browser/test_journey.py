"""From an empty installation to a statement: a new platform admin and a new tenant admin, both in the browser."""

import re
from collections.abc import Iterator

import pytest

from speechserver.tones import spoken, tone_wav
from tests.browser.conftest import Visitor
from tests.machine import Machine, reachable, running_machine
from tests.polling import until
from tests.speechserver.conftest import TOKEN

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.xdist_group("browser")]

TRANSCRIPTION = "/administration/speech-analytics/transcription"
USERS = "/administration/user-management/users/"
TENANTS = "/administration/user-management/tenants/"
SENTENCE = "a sentence that is easy to keep"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Machine]:
    """Web, worker and beat of a platform with nothing in it but its administrator."""
    with running_machine(tmp_path_factory.mktemp("journey") / "speech") as machine:
        machine.manage(["collectstatic", "--noinput", "--verbosity", "0"])
        for name in ("beat", "worker", "web"):
            machine.spawn(name)
        until(lambda: reachable(machine.url("/readyz")), seconds=60, every=0.2)
        yield machine


class Admin:
    """What the two administrators do, by what they read on the page."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.page = visitor, visitor.page
        self.main = self.page.get_by_role("main")

    def link(self, name: str) -> None:
        """Follow a link of the page."""
        self.main.get_by_role("link", name=name, exact=True).first.click()
        self.page.wait_for_load_state()

    def press(self, name: str) -> None:
        """Press a button of the page."""
        self.main.get_by_role("button", name=name, exact=True).first.click()
        self.page.wait_for_load_state()

    def fill(self, **values: str) -> None:
        """Type into fields by their names."""
        for name, value in values.items():
            self.page.fill(f"main [name={name}]", value)

    def tenant(self, tab: str) -> None:
        """Open a tab of the only organisation."""
        self.visitor.open(TENANTS)
        self.link("Acme")
        self.link(tab)

    def add_tenant(self) -> None:
        """The wizard, and the wait for its schema."""
        self.visitor.open(TENANTS)
        self.link("Add")
        self.fill(name="Acme", slug="acme")
        self.press("Next")
        self.press("Next")
        self.press("Create")
        self.link("Go to the tenant")

    def add_user(self, username: str, role: str, *, licensed: bool) -> str:
        """A user of Acme by the tenant's own link; answers the password that was made."""
        self.tenant("Users")
        self.link("Add")
        self.fill(username=username)
        self.page.select_option("main [name=role]", label=role)
        if licensed:
            self.main.get_by_role("checkbox", name="Speech analytics").check()
        self.press("Save")
        found = re.search(r"Password\n(\S+)", self.main.inner_text())
        assert found is not None
        return found[1]

    def add_pipeline(self, server: str) -> None:
        """Engine, queue and a job between them."""
        self.visitor.open(f"{TRANSCRIPTION}/engines/add/")
        self.fill(name="House engine", server_address=server, token=TOKEN)
        self.press("Save")
        self.visitor.open("/administration/jobs/processing-queues/add/")
        self.fill(name="New calls")
        self.page.check("main [value='call.created']")
        self.press("Save")
        self.visitor.open(f"{TRANSCRIPTION}/jobs/add/")
        self.fill(name="Transcribe")
        self.page.select_option("main [name=source_queue]", label="New calls")
        self.page.select_option("main [name=engine]", label="House engine")
        self.press("Save")

    def upload(self, number: int, username: str) -> None:
        """A call of 20 to 25 seconds."""
        self.visitor.open("/calls/upload/")
        words = [spoken(f"hello good morning {'yes ' * number}".strip()), spoken("yes please", 20_000)]
        file = {"name": f"call-{number}.wav", "mimeType": "audio/wav", "buffer": tone_wav(words)}
        self.page.set_input_files("main [type=file]", [file])
        self.main.locator("summary").first.click()
        self.fill(username=username)
        self.press("Upload")
        self.main.get_by_role("link", name=re.compile("Open|call-")).first.wait_for()

    def states(self) -> list[str]:
        """The state of each call on the list, newest first."""
        self.visitor.open("/calls/")
        heads = [head.strip() for head in self.main.locator("thead th").all_inner_texts()]
        column = next(at for at, head in enumerate(heads, start=1) if head.startswith("Transcription"))
        cells = self.main.locator(f"tbody td:nth-child({column})").all_inner_texts()
        return [re.sub(r"\s+", " ", text).strip() for text in cells]


def test_a_denied_record_is_explained_goes_through_after_the_raise_and_stands_on_usage_statement_and_trail(site, visit):
    admin = Admin(visit())
    admin.visitor.sign_in("system", "admin")
    admin.main.get_by_role("link", name="Add a tenant").wait_for()
    admin.add_tenant()
    password = admin.add_user("ada", "Tenant administrator", licensed=False)
    admin.add_user("alice", "Agent", licensed=True)
    admin.add_user("bob", "Agent", licensed=True)
    admin.tenant("License Limits")
    admin.fill(speech_analytics="1")
    admin.press("Save")
    admin.main.get_by_text("loses the seat").wait_for()
    admin.press("Save anyway")
    admin.tenant("Service Limits")
    admin.fill(user_month="1")
    admin.press("Save")
    admin.add_pipeline(site.speech.url)

    ada = Admin(visit())
    ada.visitor.open("/sign-in/")
    for name, value in [("organisation", "acme"), ("username", "ada"), ("password", password)]:
        ada.page.fill(f"[name={name}]", value)
    ada.page.get_by_role("button", name="Sign in").click()
    ada.fill(current=password, new=SENTENCE, repeat=SENTENCE)
    ada.press("Change password")
    ada.page.wait_for_url(site.url("/"))
    for number, username in enumerate(["bob", "alice", "alice", "alice"]):
        ada.upload(number, username)
    until(lambda: sorted(ada.states()) == ["Completed", "Completed", "Skipped", "Skipped"], seconds=60, every=0.5)
    seat, limit = "User is beyond the licensed seats", "Monthly limit per user is reached"
    for reason, advice in [(seat, "raise the License Limit"), (limit, "Raise the limit")]:
        ada.visitor.open("/calls/?state=skipped")
        links = [row.get_attribute("data-href") for row in ada.main.locator("tbody tr").all()]
        pages = []
        for href in links:
            ada.visitor.open(f"{href}why/")
            pages.append(ada.main.inner_text())
        assert any(reason in page and advice in page for page in pages)

    admin.tenant("Service Limits")
    admin.fill(user_month="1000")
    admin.press("Save")
    admin.visitor.open(f"{TRANSCRIPTION}/jobs/1/records/")
    admin.main.locator("tbody tr", has_text=limit).get_by_role("link").first.click()
    admin.press("Retry now")
    until(lambda: ada.states().count("Completed") == 3, seconds=60, every=0.5)

    ada.visitor.open(f"{TRANSCRIPTION}/usage/")
    figures = re.sub(r"\s+", " ", ada.main.inner_text())
    assert re.search(r"Total limit 1,000 .*Denied 2 ", figures)
    # Three calls of 20 to 25 seconds.
    assert 1.0 <= float(re.search(r"Used this month ([\d.]+)", figures)[1]) <= 1.3
    ada.link("Statements")
    ada.main.locator("tbody a").first.click()
    statement = re.sub(r"\s+", " ", ada.main.inner_text())
    for line in (f"{limit} 1", f"{seat} 1", "Entries 3", "Denied 2"):
        assert line in statement
    ada.visitor.open("/administration/system/audit-trail/")
    own = ada.main.inner_text()
    for act in ("Tenant created", "User created", "License limits changed", "Service limits changed", "Signed in"):
        assert act in own
    admin.visitor.open("/administration/system/audit-trail/")
    theirs = admin.main.inner_text()
    for act in ("Speech engine created", "Queue created", "Job created", "Processing repeated"):
        assert act in theirs
    assert admin.visitor.complaints == []
    assert ada.visitor.complaints == []
