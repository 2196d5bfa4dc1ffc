// The trainer's board: rows and parts come from the server as HTML; here they are put in place, walked and filtered.
"use strict";
const { base, seen } = document.body.dataset;
const $ = id => document.getElementById(id);
const table = document.querySelector("table"), rows = $("rows"), find = $("find"), drawer = $("drawer"), where = $("where");

// A projector shows no token: the tab remembers where it was.
sessionStorage.setItem("board", base);
history.replaceState(null, "", "/");

// --- Changes ---
let shown = "all", said = 0;

function change({ seats, rows: html, parts, totals, inNeed }) {
  const carrier = document.createElement("template");
  carrier.innerHTML = `<table><tbody>${html}</tbody><tfoot><tr>${totals}</tr></tfoot></table>`;
  for (const fresh of carrier.content.querySelectorAll("tbody > tr")) renew($(fresh.id), fresh);
  renew($("totals"), carrier.content.querySelector("tfoot > tr"));
  for (const [part, text] of Object.entries(parts)) put($(part), text);
  press();
  if (drawer.open && seats.includes(drawer.dataset.seat)) fill();
  if (inNeed !== said) $("said").textContent = `${inNeed} seats need help`;
  said = inNeed;
}

// Cells stay where they are, and so does the focus: only what they hold is renewed.
function renew(row, fresh) {
  if (!row) return;
  if (fresh.dataset.is) row.dataset.is = fresh.dataset.is;
  [...fresh.cells].forEach((cell, at) => {
    const old = row.cells[at], key = cell.className + cell.innerHTML;
    if ((held.get(old) ?? old.className + old.innerHTML) === key) return;
    held.set(old, key);
    old.className = cell.className;
    old.innerHTML = cell.innerHTML;
    tellTimes(old);
    old.classList.add("fresh");
    old.addEventListener("animationend", () => old.classList.remove("fresh"), { once: true });
  });
}

// --- Which rows are shown ---
function press() {
  for (const button of $("filters").children) button.setAttribute("aria-pressed", button.dataset.filter === shown);
}
$("filters").addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  shown = button.dataset.filter === shown ? "all" : button.dataset.filter;
  rows.dataset.show = shown;
  press();
  keepOneStop();
});
find.addEventListener("input", () => {
  const words = find.value.trim().toLowerCase();
  for (const row of rows.rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(words);
  keepOneStop();
});
const isShown = row => row.offsetParent !== null;

// --- Walking: one cell is in the tab order, the arrow keys go on from it ---
let current = rows.rows[0]?.cells[0];
if (current) current.tabIndex = 0;

function keepOneStop() {
  if (current && isShown(current.parentElement)) return;
  const row = [...rows.rows].find(isShown);
  if (row) choose(row.cells[0]);
}
function choose(cell) {
  current?.removeAttribute("tabindex");
  current = cell;
  cell.tabIndex = 0;
}
function step(row, forward, times) {
  let found = row;
  for (let next = row; times && (next = forward ? next.nextElementSibling : next.previousElementSibling);)
    if (isShown(next)) { found = next; times--; }
  return found;
}
table.addEventListener("keydown", event => {
  const cell = event.target.closest("td, th");
  if (!cell || !rows.contains(cell) || event.altKey || event.metaKey) return;
  const row = cell.parentElement, all = [...rows.rows].filter(isShown), at = cell.cellIndex, far = event.ctrlKey;
  const to = {
    ArrowRight: () => row.cells[at + 1], ArrowLeft: () => row.cells[at - 1],
    ArrowDown: () => step(row, true, 1).cells[at], ArrowUp: () => step(row, false, 1).cells[at],
    PageDown: () => step(row, true, 10).cells[at], PageUp: () => step(row, false, 10).cells[at],
    Home: () => (far ? all[0] : row).cells[0], End: () => (far ? all.at(-1) : row).cells[row.cells.length - 1],
  }[event.key];
  if (to) {
    event.preventDefault();
    const next = to();
    if (next) { choose(next); next.focus(); }
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    open(row.id);
  }
});
table.addEventListener("click", event => {
  const cell = event.target.closest("tbody td, tbody th");
  if (cell) { choose(cell); cell.focus({ preventScroll: true }); open(cell.parentElement.id); }
});
document.addEventListener("keydown", event => {
  if (event.key !== "/" || drawer.open || event.target === find) return;
  event.preventDefault();
  find.focus();
  find.select();
});

// --- What a cell is about, in a line below the table ---
function tell(event) {
  const cell = event.target.closest?.("tbody td, tbody th");
  if (!cell) return;
  const row = cell.parentElement, seat = row.cells[0].textContent, topic = table.querySelectorAll("th.topic")[cell.cellIndex - 3];
  const signs = { pass: "proven", fail: "failed", error: "could not be observed", unprovable: "not enforced here", unseen: "not verified yet" };
  const style = Object.keys(signs).find(name => cell.classList.contains(name));
  const number = cell.querySelector("b")?.textContent;
  where.textContent = topic ? `${seat} · ${topic.textContent}: ${number ? `${number} ` : ""}${signs[style]}` : seat;
}
table.addEventListener("mouseover", tell);
table.addEventListener("focusin", tell);

// --- One seat ---
for (const id of ["help", "broken"])
  $(id).addEventListener("click", event => {
    const button = event.target.closest("button[data-seat]");
    if (button) open(button.dataset.seat);
  });

async function open(seat) {
  drawer.dataset.seat = seat;
  await fill();
  if (!drawer.open) drawer.showModal();
  $("drawer-title").focus();
}

// What the trainer is writing or is asked stays; only what is shown is renewed.
async function fill() {
  const seat = drawer.dataset.seat, answer = await fetch(`${base}/seat/${encodeURIComponent(seat)}`);
  const html = await answer.text();
  if (seat !== drawer.dataset.seat) return;
  if (!answer.ok) { drawer.textContent = html; return; }
  const same = drawer.querySelector("form") && drawer.dataset.filled === seat;
  drawer.dataset.filled = seat;
  if (!same) {
    drawer.innerHTML = html;
  } else {
    const carrier = document.createElement("template");
    carrier.innerHTML = html;
    for (const part of ["facts", "recent"])
      put(drawer.querySelector(`[data-part=${part}]`), carrier.content.querySelector(`[data-part=${part}]`).innerHTML);
  }
  tellTimes(drawer);
}

function sure(asked) {
  drawer.querySelector("[data-part=sure]").hidden = !asked;
  drawer.querySelector("[data-do=ask]").hidden = asked;
  drawer.querySelector(asked ? "[data-do=keep]" : "[data-do=ask]").focus();
}
drawer.addEventListener("click", event => {
  if (event.target === drawer) drawer.close(); // beside it
  const what = event.target.dataset.do;
  if (what === "close") drawer.close();
  if (what === "ask") sure(true);
  if (what === "keep") sure(false);
});
drawer.addEventListener("close", () => {
  delete drawer.dataset.filled;
  drawer.replaceChildren();
});
drawer.addEventListener("submit", async event => {
  event.preventDefault();
  const form = event.target, what = form.dataset.do, seat = drawer.dataset.seat;
  const body = JSON.stringify({ seat, text: form.elements.text?.value });
  const answer = drawer.querySelector("[data-part=answer]");
  try {
    const got = await fetch(`${base}/${what}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    answer.textContent = got.ok ? (await got.json()).said : await got.text();
    if (got.ok && what === "nudge") form.reset();
  } catch {
    answer.textContent = "The board does not answer: is it still running?";
  }
  if (what === "reset") sure(false);
});

// The first rows are painted first: a class has thousands of cells, and a window shows a part of them.
requestAnimationFrame(() => setTimeout(() => rows.classList.remove("first")));
follow(base, seen, change);
