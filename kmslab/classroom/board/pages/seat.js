// The learner's page: the nudges and the state of the lab, as they come.
"use strict";
const base = document.body.dataset.base;
follow(base, document.body.dataset.seen, change => {
  put(document.getElementById("nudges"), change.nudges);
  put(document.getElementById("lab"), change.lab);
});
