// Runs axe on a page in jsdom, which lays nothing out: colour contrast is looked at elsewhere.
// node axe.mjs FOLDER_OF_NODE_MODULES < page.html; prints the violations as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { JSDOM } = require("jsdom");
const { window } = new JSDOM(readFileSync(0, "utf8"), { runScripts: "outside-only", pretendToBeVisual: true });
window.eval(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
const rules = { "color-contrast": { enabled: false } };
const { violations, passes } = await window.axe.run(window.document, { rules });
const told = violations.map(v => ({ rule: v.id, help: v.help, where: v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)) }));
console.log(JSON.stringify({ violations: told, passed: passes.map(p => p.id) }));
