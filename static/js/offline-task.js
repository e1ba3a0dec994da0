// A task is one request with all its files, so that it is stored as one or not at all. Files and the additional
// information are judged before anything is sent. The progress of each file is told from the bytes sent so far: browsers
// send files in their order. The form carries the id of the task, so what is sent again is stored once. Without JavaScript
// the same form posts the same request. The server answers {"url"} or {"message", "errors", "task_id"}.

const form = document.querySelector("[data-task]");

if (form) {
  const picker = form.querySelector('input[type="file"]');
  const info = form.querySelector("[data-json-bytes]");
  const identity = form.elements.namedItem("task_id");
  const submit = form.querySelector('[type="submit"]');
  const drop = form.querySelector("[data-drop]");
  const part = (name, from = form) => from.querySelector(`[data-part="${name}"]`);
  const template = document.querySelector("[data-task-row]").content.firstElementChild;
  const words = form.dataset;
  const most = { bytes: Number(words.maxBytes), files: Number(words.maxFiles), info: Number(info.dataset.jsonBytes) };
  const locale = document.documentElement.lang || undefined;
  const digits = new Intl.NumberFormat(locale);
  const measure = (unit, places = 0) =>
    new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: places });
  // What is known of the last seconds of a running upload: pairs of milliseconds and bytes.
  const WINDOW_MS = 10_000;
  let samples = [];
  let rows = [];
  let request = null;

  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_match, name) => values[name]);
  const megabyte = 1024 * 1024;
  const size = (bytes) =>
    bytes < megabyte ? measure("kilobyte").format(Math.ceil(bytes / 1024)) : measure("megabyte", 1).format(bytes / megabyte);

  function span(seconds) {
    if (seconds < 90) return measure("second").format(Math.max(1, Math.round(seconds)));
    if (seconds < 5400) return measure("minute").format(Math.round(seconds / 60));
    return measure("hour", 1).format(seconds / 3600);
  }

  function isAudio(file) {
    const ends = picker.accept.split(",").filter((each) => each.startsWith("."));
    const dot = file.name.lastIndexOf(".");
    return file.type.startsWith("audio/") || dot < 0 || ends.includes(file.name.slice(dot).toLowerCase());
  }

  function problemOf(file) {
    if (!file.size) return words.emptyText;
    if (file.size > most.bytes) return filled(words.largeText, { most: size(most.bytes) });
    return isAudio(file) ? "" : words.typeText;
  }

  function setState(row, state, message = "") {
    row.shown.querySelectorAll("[data-state]").forEach((badge) => { badge.hidden = badge.dataset.state !== state; });
    const text = part("message", row.shown);
    text.textContent = message;
    text.hidden = !message;
    part("remove", row.shown).hidden = Boolean(request);
    part("again", row.shown).hidden = state !== "broken";
    if (state !== "sending") part("left", row.shown).textContent = "";
  }

  function setProgress(row, share) {
    const percent = Math.floor(share * 100);
    part("bar", row.shown).value = percent;
    part("percent", row.shown).textContent = measure("percent").format(percent);
  }

  function makeRow(file) {
    const shown = template.cloneNode(true);
    const row = { file, shown, problem: problemOf(file) };
    part("name", shown).textContent = file.name;
    part("named", shown).textContent = file.name;
    part("size", shown).textContent = size(file.size);
    part("bar", shown).setAttribute("aria-label", file.name);
    part("remove", shown).addEventListener("click", () => {
      choose(rows.filter((each) => each !== row).map((each) => each.file));
      picker.focus();
    });
    part("again", shown).addEventListener("click", send);
    setProgress(row, 0);
    setState(row, row.problem ? "refused" : "waiting", row.problem);
    return row;
  }

  function choose(files) {
    const held = new DataTransfer();
    files.forEach((file) => held.items.add(file));
    picker.files = held.files;
    rows = files.map(makeRow);
    const list = part("list");
    list.replaceChildren(...rows.map((row) => row.shown));
    list.hidden = !rows.length;
    part("refusal").hidden = true;
    tell(rows.length ? filled(words.chosenText, { count: digits.format(rows.length), size: size(total()) }) : "");
  }

  const total = () => rows.reduce((sum, row) => sum + row.file.size, 0);
  function tell(text) { part("status").textContent = text; }

  function judgeInfo() {
    const bytes = new TextEncoder().encode(info.value).length;
    let problem = "";
    if (bytes > most.info) problem = filled(words.longText, { most: digits.format(most.info) });
    else if (info.value.trim()) {
      try {
        const held = JSON.parse(info.value);
        if (held === null || typeof held !== "object" || Array.isArray(held)) problem = words.badText;
      } catch {
        problem = words.badText;
      }
    }
    const count = part("count");
    count.hidden = !info.value;
    count.textContent = `${filled(words.bytesText, { size: digits.format(bytes), most: digits.format(most.info) })} ${problem}`;
    count.classList.toggle("p-errors", Boolean(problem));
    count.classList.toggle("p-soft", !problem);
    info.setAttribute("aria-invalid", String(Boolean(problem)));
    return problem;
  }

  function refuse(...messages) {
    const note = part("refusal");
    note.querySelector("ul").replaceChildren(...messages.map((message) => {
      const item = document.createElement("li");
      item.textContent = message;
      return item;
    }));
    note.hidden = false;
    note.focus();
    note.scrollIntoView({ block: "nearest" });
  }

  /** All that can be known to be wrong before a byte is sent. */
  function problems() {
    const found = [];
    const marked = rows.filter((row) => row.problem);
    if (!rows.length) found.push(words.noneText);
    if (marked.length) found.push(`${words.markedText} ${marked.map((row) => row.file.name).join(", ")}`);
    if (rows.length > most.files) found.push(filled(words.manyText, { most: digits.format(most.files) }));
    if (total() > most.bytes) found.push(filled(words.togetherText, { most: size(most.bytes), size: size(total()) }));
    const told = judgeInfo();
    if (told) found.push(`${labelOf("info")}: ${told}`);
    return found;
  }

  function labelOf(name) {
    const field = form.elements.namedItem(name);
    return field?.labels?.[0]?.firstChild?.textContent.trim() ?? "";
  }

  function showSent(loaded, whole) {
    const now = performance.now();
    samples = [...samples.filter(([at]) => now - at < WINDOW_MS), [now, loaded]];
    const [began, had] = samples[0];
    const rate = now > began ? (loaded - had) / (now - began) : 0;
    let end = Math.max(whole - total(), 0);
    for (const row of rows) {
      const sent = Math.min(Math.max(loaded - end, 0), row.file.size);
      end += row.file.size;
      row.sent = sent === row.file.size;
      setProgress(row, sent / row.file.size);
      if (row.sent) setState(row, "sent");
      else {
        setState(row, sent ? "sending" : "waiting");
        const left = rate ? span((end - loaded) / rate / 1000) : "";
        part("left", row.shown).textContent = left && filled(words.leftText, { time: left });
      }
    }
  }

  /** The connection is gone: the file that was on its way is the one that broke off. */
  function broken() {
    const at = rows.find((row) => !row.sent);
    for (const row of rows) if (row !== at) setState(row, "waiting");
    if (at) setState(at, "broken", words.brokenText);
    refuse(at ? words.lostText : words.lostAnswerText);
  }

  function over() {
    request = null;
    submit.disabled = false;
    part("stop").hidden = true;
    form.removeAttribute("aria-busy");
    tell("");
  }

  function reset() {
    for (const row of rows) { row.sent = false; setProgress(row, 0); setState(row, "waiting"); }
  }

  function answered(text) {
    let answer = {};
    try { answer = JSON.parse(text); } catch { /* a proxy's page: the general sentence is shown */ }
    if (answer.url) { window.location.assign(answer.url); return; }
    reset();
    if (answer.task_id) identity.value = answer.task_id;
    const told = (answer.errors ?? []).map(({ field, message }) => [labelOf(field), message].filter(Boolean).join(": "));
    refuse(...(told.length ? told : [answer.message || words.failedText]));
  }

  function send() {
    if (request) return;
    const found = problems();
    if (found.length) { refuse(...found); return; }
    part("refusal").hidden = true;
    request = new XMLHttpRequest();
    samples = [[performance.now(), 0]];
    reset();
    submit.disabled = true;
    part("stop").hidden = false;
    form.setAttribute("aria-busy", "true");
    tell(words.sendingText);
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) showSent(event.loaded, event.total); });
    // From here on the server has all of it: stopping would not keep it from storing the task.
    request.upload.addEventListener("load", () => { part("stop").hidden = true; tell(words.storingText); });
    request.addEventListener("load", () => { const text = request.responseText; over(); answered(text); });
    request.addEventListener("error", () => { over(); broken(); });
    request.addEventListener("abort", () => { over(); reset(); tell(words.stoppedText); submit.focus(); });
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.send(new FormData(form));
  }

  picker.addEventListener("change", () => choose([...picker.files]));
  info.addEventListener("input", judgeInfo);
  part("stop").addEventListener("click", () => request?.abort());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    send();
  }, true);
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("p-over", name === "dragover");
      if (name === "drop" && !request) choose([...rows.map((row) => row.file), ...event.dataTransfer.files]);
    });
  }
  window.addEventListener("beforeunload", (event) => { if (request) event.preventDefault(); });
  // A browser that comes back to the page may have kept the files.
  if (picker.files.length) choose([...picker.files]);
}
