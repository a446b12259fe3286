// Says so when htmx gets no answer, or one that is not for the page. What people typed stays where it is.
const box = document.createElement("div");
box.className = "notice error trouble";
box.role = "alert";
box.hidden = true;
document.body.append(box);

function say(sentence, link) {
  box.replaceChildren(sentence);
  if (link) {
    const way = document.createElement("a");
    Object.assign(way, { href: link, target: "_blank", textContent: "Sign in in a new tab" });
    box.append(" ", way);
  }
  box.hidden = false;
}

const LOGIN = "/accounts/login/";
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.responseURL && new URL(xhr.responseURL).pathname === LOGIN) {
    event.detail.shouldSwap = false;
    say("You are signed out, so nothing was done. Sign in, come back here and try again.", LOGIN);
  }
});
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  say(status === 403
    ? "The server did not take it: this page is older than your sign-in. Load it again; copy first what you typed."
    : `The server answered with an error (${status}). Nothing was done; try again in a moment.`);
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => say("The server does not answer. Nothing was done; try again when it is back."));
}
document.addEventListener("htmx:afterSwap", () => { box.hidden = true; });

// Who signed in again in another tab has a new token; the one in this page is worth nothing any more.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  if (!token) return;
  event.detail.headers["X-CSRFToken"] = token;
  if (event.detail.formData.has("csrfmiddlewaretoken")) event.detail.formData.set("csrfmiddlewaretoken", token);
});
