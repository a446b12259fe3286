// Counts down to the moments of held rows, between two looks at the server.
let shown = performance.now();

function asClock(seconds) {
  const whole = Math.ceil(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches("[data-while-visible]")) event.preventDefault();
});
document.body.addEventListener("htmx:afterSwap", () => { shown = performance.now(); });
setInterval(() => {
  for (const clock of document.querySelectorAll("[data-countdown]")) {
    clock.textContent = asClock(Math.max(0, Number(clock.dataset.countdown) - (performance.now() - shown) / 1000));
  }
}, 1000);
