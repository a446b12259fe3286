// Counts down to the moments of held rows, between two looks at the server.
import { asClock } from "./clock.js";
import "./visible.js";

let shown = performance.now();

document.body.addEventListener("htmx:afterSwap", () => { shown = performance.now(); });
setInterval(() => {
  for (const clock of document.querySelectorAll("[data-countdown]")) {
    // Rounded up: a row whose clock shows 0:00 is due.
    clock.textContent = asClock(Math.ceil(Math.max(0, Number(clock.dataset.countdown) - (performance.now() - shown) / 1000)));
  }
}, 1000);
