"""The whole main job in a browser: every page in light and dark, wide and narrow, with and without scripts."""

import re

import pytest

from speechserver.tones import spoken, tone_wav
from tests.polling import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.xdist_group("browser")]

TRANSCRIPTION = "/administration/speech-analytics/transcription"
TENANTS = "/administration/user-management/tenants/"
USERS = "/administration/user-management/users/"
ROLES = "/administration/user-management/roles/"
MODES = [(False, 1280), (True, 1280), (False, 390), (True, 390)]
ADMIN_PAGES = [
    "/",
    "/calls/",
    "/dashboard/",
    "/offline-tasks/",
    "/offline-tasks/submit/",
    "/administration/jobs/processing-queues/",
    "/administration/jobs/processing-queues/add/",
    "/administration/jobs/processing-queues/1/",
    "/administration/jobs/processing-queues/1/edit/",
    "/administration/jobs/processing-queues/1/dead-letters/?status=any",
    "/administration/jobs/workers/",
    "/administration/jobs/error-classes/",
    f"{TRANSCRIPTION}/engines/",
    f"{TRANSCRIPTION}/engines/add/",
    f"{TRANSCRIPTION}/engines/add/?type=miaop",
    f"{TRANSCRIPTION}/engines/1/overview/",
    f"{TRANSCRIPTION}/engines/1/overview/?period=30d",
    f"{TRANSCRIPTION}/engines/1/calls/",
    f"{TRANSCRIPTION}/engines/1/prices/",
    f"{TRANSCRIPTION}/engines/1/prices/add/",
    f"{TRANSCRIPTION}/languages/",
    f"{TRANSCRIPTION}/languages/add/",
    "/administration/speech-analytics/ai-assistant/engines/",
    "/administration/speech-analytics/ai-assistant/engines/1/overview/",
    "/administration/speech-analytics/ai-assistant/engines/1/abilities/",
    "/administration/speech-analytics/ai-assistant/engines/1/prices/",
    "/administration/speech-analytics/ai-assistant/engines/1/prices/add/",
    "/administration/speech-analytics/ai-assistant/engines/defaults/",
    "/administration/speech-analytics/ai-assistant/engines/defaults/add/",
    "/administration/speech-analytics/ai-assistant/usage/",
    "/administration/speech-analytics/ai-assistant/executions/",
    "/administration/speech-analytics/ai-assistant/budgets/",
    "/administration/speech-analytics/ai-assistant/budgets/add/",
    "/administration/speech-analytics/ai-assistant/tasks/",
    "/administration/speech-analytics/ai-assistant/tasks/add/",
    "/administration/speech-analytics/ai-assistant/tasks/1/",
    "/administration/speech-analytics/ai-assistant/tasks/1/versions/",
    "/administration/speech-analytics/ai-assistant/tasks/1/compare/",
    "/administration/speech-analytics/ai-assistant/tasks/1/playground/",
    "/administration/speech-analytics/ai-assistant/engines/add/?type=openai_compatible",
    f"{TRANSCRIPTION}/jobs/",
    f"{TRANSCRIPTION}/jobs/add/",
    f"{TRANSCRIPTION}/jobs/backfill/",
    f"{TRANSCRIPTION}/jobs/1/latest-run/",
    f"{TRANSCRIPTION}/jobs/1/runs/",
    f"{TRANSCRIPTION}/jobs/1/records/",
    f"{TRANSCRIPTION}/jobs/1/records/errors/",
    f"{TRANSCRIPTION}/jobs/1/logs/",
    f"{TRANSCRIPTION}/jobs/1/troubleshooting/",
    "/administration/system/allowed-addresses/",
    "/administration/system/alerts/",
    "/administration/system/alerts/add/",
    "/administration/system/alerts/1/",
    "/administration/system/alerts/1/snooze/",
    "/administration/system/alerts/history/",
    "/administration/system/pairing-server/",
    "/administration/system/pairing-server/edit/",
    "/administration/system/pairing-server/conflicts/",
    "/administration/customization/custom-fields/",
    "/administration/customization/custom-fields/add/",
    "/administration/system/audit-trail/",
    f"{TRANSCRIPTION}/usage/",
    TENANTS,
    f"{TENANTS}add/",
    "/administration/user-management/tenant-groups/",
    USERS,
    f"{USERS}add/",
    f"{USERS}import/",
    ROLES,
    f"{ROLES}add/",
    "/profile/",
]
OF_A_TENANT = [f"{TENANTS}%s/{tab}" for tab in ("", "service-limits/", "license-limits/", "seats/", "retention/")]
OF_A_TENANT += [f"{TENANTS}%s/{tab}" for tab in ("sign-in/", "audit/")]
OF_A_TENANT += [f"{TENANTS}%s/ai-tasks/", f"{TENANTS}%s/ai-tasks/1/override/", f"{TENANTS}%s/ai-tasks/1/estimate/"]
OF_A_TENANT += ["/administration/speech-analytics/ai-assistant/rates/%s/"]
OF_A_TENANT += [f"{TENANTS}%s/offline-tasks/{page}" for page in ("", "rotate/", "issuers/add/")]
OF_A_TENANT += [f"{TRANSCRIPTION}/usage/%s/{page}" for page in ("", "denied/", "statements/", "check-list/")]


def sound(visitor, path: str) -> None:
    """The open page has one heading, fits its width, and neither axe nor the console nor the CSP complains."""
    page = visitor.page
    assert visitor.violations() == [], path
    assert page.locator("h1").count() == 1, path
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), f"{path} is too wide"
    assert visitor.complaints == [], path


# One visit to all of them would take longer on a busy machine than a test may.
@pytest.mark.parametrize("share", range(3))
@pytest.mark.parametrize(("dark", "width"), MODES)
def test_every_page_of_the_platform_admin_is_sound(visit, dark, width, share):
    visitor = visit(dark=dark, width=width)
    visitor.open("/sign-in/")
    sound(visitor, "/sign-in/")
    visitor.sign_in("system", "admin")
    for path in ADMIN_PAGES[share::3]:
        visitor.open(path)
        sound(visitor, path)


@pytest.mark.parametrize(("dark", "width"), MODES)
def test_the_pages_of_one_tenant_record_user_role_execution_and_language_are_sound(visit, dark, width):
    visitor = visit(dark=dark, width=width)
    visitor.sign_in("system", "admin")
    visitor.open(f"{TRANSCRIPTION}/jobs/1/records/")
    record = visitor.page.locator("tbody a[href*='/records/']").first.get_attribute("href")
    visitor.open(record)
    sound(visitor, record)
    visitor.open(TENANTS)
    tenant = visitor.page.get_by_role("main").get_by_role("link", name="Acme").first.get_attribute("href")
    for path in OF_A_TENANT:
        visitor.open(path % tenant.rstrip("/").rsplit("/", 1)[1])
        sound(visitor, path)
    executions = "/administration/speech-analytics/ai-assistant/executions/"
    into_first = [(USERS, "tbody a[href*='/users/']"), (ROLES, "tbody a[href*='/roles/']")]
    into_first += [(f"{TRANSCRIPTION}/languages/", "tbody a[href*='/languages/']")]
    for path, into in [*into_first, (executions, "tbody a[href*='/executions/']")]:
        visitor.open(path)
        visitor.page.locator(into).first.click()
        visitor.page.wait_for_load_state()
        sound(visitor, visitor.page.url)


def test_the_pages_of_a_tenant_admin_are_sound(visit):
    visitor = visit()
    visitor.sign_in("acme", "olivia")
    for path in [
        "/",
        "/dashboard/",
        f"{TRANSCRIPTION}/usage/",
        USERS,
        ROLES,
        "/administration/system/audit-trail/",
        "/profile/",
    ]:
        visitor.open(path)
        sound(visitor, path)
    visitor.open(f"{TRANSCRIPTION}/usage/")
    visitor.page.get_by_role("link", name="Statements").click()
    visitor.page.locator("tbody a").first.click()
    sound(visitor, visitor.page.url)
    visitor.open("/calls/?state=skipped")
    visitor.page.locator("tbody a").first.click()
    visitor.page.get_by_role("link", name=re.compile("Why")).first.click()
    sound(visitor, visitor.page.url)


@pytest.mark.parametrize(("dark", "width"), MODES)
def test_a_call_with_hebrew_names_shows_player_and_transcript_and_is_sound(visit, dark, width):
    visitor = visit(dark=dark, width=width)
    visitor.sign_in("shemesh", "noa")
    visitor.open("/calls/")
    sound(visitor, "/calls/")
    # What came as an offline task has no direction and no names.
    page = visitor.open("/calls/?direction=inbound")
    page.locator("tbody tr", has_text="Completed").first.locator("a").first.click()
    page.wait_for_load_state("networkidle")
    sound(visitor, page.url)
    assert re.search("[\u0590-\u05ff]", page.locator("h1").inner_text())
    assert page.locator("[dir=auto][lang]").count() > 0


@pytest.mark.parametrize(("dark", "width"), MODES)
def test_a_thread_shows_its_messages_and_is_sound(visit, dark, width):
    visitor = visit(dark=dark, width=width)
    visitor.sign_in("shemesh", "noa")
    page = visitor.open("/calls/?channel=email")
    sound(visitor, page.url)
    page.locator("tbody a").first.click()
    page.wait_for_load_state("networkidle")
    assert page.locator("[data-turn-text]").count() == 3
    page.get_by_text("Quoted history").click()
    sound(visitor, page.url)


@pytest.mark.parametrize(("dark", "width"), MODES)
@pytest.mark.parametrize("language", ["en-gb", "he"])
def test_the_pages_of_offline_tasks_are_sound_in_both_directions(visit, dark, width, language):
    visitor = visit(dark=dark, width=width)
    visitor.sign_in("shemesh", "noa")
    speak(visitor, language)
    for path in ["/offline-tasks/submit/", "/offline-tasks/?status=error&archive=yes", "/offline-tasks/"]:
        page = visitor.open(path)
        sound(visitor, path)
    page.locator("tbody a").first.click()
    page.wait_for_load_state("networkidle")
    assert page.locator("tbody a[href*='/calls/']").count() > 1, "the conversation and its transcripts"
    page.locator("details summary", has=page.locator("svg")).last.click()
    sound(visitor, page.url)
    speak(visitor, "he")


def test_what_sets_the_offline_task_api_up_is_sound_from_right_to_left(visit):
    visitor = visit(dark=True, width=390)
    visitor.sign_in("system", "admin")
    speak(visitor, "he")
    page = visitor.open(TENANTS)
    tenant = page.locator("main tbody a[href*='/tenants/']", has_text="Acme").first.get_attribute("href")
    here = f"{TENANTS}{tenant.rstrip('/').rsplit('/', 1)[1]}/offline-tasks/"
    languages = f"{TRANSCRIPTION}/languages/"
    for path in [here, f"{here}rotate/", f"{here}issuers/add/", languages, f"{languages}add/", "/offline-tasks/"]:
        visitor.open(path)
        assert page.evaluate("document.documentElement.dir") == "rtl"
        sound(visitor, path)
    speak(visitor, "en-gb")


def hold_submission(page, answer) -> None:
    """What is posted to the form meets ``answer`` instead of the server."""
    page.route(
        "**/offline-tasks/submit/", lambda route: answer(route) if route.request.method == "POST" else route.continue_()
    )


def test_a_task_is_judged_before_it_is_sent_can_be_stopped_and_is_sent_again_after_the_connection_broke(visit):
    visitor = visit()
    visitor.sign_in("acme", "marcus")
    page = visitor.open("/offline-tasks/submit/")
    posted = []
    page.on("request", lambda request: posted.append(request) if request.method == "POST" else None)
    audio = {"name": "good.wav", "mimeType": "audio/wav", "buffer": tone_wav([spoken("hello"), spoken("yes")])}
    text = {"name": "report.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}
    empty = {"name": "empty.wav", "mimeType": "audio/wav", "buffer": b""}
    page.set_input_files("input[type=file]", [audio, text, empty])
    page.fill("[name=info]", '{"k": "' + "x" * 10_240 + '"}')
    page.get_by_role("button", name="Submit").click()
    refusal = page.locator("[data-part=refusal]")
    assert "report.pdf, empty.wav" in refusal.inner_text()
    assert "10,240 bytes" in refusal.inner_text()
    assert posted == []
    sound(visitor, "refused before it is sent")
    page.get_by_role("button", name="Remove empty.wav").click()
    page.get_by_role("button", name="Remove report.pdf").click()
    page.fill("[name=info]", '{"k": 1}')
    hold_submission(page, lambda _route: None)
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Stop sending").click()
    page.get_by_text("Stopped. Nothing was stored.").wait_for()
    page.unroute_all()
    hold_submission(page, lambda route: route.abort("connectionreset"))
    page.get_by_role("button", name="Submit").click()
    refusal.get_by_text("connection was lost").wait_for()
    visitor.complaints.clear()
    sound(visitor, "broken off")
    page.unroute_all()
    page.locator("[data-part=again]:visible, [type=submit]:visible").first.click()
    page.wait_for_url(re.compile("/offline-tasks/[0-9a-f-]{36}/"))
    assert len(posted) == 3
    sound(visitor, page.url)


def test_a_task_is_submitted_without_scripts_and_a_wrong_file_is_named(visit):
    visitor = visit(scripts=False)
    visitor.sign_in("acme", "marcus")
    page = visitor.open("/offline-tasks/submit/")
    audio = {"name": "plain.wav", "mimeType": "audio/wav", "buffer": tone_wav([spoken("thank you")])}
    page.set_input_files("input[type=file]", [{"name": "report.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}])
    page.locator("main form [type=submit]").click()
    page.get_by_text("These are no audio files: report.pdf").first.wait_for()
    page.set_input_files("input[type=file]", [audio])
    page.locator("main form [type=submit]").click()
    page.wait_for_url(re.compile("/offline-tasks/[0-9a-f-]{36}/"))
    page.get_by_text("plain.wav").first.wait_for()


def test_a_plain_click_on_a_word_seeks_and_playing_marks_the_word(visit):
    visitor = visit()
    page = visitor.sign_in("acme", "olivia")
    page = visitor.open("/calls/")
    page.locator("tbody tr", has_text="Completed").first.locator("a").first.click()
    page.wait_for_load_state("networkidle")
    second_turn = page.locator("[data-turn-text]").nth(1)
    second_turn.click(position={"x": 12, "y": 10})
    moment = "document.querySelector('audio').currentTime"
    until(lambda: page.evaluate(moment) > 1, seconds=10)
    page.keyboard.press("Space")
    until(lambda: page.evaluate("CSS.highlights.size") > 0, seconds=10)
    assert visitor.complaints == []


def test_the_engine_test_shows_the_guides_steps_and_the_text_while_it_runs(visit):
    visitor = visit()
    visitor.sign_in("system", "admin")
    page = visitor.open(f"{TRANSCRIPTION}/engines/")
    page.get_by_role("link", name="Test Connection").click()
    page.get_by_role("button", name="Test Connection").click()
    page.wait_for_url(re.compile("/tests?/"))
    for label in [
        "Loading engine settings",
        "Uploading file for transcription",
        "Waiting for completion",
        "Cleaning up",
        "TRANSCRIPTION",
        "100 %",
    ]:
        page.get_by_text(label).first.wait_for()
    sound(visitor, page.url)


def test_files_are_uploaded_with_a_result_each_and_a_bad_one_says_why(visit):
    visitor = visit()
    visitor.sign_in("acme", "olivia")
    page = visitor.open("/calls/upload/")
    sound(visitor, "/calls/upload/")
    good = {"name": "good.wav", "mimeType": "audio/wav", "buffer": tone_wav([spoken("hello"), spoken("yes")])}
    longer = tone_wav([spoken("hello good morning"), spoken("yes please", 3000)])
    good["buffer"] = longer
    bad = {"name": "bad.wav", "mimeType": "audio/wav", "buffer": b"%PDF-1.7 this is no audio"}
    page.set_input_files("input[type=file]", [good, bad])
    page.get_by_role("button", name="Upload").last.click()
    page.get_by_text("not a supported audio file").wait_for()
    page.get_by_role("link", name=re.compile("good.wav|Open")).first.wait_for()


def speak(visitor, language: str) -> None:
    """Choose the language of the pages on the own profile."""
    page = visitor.open("/profile/")
    page.select_option("main [name=language]", language)
    page.locator("main form", has=page.locator("[name=language]")).locator("[type=submit]").first.click()
    page.wait_for_load_state()


@pytest.mark.parametrize(("language", "direction"), [("en-gb", "ltr"), ("he", "rtl")])
def test_the_job_form_adds_removes_and_previews_clauses_in_both_directions(visit, language, direction):
    visitor = visit()
    visitor.sign_in("system", "admin")
    speak(visitor, language)
    path = f"{TRANSCRIPTION}/jobs/1/edit/"
    page = visitor.open(path)
    assert page.evaluate("document.documentElement.dir") == direction
    before = page.locator(".p-clause [name=remove_clause]").count()
    page.fill("main [name=name]", "שם Name")
    page.select_option("main [name=add_fact]", "call.tag")
    page.locator("[name=add_clause]").click()
    row = f"clause_{before}"
    page.locator(f"[name={row}_1]").wait_for()
    until(lambda: page.evaluate("document.activeElement.name") == f"{row}_0", seconds=10)
    assert page.input_value("main [name=name]") == "שם Name"
    sound(visitor, path)
    remove = page.locator(f"[name=remove_clause][value='{before}']")
    after = remove.bounding_box()["x"] > page.locator(f"[name={row}_0]").bounding_box()["x"]
    assert after == (direction == "ltr"), "the button stands at the end of its line"
    page.select_option(f"[name={row}_0]", "is")
    page.fill(f"[name={row}_1]", "a tag that no call has")
    page.locator("button[value=preview]").first.click()
    page.locator("#job-preview", has_text="None of the last").wait_for()
    assert page.evaluate("document.activeElement.value") == "preview"
    sound(visitor, path)
    page.locator(".p-card-foot button[value=save]").click()
    page.locator("#job-preview [name=confirmed]").wait_for(state="attached")
    assert page.input_value("main [name=name]") == "שם Name", "nothing was saved, and nothing is lost"
    sound(visitor, path)
    page.locator(f"[name=remove_clause][value='{before}']").click()
    page.locator(f"[name={row}_1]").wait_for(state="detached")
    page.locator("button[value=preview]").first.click()
    page.locator("#job-preview .p-note", has_text=re.compile("match")).wait_for()
    assert page.locator(".p-clause [name=remove_clause]").count() == before
    sound(visitor, path)
    speak(visitor, "en-gb")


@pytest.mark.parametrize("scripts", [True, False])
def test_calls_that_match_are_tagged_from_a_preview_with_and_without_scripts(visit, scripts):
    visitor = visit(dark=scripts, width=390 if scripts else 1280, scripts=scripts)
    visitor.sign_in("acme", "olivia")
    page = visitor.open("/calls/?direction=inbound")
    number = page.locator("tbody [name=selection]").count()
    assert number > 1
    if scripts:
        page.locator("tbody [name=selection]").first.check()
        number = 1
    page.locator("[name=action][value=tag]").click()
    page.locator("#bulk-tag").wait_for()
    assert page.locator("tbody tr").count() == min(number, 5)
    if scripts:
        sound(visitor, "the preview")
    page.fill("#bulk-tag", f"tag {scripts}")
    page.locator("main form [type=submit]").click()
    page.get_by_text(re.compile("conversations? (was|were) changed")).first.wait_for()
    if scripts:
        sound(visitor, "the outcome")
    tagged = visitor.open(f"/calls/?tag=tag+{scripts}")
    assert tagged.locator("tbody tr").count() == number


def test_everything_works_without_scripts(visit):
    visitor = visit(scripts=False)
    page = visitor.sign_in("acme", "olivia")
    page = visitor.open("/calls/?q=payment&type=call")
    page.locator("tbody tr a").first.click()
    assert page.locator("audio[controls]").count() == 1
    assert page.locator("a[href$='.srt']").count() == 1
    page = visitor.open("/calls/?type=thread")
    page.locator("tbody tr a").first.click()
    assert page.locator("li.p-message").count() > 1
    page = visitor.open("/calls/upload/")
    audio = tone_wav([spoken("thank you for calling"), spoken("hello", 4000)])
    page.set_input_files("input[type=file]", [{"name": "plain.wav", "mimeType": "audio/wav", "buffer": audio}])
    page.get_by_role("button", name="Upload").last.click()
    page.wait_for_url(re.compile("/calls/[0-9a-f-]{36}/"))
    page.get_by_text("1 call was stored.").wait_for()
    admin = visit(scripts=False)
    admin.sign_in("system", "admin")
    for path in ADMIN_PAGES:
        assert admin.open(path).locator("h1").count() == 1
