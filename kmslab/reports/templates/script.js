const buttons = [...document.querySelectorAll("[aria-pressed]")], checks = [...document.querySelectorAll("details.check")];
const all = [...document.querySelectorAll("details")], shown = document.getElementById("shown");
buttons.forEach(b => b.addEventListener("click", () => {
  b.ariaPressed = b.ariaPressed === "true" ? "false" : "true";
  const wanted = buttons.filter(x => x.ariaPressed === "true").map(x => x.dataset.outcome);
  checks.forEach(c => { c.hidden = wanted.length > 0 && !wanted.includes(c.dataset.outcome); });
  document.querySelectorAll("section.checks").forEach(s => { s.hidden = !s.querySelector("details:not([hidden])"); });
  shown.textContent = `${checks.filter(c => !c.hidden).length} of ${checks.length} claims are shown.`;
}));
const toggle = document.getElementById("toggle");
toggle.addEventListener("click", () => {
  const open = toggle.ariaExpanded !== "true";
  checks.forEach(c => { c.open = open; });
  toggle.ariaExpanded = String(open);
});
const reveal = () => {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let d = target && target.closest("details"); d; d = d.parentElement.closest("details")) { d.hidden = false; d.open = true; }
  if (target) { target.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();
let closed = [];
addEventListener("beforeprint", () => { closed = all.filter(d => !d.open); closed.forEach(d => { d.open = true; }); });
addEventListener("afterprint", () => closed.forEach(d => { d.open = false; }));
