// Live progress of an import: swaps in what the server has rendered, whenever it says that something moved.
import { asClock } from "./clock.js";

const region = document.querySelector("[data-events]");
const said = document.querySelector("[data-said]");
const SILENCE = 45_000; // The server speaks every 20 s at least; after this long (ms) the line is dead.
const PATIENCE = 30_000; // When nothing moves for so long (ms), the page asks whether a worker is at it at all.
const MOVING = ["queued", "staging", "comparing", "applying", "indexing", "publishing", "consuming", "undoing"];
let source, timer, pause = 1000, heard = performance.now(), shown = heard, asked = heard;

function connect() {
  disconnect();
  heard = performance.now();
  source = new EventSource(region.dataset.events);
  source.addEventListener("snapshot", (event) => show(JSON.parse(event.data)));
  source.addEventListener("keep-alive", () => { heard = performance.now(); });
  source.onerror = () => {
    // The browser comes again by itself when a line is cut, but gives up for good on an answer that is no stream.
    if (source.readyState !== EventSource.CLOSED) return;
    timer = setTimeout(connect, pause);
    pause = Math.min(pause * 2, 15_000);
  };
}

function disconnect() {
  clearTimeout(timer);
  source?.close();
  source = undefined;
}

function show(news) {
  heard = shown = asked = performance.now();
  pause = 1000;
  if (news.final) disconnect();
  // What was rendered before the page may arrive after it.
  if (news.version < Number(region.dataset.version)) return;
  const fresh = document.createElement("template");
  fresh.innerHTML = news.html;
  for (const part of [...fresh.content.children]) {
    const old = document.getElementById(part.id);
    // Parts that stay the same are left alone: a focused link keeps its focus.
    if (old && old.outerHTML !== part.outerHTML) old.replaceWith(part);
  }
  document.getElementById("silence").replaceChildren();
  const was = { ...region.dataset };
  Object.assign(region.dataset, { version: news.version, state: news.state, wanted: news.wanted, rejected: news.rejected, final: news.final });
  if (news.state !== was.state || news.wanted !== was.wanted) {
    document.body.dispatchEvent(new CustomEvent("state-changed"));
    said.textContent = region.querySelector("[data-words]").textContent;
    document.title = document.title.replace(/^[^·]*/, `${said.textContent} `);
  }
  if (String(news.rejected) !== was.rejected || String(news.final) !== was.final) {
    document.body.dispatchEvent(new CustomEvent("rejects-changed"));
  }
}

function tick() {
  if (source && performance.now() - heard > SILENCE) connect();
  if (source && MOVING.includes(region.dataset.state) && performance.now() - asked > PATIENCE) {
    asked = performance.now();
    document.body.dispatchEvent(new CustomEvent("silence"));
  }
  for (const clock of region.querySelectorAll("[data-clock]")) {
    clock.textContent = asClock(Number(clock.dataset.clock) + (performance.now() - shown) / 1000);
  }
  for (const clock of region.querySelectorAll("[data-countdown]")) {
    clock.textContent = asClock(Math.max(0, Number(clock.dataset.countdown) - (performance.now() - shown) / 1000));
  }
}

// A hidden page gives its line back: browsers have only about six for a site. It asks again as soon as it is looked at.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
addEventListener("online", connect);
setInterval(tick, 1000);
if (region.dataset.final !== "true" && !document.hidden) connect();
