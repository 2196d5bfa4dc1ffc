// The board hides its address, which holds the trainer's token, from the projector: a reload of that tab goes on here.
const base = sessionStorage.getItem("board");
if (base) location.replace(base);
