// The job form: clauses and the preview without leaving the page, and only the fields of the chosen schedule and data source.
// Without this script every button is a plain submit, and all fields of the schedule are shown.

const ASK_AGAIN_MS = 700;
const TRIES = 12;
// Half an hour: a worker counts as long as somebody waits for it.
const ESTIMATE_TRIES = 2500;
const SHOWN = { start_at: ["hourly", "daily", "weekly", "monthly"], weekday: ["weekly"], month_day: ["monthly"], cron: ["cron"] };
const PREVIEWED = ["name", "access_scope", "tenant", "tenant_groups", "source_queue", "engine", "schedule", "cron", "start_at", "weekday", "month_day", "time_zone"];
const OF_SOURCE = {
  source_queue: ["queue"],
  ended_records: ["storage", "token"],
  throttle: ["token", "full"],
  budget_minutes: ["token", "full"],
  lag_target_s: ["token", "full"],
};
let round = 0;

const formNow = () => document.querySelector("[data-job-form]")?.closest("form");

function showFor(chosen, shown) {
  if (chosen === undefined) return;
  for (const [name, values] of Object.entries(shown)) {
    const field = document.getElementById(`field-${name}`);
    // What was refused stays in sight, whatever was chosen.
    if (field) field.hidden = !values.includes(chosen) && !field.querySelector(".errorlist");
  }
}

function showSchedule() {
  const elements = formNow()?.elements;
  showFor(elements?.schedule?.value, SHOWN);
  showFor(elements?.data_source?.value, OF_SOURCE);
}

async function send(form, name, value) {
  const data = new FormData(form);
  data.append(name, value);
  // Not form.action: the buttons of that name stand in its way.
  const answer = await fetch(window.location.href, { method: "POST", body: data });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { refused: !answer.ok, form: page.querySelector("[data-job-form]")?.closest("form") };
}

function replaceForm(form, fresh) {
  form.replaceWith(fresh);
  showSchedule();
  fresh.querySelector("[data-focus]")?.focus();
}

// Only the preview is replaced: what is typed meanwhile stays. A refusal is shown when it was asked for by the button.
async function preview(asked) {
  const mine = ++round;
  for (let tries = 0; tries < (formNow()?.querySelector("[data-estimate]") ? ESTIMATE_TRIES : TRIES); tries += 1) {
    const form = formNow();
    const answer = await send(form, "action", "preview");
    if (mine !== round || !answer.form) return;
    if (answer.refused) {
      if (asked) replaceForm(form, answer.form);
      return;
    }
    const box = answer.form.querySelector("#job-preview");
    const old = document.getElementById("job-preview");
    old.replaceChildren(...box.childNodes);
    if (!("asking" in box.dataset)) return;
    await new Promise((done) => { setTimeout(done, ASK_AGAIN_MS); });
    if (mine !== round) return;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("button[type=submit]") : null;
  const form = formNow();
  if (!button || !form || button.form !== form) return;
  if (button.value === "preview") {
    event.preventDefault();
    preview(true);
  } else if ("clause" in button.dataset) {
    event.preventDefault();
    round += 1;
    const answer = await send(form, button.name, button.value);
    if (answer.form) replaceForm(form, answer.form);
    if (button.name === "remove_clause" && complete(formNow())) preview(false);
  }
});

// A form or a clause that is still being written would only be refused.
function complete(form) {
  return form.checkValidity() && [...form.querySelectorAll(".p-clause")].every((clause) => {
    const operator = clause.querySelector("select").value;
    const values = [...clause.querySelectorAll("input:not([type=hidden])")];
    const needed = { empty: 0, not_empty: 0, between: 2 }[operator] ?? 1;
    return values.slice(0, needed).every((field) => field.value.trim() !== "");
  }) && (form.elements.schedule?.value !== "cron" || form.elements.cron.value.trim() !== "");
}

document.addEventListener("change", (event) => {
  const field = event.target;
  const form = formNow();
  if (!(field instanceof Element) || field.form !== form) return;
  if (field.name === "schedule" || field.name === "data_source") showSchedule();
  // What matches nothing or everything is said before anybody saves it.
  if (field.name !== "add_fact" && complete(form) && (field.closest(".p-clause") || PREVIEWED.includes(field.name))) preview(false);
});

showSchedule();
