// The catalogue's pages with JavaScript: keys in forms, "Take this" in a conflict, and care for what is typed but not saved.

const edited = (form) => [...form.elements].some((field) =>
  field.type === "checkbox" ? field.checked !== field.defaultChecked : "defaultValue" in field && field.value !== field.defaultValue);
// A form that came back with an error or a conflict holds what was typed, so it counts as edited.
const unsaved = () => [...document.querySelectorAll("form[data-guarded]")].filter((form) =>
  !form.dataset.sent && (edited(form) || form.querySelector(".errorlist, .notice")));

document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("form[data-guarded]");
  if (!form || event.isComposing) return;
  if (event.key === "Escape") form.querySelector("[data-cancel]").click();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-take]");
  if (!button) return;
  const field = document.getElementById(button.dataset.take);
  const stored = document.querySelector(`[data-stored="${CSS.escape(button.dataset.take)}"]`).textContent;
  if (field.type === "checkbox") field.checked = stored === "active";
  else field.value = stored;
  field.focus();
});

// A search or another page would take an open form away with what is typed in it.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target.id === "products" && unsaved().length && !confirm("Leave without saving what you typed?")) event.preventDefault();
});
addEventListener("beforeunload", (event) => { if (unsaved().length) event.preventDefault(); });
document.addEventListener("submit", (event) => { if (!event.target.hasAttribute("hx-post")) event.target.dataset.sent = "yes"; });
document.addEventListener("click", (event) => {
  // Who cancels has decided.
  const form = event.target.closest?.("[data-cancel]")?.closest("form");
  if (form) form.dataset.sent = "yes";
});

// The address of a search says only what was asked for.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.target.id !== "search") return;
  for (const [name, value] of [...event.detail.formData]) if (!value.trim()) event.detail.formData.delete(name);
});
