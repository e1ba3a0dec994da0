// Rows chosen with check boxes: the page's box, the count, and "select all matching", which names the filter, not the rows.

const scopeOf = (element) => element.closest("[data-select-scope]");

function update(scope) {
  const rows = [...scope.querySelectorAll('input[name="selection"]')];
  const chosen = rows.filter((row) => row.checked).length;
  const all = scope.querySelector("[data-all-matching]");
  const page = scope.querySelector("[data-select-page]");
  const offer = scope.querySelector("[data-select-all]");
  if (page) {
    page.checked = rows.length > 0 && chosen === rows.length;
    page.indeterminate = chosen > 0 && chosen < rows.length;
  }
  if (all && chosen < rows.length) all.value = "";
  if (offer) {
    offer.hidden = !(rows.length > 0 && chosen === rows.length);
    offer.setAttribute("aria-pressed", String(all?.value === "1"));
  }
  const count = scope.querySelector("[data-selected-count]");
  if (count) count.textContent = String(chosen);
  scope.querySelectorAll("[data-needs-selection]").forEach((button) => { button.disabled = chosen === 0; });
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement)) return;
  const scope = scopeOf(box);
  if (!scope) return;
  if (box.matches("[data-select-page]")) {
    scope.querySelectorAll('input[name="selection"]').forEach((row) => { row.checked = box.checked; });
  }
  update(scope);
});

document.addEventListener("click", (event) => {
  const offer = event.target instanceof Element ? event.target.closest("[data-select-all]") : null;
  const scope = offer && scopeOf(offer);
  const all = scope?.querySelector("[data-all-matching]");
  if (!all) return;
  all.value = all.value ? "" : "1";
  update(scope);
});

const updateAll = () => document.querySelectorAll("[data-select-scope]:has([data-bulk])").forEach(update);
document.addEventListener("htmx:after:swap", updateAll);
window.addEventListener("pageshow", updateAll);
updateAll();
