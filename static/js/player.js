// The call's player: wavesurfer draws a lane a channel from peaks made on the server; the <audio> element plays.
// Without JavaScript, or when drawing fails, the native controls stay. Other modules speak to it by events on document:
// p:seek {ms, play?} asks it to move; it tells p:time {ms, playing}.

const box = document.querySelector("[data-player]");
const SKIP_S = 5;
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const LANE_PX = 44;
const KEYS_KEY = "parlance.shortcuts";

if (box) {
  const audio = box.querySelector("audio");
  const part = (name) => box.querySelector(`[data-player-${name}]`);
  const speed = part("speed");
  const follow = part("follow");
  const shortcuts = part("shortcuts");
  const durationMs = Number(box.dataset.durationMs) || 0;

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const minutes = Math.floor(whole / 60);
    const rest = String(whole % 60).padStart(2, "0");
    return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
  };
  const total = () => (Number.isFinite(audio.duration) ? audio.duration : durationMs / 1000);
  const seek = (seconds) => { audio.currentTime = Math.min(Math.max(0, seconds), total() || seconds); tell(); };
  const toggle = () => (audio.paused ? audio.play().catch(() => showState()) : audio.pause());
  const setSpeed = (value) => { audio.playbackRate = value; speed.value = String(value); };
  const stepSpeed = (step) => {
    const at = SPEEDS.indexOf(audio.playbackRate);
    setSpeed(SPEEDS[Math.min(Math.max(0, (at < 0 ? 2 : at) + step), SPEEDS.length - 1)]);
  };

  function tell() {
    part("time").textContent = `${clock(audio.currentTime)} / ${clock(total())}`;
    document.dispatchEvent(new CustomEvent("p:time", {
      detail: { ms: audio.currentTime * 1000, playing: !audio.paused, follow: follow.checked },
    }));
  }
  // timeupdate comes four times a second; words are shorter than that.
  function frame() {
    tell();
    if (!audio.paused) requestAnimationFrame(frame);
  }
  function showState() {
    const button = part("play");
    button.querySelector("use").setAttribute("href", `${box.dataset.icons}#${audio.paused ? "player-play" : "player-pause"}`);
    button.setAttribute("aria-label", audio.paused ? button.dataset.play : button.dataset.pause);
  }

  audio.addEventListener("play", () => { showState(); requestAnimationFrame(frame); });
  audio.addEventListener("pause", () => { showState(); tell(); });
  for (const name of ["seeked", "loadedmetadata", "ended"]) audio.addEventListener(name, tell);
  part("play").addEventListener("click", toggle);
  part("back").addEventListener("click", () => seek(audio.currentTime - SKIP_S));
  part("forward").addEventListener("click", () => seek(audio.currentTime + SKIP_S));
  speed.addEventListener("change", () => setSpeed(Number(speed.value)));
  document.addEventListener("p:seek", (event) => {
    seek(event.detail.ms / 1000);
    if (event.detail.play) audio.play().catch(showState);
  });

  // Single-key shortcuts can be switched off (WCAG 2.1.4).
  shortcuts.checked = localStorage.getItem(KEYS_KEY) !== "off";
  shortcuts.addEventListener("change", () => localStorage.setItem(KEYS_KEY, shortcuts.checked ? "on" : "off"));
  const actions = {
    " ": toggle,
    ArrowLeft: () => seek(audio.currentTime - SKIP_S),
    ArrowRight: () => seek(audio.currentTime + SKIP_S),
    "[": () => stepSpeed(-1),
    "]": () => stepSpeed(1),
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    if (!shortcuts.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    if (event.key === " " && target.closest("button, a, summary, [role=region]")) return;
    const act = actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  const colour = (name) => {
    const probe = document.createElement("span");
    probe.className = `p-probe ${name}`;
    probe.hidden = true;
    box.append(probe);
    const value = getComputedStyle(probe).getPropertyValue("color");
    probe.remove();
    return value;
  };
  const lanes = (count) => Array.from({ length: count }, (_, index) => {
    const tone = colour(`p-probe-${Math.min(index, 1)}`);
    return { waveColor: colour("p-probe-rest"), progressColor: tone, height: LANE_PX };
  });

  async function draw() {
    const [{ default: WaveSurfer }, response] = await Promise.all([import(box.dataset.wavesurferUrl), fetch(box.dataset.peaksUrl)]);
    if (!response.ok) throw new Error(`peaks: ${response.status}`);
    const { duration_ms: ms, peaks } = await response.json();
    const wave = WaveSurfer.create({
      container: part("wave"),
      media: audio,
      peaks: peaks.map((lane) => lane.map((value) => value / 100)),
      duration: ms / 1000,
      splitChannels: lanes(peaks.length),
      normalize: true,
      barWidth: 2,
      barGap: 1,
      barRadius: 2,
      cursorWidth: 2,
      cursorColor: colour("p-probe-cursor"),
      dragToSeek: true,
      cspNonce: document.querySelector('meta[name="csp-nonce"]')?.content,
    });
    // Hold and waiting in the queue, shaded over the lanes.
    for (const span of box.querySelectorAll("[data-start-ms]")) {
      span.style.left = `${(100 * span.dataset.startMs) / ms}%`;
      span.style.width = `${(100 * (span.dataset.endMs - span.dataset.startMs)) / ms}%`;
      span.hidden = false;
    }
    wave.on("interaction", tell);
    const repaint = () => wave.setOptions({ splitChannels: lanes(peaks.length), cursorColor: colour("p-probe-cursor") });
    document.addEventListener("p:theme", repaint);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    box.classList.add("p-ready");
    showState();
    tell();
  }
  draw().catch((error) => console.warn("The waveform cannot be drawn.", error));
}
