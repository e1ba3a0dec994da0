// Live regions poll on the event "tick" (hx-trigger="tick from:body"): only while the tab is seen and Auto-refresh is on.
// The pause is 5 s, or data-interval (seconds) of <body>. The server answers 204 when nothing has changed.

const KEY = "parlance.autorefresh";
const DEFAULT_SECONDS = 5;
let timer = 0;

const wanted = () => localStorage.getItem(KEY) !== "off";
const seconds = () => Number(document.body.dataset.interval) || DEFAULT_SECONDS;

function schedule() {
  clearTimeout(timer);
  timer = setTimeout(tick, seconds() * 1000);
}

function tick() {
  if (!document.hidden && wanted() && document.querySelector('[hx-trigger*="tick"]')) {
    document.body.dispatchEvent(new CustomEvent("tick"));
  }
  schedule();
}

function showState(root = document) {
  root.querySelectorAll("[data-autorefresh]").forEach((box) => { box.checked = wanted(); });
}

document.addEventListener("change", (event) => {
  if (!(event.target instanceof HTMLInputElement) || !event.target.matches("[data-autorefresh]")) return;
  localStorage.setItem(KEY, event.target.checked ? "on" : "off");
  showState();
  if (event.target.checked) tick();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
document.addEventListener("htmx:after:swap", () => showState());

showState();
schedule();
