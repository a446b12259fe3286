// Opens what the page says of the dataset that is chosen. Without this module all of it can be opened by hand.

const choice = document.querySelector("#new-import select[name=dataset]");

function open() {
    for (const looks of document.querySelectorAll("details[data-dataset]")) looks.open = looks.dataset.dataset === choice.value;
}

choice.addEventListener("change", open);
// A browser that comes back to the page may have kept another choice than the server wrote.
if (choice.querySelector("option[selected]")?.value !== choice.value) open();
