"use strict";

const find = (id) => document.getElementById(id);
const form = find("studio");
const text = form.elements.text;
const speed = form.elements.speed;
const button = form.querySelector("button[type=submit]");
let waiting = false;
let last = null;

const show = (id, value) => { find(id).textContent = value; };

const time = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);

const size = (bytes) => `${Math.max(1, Math.round(bytes / 1024))} KiB`;

function complain(message) {
  show("error", message);
  find("error").hidden = !message;
}

function remember(spoken) {
  const item = document.createElement("li");
  const said = Object.assign(document.createElement("span"), { className: "said", textContent: spoken.text });
  const who = Object.assign(document.createElement("span"), {
    className: "who", textContent: `${spoken.tier} · ${time(spoken.milliseconds)}`,
  });
  item.append(said, who);
  find("log").prepend(item);
  find("before").hidden = false;
}

function tell(spoken) {
  if (last) remember(last);
  last = spoken;
  find("result").hidden = false;
  find("tier").dataset.tier = spoken.tier;
  show("tier", spoken.tier);
  show("time", time(spoken.milliseconds));
  show("sound", spoken.seconds === null ? size(spoken.bytes) : `${spoken.seconds.toFixed(1)} s, ${size(spoken.bytes)}`);
  show("money", spoken.money);
  show("cache-status", spoken.cacheStatus);
  show("curl", spoken.curl);
  show("summary", `“${spoken.text}”`);
  const player = find("player");
  player.src = spoken.url;
  // A browser may want a gesture first; then the person presses play.
  player.play().catch(() => {});
}

async function ask() {
  const sent = new FormData(form);
  const response = await fetch(form.action, { method: "POST", body: sent });
  const answer = await response.json().catch(() => ({ error: `The site answered ${response.status}.` }));
  complain(answer.error ?? "");
  if (response.ok) tell({ ...answer, text: sent.get("text").trim() });
}

async function speak() {
  if (waiting) return;
  waiting = true;
  button.setAttribute("aria-disabled", "true");
  try {
    await ask();
  } catch {
    complain("The site cannot be reached.");
  } finally {
    waiting = false;
    button.removeAttribute("aria-disabled");
  }
}

form.addEventListener("submit", (event) => { event.preventDefault(); speak(); });
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); speak(); }
});
find("phrase").addEventListener("change", (event) => { if (event.target.value) text.value = event.target.value; });
text.addEventListener("input", () => { find("phrase").value = ""; });
speed?.addEventListener("input", () => show("pace", speed.value));
// There is no clipboard on a page that is neither local nor encrypted.
find("copy").hidden = !navigator.clipboard;
find("copy").addEventListener("click", () => navigator.clipboard.writeText(find("curl").textContent));
