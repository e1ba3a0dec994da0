// The buttons of the grid of rights act at once; without this script they are submits that the server answers.
// Locked boxes stay as they are, as on the server.

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-role-grid] [data-apply]") : null;
  if (!button) return;
  event.preventDefault();
  const part = button.closest("[data-row]") ?? button.closest("[data-role-grid]");
  const effect = button.dataset.apply;
  part.querySelectorAll('input[name="granted"]:not(:disabled)').forEach((box) => {
    box.checked = effect === "set" || (effect === "view" && "view" in box.dataset);
  });
});
