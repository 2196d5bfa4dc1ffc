// Marks the checkpoints that the reader's lab has passed. `kmslab guide` answers checkpoints.json; a page that is
// opened from a file, or served by anything else, stays as it is.
"use strict";

(() => {
  const EVERY_MILLISECONDS = 3000;
  const WORDS = { passed: "passed", failed: "not passed", open: "" };

  if (!["127.0.0.1", "localhost"].includes(location.hostname)) return;

  const pageOf = (path) => path.split("/").pop().replace(/\.html$/, "");

  function mark(pages) {
    for (const link of document.querySelectorAll("a.md-nav__link[href]")) {
      const one = link.hash ? undefined : pages[pageOf(new URL(link.href).pathname)];
      if (one && one.state !== "open") link.dataset.checkpoint = one.state;
      else delete link.dataset.checkpoint;
    }
    const heading = document.getElementById("checkpoint");
    const here = pages[pageOf(location.pathname)];
    if (!heading || !here) return;
    let badge = heading.querySelector(".checkpoint");
    if (!badge) {
      badge = document.createElement("span");
      badge.className = "checkpoint";
      badge.setAttribute("role", "status");
      heading.append(badge);
    }
    const said = here.failed.length ? `${WORDS[here.state]}: ${here.failed.join(", ")}` : WORDS[here.state];
    if (badge.textContent !== said) badge.textContent = said;
    heading.dataset.checkpoint = here.state;
  }

  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch("checkpoints.json", { cache: "no-store" });
      if (answer.ok) mark(await answer.json());
      else clearInterval(timer);
    } catch {
      clearInterval(timer); // the server has ended
    }
  }

  const timer = setInterval(look, EVERY_MILLISECONDS);
  document.addEventListener("visibilitychange", look);
  look();
})();
