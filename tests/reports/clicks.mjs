// Uses the page in jsdom as a reader would, and prints what is open and shown after each step.
// node clicks.mjs FOLDER_OF_NODE_MODULES < page.html
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { JSDOM } = require("jsdom");
const { window } = new JSDOM(readFileSync(0, "utf8"), { runScripts: "dangerously", url: "file:///report.html" });
const { document } = window;
window.Element.prototype.scrollIntoView = () => {};
const checks = [...document.querySelectorAll("details.check")];
const state = () => ({
  shown: checks.filter(c => !c.hidden && !c.closest("section").hidden).map(c => c.id),
  open: checks.filter(c => c.open).map(c => c.id),
  said: document.getElementById("shown").textContent,
});
const fail = document.querySelector("[data-outcome=FAIL][aria-pressed]");
const steps = {
  filtered: () => fail.click(),
  unfiltered: () => fail.click(),
  allOpen: () => document.getElementById("toggle").click(),
  allClosed: () => document.getElementById("toggle").click(),
  printing: () => window.dispatchEvent(new window.Event("beforeprint")),
  printed: () => window.dispatchEvent(new window.Event("afterprint")),
  linked: () => { window.location.hash = "#keys.rotation"; window.dispatchEvent(new window.Event("hashchange")); },
};
const seen = { first: state() };
for (const [name, step] of Object.entries(steps)) { step(); seen[name] = state(); }
console.log(JSON.stringify(seen));
