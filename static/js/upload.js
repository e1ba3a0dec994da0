// Several files, one request each to the form's own address, a progress bar a file. Without JavaScript the same form
// posts all files at once. The server answers JSON: {"results": [{"name", "ok", "message", "url"}]} or {"message"}.

const form = document.querySelector("[data-upload]");
const AT_ONCE = 2;

if (form) {
  const picker = form.querySelector('input[type="file"]');
  const list = document.querySelector("[data-upload-list]");
  const panel = document.querySelector("[data-upload-panel]");
  const template = document.querySelector("[data-upload-row]");
  const drop = form.querySelector("[data-drop]");
  const words = form.dataset;
  const waiting = [];
  let busy = 0;

  function addRow(file) {
    const row = template.content.firstElementChild.cloneNode(true);
    const part = (name) => row.querySelector(`[data-part="${name}"]`);
    part("name").textContent = file.name;
    part("size").textContent = size(file.size);
    part("bar").setAttribute("aria-label", file.name);
    list.append(row);
    const task = { file, row, part, request: null };
    part("cancel").addEventListener("click", () => cancel(task));
    setState(task, "waiting");
    return task;
  }
  const size = (bytes) => (bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`);

  function setState(task, state, message = "", url = "") {
    task.row.querySelectorAll("[data-state]").forEach((badge) => { badge.hidden = badge.dataset.state !== state; });
    task.part("message").textContent = message;
    task.part("message").hidden = !message;
    task.part("cancel").hidden = !["waiting", "sending"].includes(state);
    const link = task.part("link");
    link.hidden = !url;
    if (url) link.href = url;
  }

  function cancel(task) {
    const at = waiting.indexOf(task);
    if (at >= 0) waiting.splice(at, 1);
    task.request?.abort();
    setState(task, "cancelled");
  }

  function send(task) {
    const body = new FormData(form);
    body.delete(picker.name);
    body.append(picker.name, task.file);
    const request = new XMLHttpRequest();
    task.request = request;
    busy += 1;
    setState(task, "sending");
    request.upload.addEventListener("progress", (event) => {
      const percent = event.lengthComputable ? Math.floor((event.loaded / event.total) * 100) : 0;
      task.part("bar").value = percent;
      task.part("percent").textContent = `${percent} %`;
      if (percent === 100) setState(task, "checking");
    });
    request.addEventListener("load", () => finish(task, request));
    request.addEventListener("error", () => setState(task, "refused", words.lostText));
    request.addEventListener("loadend", () => { busy -= 1; next(); });
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  }

  function finish(task, request) {
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* a proxy's page: the general sentence is shown */ }
    const result = answer.results?.[0];
    task.part("bar").value = 100;
    if (result?.ok) setState(task, "done", result.message ?? "", result.url ?? "");
    else setState(task, "refused", result?.message || answer.message || words.failedText);
  }

  function next() {
    while (busy < AT_ONCE && waiting.length) send(waiting.shift());
  }

  function start(files) {
    if (!files.length) return;
    panel.hidden = false;
    for (const file of files) waiting.push(addRow(file));
    picker.value = "";
    next();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    start([...picker.files]);
  }, true);
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("p-over", name === "dragover");
      if (name === "drop") start([...event.dataTransfer.files]);
    });
  }
  window.addEventListener("beforeunload", (event) => { if (busy || waiting.length) event.preventDefault(); });
}
