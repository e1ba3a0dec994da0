// What every page needs: the CSRF header, toasts, dialogs, rows that open, focus, the theme. No inline code anywhere.

const SUCCESS_MS = 8000;
const RESUBMIT_MS = 4000;
const toasts = document.getElementById("toasts");
const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

// --- htmx ---
document.addEventListener("htmx:config:request", (event) => {
  const { request } = event.detail.ctx;
  if (!["GET", "HEAD"].includes(request.method)) request.headers["X-CSRFToken"] = meta("csrf-token");
});

let connectionLost = false;
document.addEventListener("htmx:response:error", (event) => {
  const { raw } = event.detail.ctx.response;
  if (raw.status === 422) return; // the form with its errors is swapped in and speaks for itself
  toast(toasts?.dataset.failedText ?? "", "error", raw.headers.get("X-Request-Id") ?? "");
});
document.addEventListener("htmx:error", () => {
  if (connectionLost) return; // one toast an outage, not one a poll
  connectionLost = true;
  toast(toasts?.dataset.lostText ?? "", "warning");
});
document.addEventListener("htmx:before:response", () => { connectionLost = false; });
document.addEventListener("htmx:after:swap", () => focusMarked());

// A server answer may carry HX-Trigger: {"toast": {"message": "…", "level": "success"}}.
document.addEventListener("toast", (event) => toast(event.detail.message, event.detail.level ?? "info"));

// --- Toasts ---
const TONES = { error: ["danger", "alert-circle"], warning: ["warning", "alert-triangle"], success: ["success", "circle-check"], info: ["info", "info-circle"] };

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "p-icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${toasts.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

function toast(message, level = "info", requestId = "") {
  if (!toasts || !message) return;
  if ([...toasts.querySelectorAll(".p-toast-text")].some((shown) => shown.firstChild?.textContent === message)) return;
  const [tone, iconName] = TONES[level] ?? TONES.info;
  const box = document.createElement("div");
  box.className = `p-toast p-tone-${tone}`;
  box.dataset.toast = level;
  const text = document.createElement("div");
  text.className = "p-toast-text";
  text.textContent = message;
  box.append(icon(iconName), text);
  if (requestId) {
    const code = document.createElement("code");
    code.textContent = requestId;
    text.append(code);
    box.append(button(toasts.dataset.copyLabel, "copy", () => navigator.clipboard?.writeText(requestId)));
  }
  box.append(button(toasts.dataset.dismissLabel, "x", () => box.remove()));
  toasts.append(box);
  expire(box);
}

function button(label, iconName, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "btn btn-icon btn-sm p-quiet";
  element.setAttribute("aria-label", label);
  element.append(icon(iconName));
  element.addEventListener("click", act);
  return element;
}

// Good news goes by itself, but never from under the pointer or the focus; errors and warnings stay.
function expire(box) {
  if (!["success", "info", "debug"].includes(box.dataset.toast)) return;
  setTimeout(() => (box.matches(":hover, :focus-within") ? expire(box) : box.remove()), SUCCESS_MS);
}
toasts?.querySelectorAll("[data-toast]").forEach(expire);

// --- Clicks: dismiss, dialogs, rows ---
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;
  target.closest("[data-dismiss]")?.closest("[data-toast]")?.remove();

  document.querySelectorAll(".p-dropdown[open]").forEach((menu) => { if (!menu.contains(target) || target.closest(".p-menu-item")) menu.open = false; });

  const opener = target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog instanceof HTMLDialogElement && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    dialog.showModal();
    dialog.querySelector("input:not([type=hidden]), button[formmethod=dialog]")?.focus();
    return;
  }
  const copied = target.closest("[data-copy]");
  if (copied) navigator.clipboard?.writeText(copied.dataset.copy);
  const source = document.getElementById(target.closest("[data-copy-from]")?.dataset.copyFrom ?? "");
  if (source) navigator.clipboard?.writeText(source.textContent);

  const row = target.closest("tr[data-href]");
  if (!row || target.closest("a, button, input, label, select, summary, details")) return;
  if (window.getSelection()?.toString()) return;
  if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener");
  else window.location.assign(row.dataset.href);
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.activeElement?.closest(".p-dropdown[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("input", (event) => {
  const field = event.target;
  if (!(field instanceof HTMLInputElement) || field.dataset.mustEqual === undefined) return;
  field.setCustomValidity(field.value === field.dataset.mustEqual ? "" : field.labels?.[0]?.textContent ?? field.dataset.mustEqual);
});

// Filters with a choice apply at once; the button stays for text fields and for pages without JavaScript.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field instanceof HTMLSelectElement && field.form?.matches(".p-filter")) field.form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  if (form.matches(".p-filter")) {
    for (const field of form.elements) if ("value" in field && field.value === "" && field.name) field.disabled = true;
  }
  if (form.dataset.submitted) event.preventDefault(); // a double click is one submission
  else if (form.method === "post" && event.submitter?.formMethod !== "dialog" && !form.matches("[data-theme-form]")) {
    form.dataset.submitted = "1";
    setTimeout(() => delete form.dataset.submitted, RESUBMIT_MS);
  }
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-submitted]").forEach((form) => delete form.dataset.submitted);
  document.querySelectorAll(".p-filter :disabled").forEach((field) => { field.disabled = false; });
});

// --- Theme: the switch works as a plain form; here it also changes the page at once. ---
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-theme-form]") || !event.submitter) return;
  event.preventDefault();
  const choice = event.submitter.value;
  document.documentElement.dataset.bsTheme = choice;
  const scheme = document.querySelector('meta[name="color-scheme"]');
  if (scheme) scheme.content = choice === "system" ? "light dark" : choice;
  form.querySelectorAll("button[name=theme]").forEach((item) => item.setAttribute("aria-pressed", String(item.value === choice)));
  document.dispatchEvent(new CustomEvent("p:theme"));
  await fetch(form.action, { method: "POST", body: new FormData(form, event.submitter), redirect: "manual" });
});

// --- Focus: the error summary of a refused form, on load and after a swap. ---
function focusMarked() {
  document.querySelector("[data-focus]")?.focus();
}
focusMarked();
