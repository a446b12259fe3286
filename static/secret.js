// A secret that is shown once: a button that copies it, and nothing left on the page for whoever goes back to it.
const secret = document.getElementById("secret");
const copy = document.getElementById("copy");

if (secret && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(secret.textContent);
    copy.textContent = "Copied";
    document.getElementById("copied").textContent = "The secret is copied.";
  });
}
addEventListener("pagehide", () => secret?.replaceChildren("shown once"));
