// How long ago: written beside nothing but <time>, whose clock time stays in its title. Used by both pages.
"use strict";
const MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

function ago(time) {
  const past = Date.now() - Date.parse(time.dateTime);
  if (past < MINUTE) return "just now";
  if (past < HOUR) return `${Math.floor(past / MINUTE)} min`;
  if (past < DAY) return `${Math.floor(past / HOUR)} h ${String(Math.floor((past % HOUR) / MINUTE)).padStart(2, "0")}`;
  return `${Math.floor(past / DAY)} d`;
}

function tellTimes(where = document) {
  for (const time of where.querySelectorAll("time")) {
    const words = ago(time);
    if (time.textContent !== words) time.textContent = words;
  }
}

// Keeps a page up to date from `base`/events. A hidden page lets its connection go: a browser has six of them for
// one server, and a trainer may open more pages than that.
function follow(base, seen, changed) {
  const live = document.getElementById("live");
  let source = null;
  const say = (words, state) => { if (live.textContent !== words) live.textContent = words; live.dataset.state = state; };
  const open = () => {
    source = new EventSource(`${base}/events?since=${seen}`);
    source.addEventListener("hello", () => say("Live", "live"));
    source.addEventListener("change", event => {
      seen = event.lastEventId;
      changed(JSON.parse(event.data));
    });
    source.addEventListener("anew", () => location.replace(base));
    source.addEventListener("error", () => {
      say("Connection lost: is the board still running?", "lost");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { if (!document.hidden) { source.close(); open(); } }, 2000);
    });
  };
  document.addEventListener("visibilitychange", () => {
    source.close();
    if (!document.hidden) open();
  });
  open();
}

// Replaces what is in an element, and keeps the focus on what has the same key.
const held = new WeakMap();
function put(element, html) {
  if (held.get(element) === html) return;
  held.set(element, html);
  const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  element.innerHTML = html;
  tellTimes(element);
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

tellTimes();
setInterval(() => tellTimes(), 10e3);
