// The transcript is plain text, one text node a turn. Word timings come apart from the page; the current word and the
// hits of Find are drawn with the CSS Custom Highlight API, so a long call stays light. A plain click on a word seeks.

const root = document.querySelector("[data-transcript]");
const canHighlight = "highlights" in CSS && typeof Highlight === "function";

if (root) {
  const turns = [...root.querySelectorAll("[data-turn]")].map((element) => ({
    element,
    node: element.querySelector("[data-turn-text]").firstChild,
    start: Number(element.dataset.start),
    end: Number(element.dataset.end),
    channel: element.dataset.channel,
    words: [],
  }));
  const seek = (ms, play = false) => document.dispatchEvent(new CustomEvent("p:seek", { detail: { ms, play } }));
  const rangeOf = (turn, from, to) => {
    const range = new Range();
    range.setStart(turn.node, Math.min(from, turn.node.length));
    range.setEnd(turn.node, Math.min(to, turn.node.length));
    return range;
  };
  const show = (turn) => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    turn.element.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  };

  // --- Word timings: [start ms, end ms, first character, end character] by turn. ---
  // The server counts characters as code points, a text node counts UTF-16 units.
  function unitsOf(text, words) {
    if (!/[\ud800-\udfff]/.test(text)) return words;
    const units = [0];
    for (const character of text) units.push(units.at(-1) + character.length);
    return words.map(([start, end, from, to]) => [start, end, units[from] ?? text.length, units[to] ?? text.length]);
  }
  async function loadWords() {
    const response = await fetch(root.dataset.wordsUrl);
    if (!response.ok) return;
    const data = await response.json();
    data.turns.forEach((words, index) => {
      const turn = turns[index];
      if (turn?.node) turn.words = unitsOf(turn.node.data, words);
    });
    root.classList.add("p-words");
  }
  if (root.dataset.wordsUrl) loadWords();

  // --- Where the audio is: the turn and the word. ---
  let nowKey = "";
  document.addEventListener("p:time", ({ detail }) => {
    const { ms, playing, follow } = detail;
    const active = turns.filter((turn) => turn.start <= ms && ms < turn.end);
    const ranges = [];
    let key = "";
    for (const turn of active) {
      const word = turn.words.find(([start, end]) => start <= ms && ms < end) ?? turn.words.findLast?.(([start]) => start <= ms);
      key += `${turn.start}/${word?.[2] ?? ""};`;
      if (word && turn.node) ranges.push([turn, word]);
    }
    if (key === nowKey) return;
    nowKey = key;
    for (const turn of turns) {
      const isNow = active.includes(turn);
      if (isNow && !turn.element.classList.contains("p-now") && playing && follow) show(turn);
      turn.element.classList.toggle("p-now", isNow);
    }
    if (canHighlight) CSS.highlights.set("p-word", new Highlight(...ranges.map(([turn, word]) => rangeOf(turn, word[2], word[3]))));
  });

  // --- Seeking: a plain click on a word when no text is selected; the timestamp buttons are the keyboard's way. ---
  function caretAt(x, y) {
    if (document.caretPositionFromPoint) {
      const caret = document.caretPositionFromPoint(x, y);
      return caret && { node: caret.offsetNode, offset: caret.offset };
    }
    const range = document.caretRangeFromPoint?.(x, y);
    return range && { node: range.startContainer, offset: range.startOffset };
  }
  root.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const stamp = target?.closest("[data-seek]");
    if (stamp) return seek(Number(stamp.dataset.seek), true);
    if (!target?.closest("[data-turn-text]") || window.getSelection()?.toString()) return undefined;
    const caret = caretAt(event.clientX, event.clientY);
    const turn = caret && turns.find((item) => item.node === caret.node);
    if (!turn) return undefined;
    const word = turn.words.find(([, , from, to]) => from <= caret.offset && caret.offset <= to);
    return seek(word ? word[0] : turn.start);
  });
  const asked = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  // A quote leads to its turn: without scripts by the anchor alone, with them the player goes there too.
  const toTurn = () => {
    const turn = turns.find((item) => item.element.id && `#${item.element.id}` === location.hash);
    if (turn) seek(turn.start);
  };
  window.addEventListener("hashchange", toTurn);
  window.addEventListener("load", toTurn);
  if (asked) window.addEventListener("load", () => seek(Number(asked[1]) * 1000));

  // --- Find ---
  const input = root.querySelector("[data-find]");
  const output = root.querySelector("[data-find-count]");
  let hits = [];
  let current = -1;
  function paint() {
    output.textContent = input.value.trim() ? `${hits.length ? current + 1 : 0} / ${hits.length}` : "";
    if (!canHighlight) return;
    const ranges = hits.map(({ turn, from, to }) => rangeOf(turn, from, to));
    CSS.highlights.set("p-find", new Highlight(...ranges.filter((_, index) => index !== current)));
    CSS.highlights.set("p-find-now", new Highlight(...(ranges[current] ? [ranges[current]] : [])));
  }
  function find() {
    const wanted = input.value.trim().toLocaleLowerCase();
    hits = [];
    for (const turn of wanted ? turns : []) {
      if (turn.element.hidden || !turn.node) continue;
      const text = turn.node.data.toLocaleLowerCase();
      for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
        hits.push({ turn, from: at, to: at + wanted.length });
      }
    }
    current = hits.length ? 0 : -1;
    paint();
    if (hits[0]) show(hits[0].turn);
  }
  function move(step) {
    if (!hits.length) return;
    current = (current + step + hits.length) % hits.length;
    paint();
    show(hits[current].turn);
  }
  input?.addEventListener("input", find);
  input?.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); move(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { input.value = ""; find(); input.blur(); }
  });
  root.querySelector("[data-find-next]")?.addEventListener("click", () => move(1));
  root.querySelector("[data-find-previous]")?.addEventListener("click", () => move(-1));
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    const shortcuts = document.querySelector("[data-player-shortcuts]");
    if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey || shortcuts?.checked === false) return;
    if (!input || target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    event.preventDefault();
    input.focus();
  });

  // --- One speaker only ---
  root.querySelectorAll("[data-speaker]").forEach((button) => button.addEventListener("click", () => {
    root.querySelectorAll("[data-speaker]").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    for (const turn of turns) turn.element.hidden = button.dataset.speaker !== "" && button.dataset.speaker !== turn.channel;
    if (input) find();
  }));
}
