// Sends the chosen file of the page "New import" in parts (tus 1.0), shows how far it is, and goes on where it stopped.
// Without this module the form still works; it then sends small files in one piece.

const PART = 8 * 1024 * 1024;
// Milliseconds; tus-js-client begins again with the first of them as soon as a part gets through.
const RETRIES = [0, 1000, 2000, 5000, ...Array(120).fill(10000)];
// Speed is taken over the last seconds only, so that it follows the line.
const WINDOW = 8000;

const byId = (id) => document.getElementById(id);
const form = byId("new-import");
const chooser = form.elements.file;
// Not form.dataset: the form has a field of that name, which stands before.
const endpoint = form.getAttribute("data-uploads");
const largest = Number(form.getAttribute("data-largest"));
const start = byId("start");
const look = byId("look");
const pause = byId("pause");
const cancel = byId("cancel");

let file = null;
let upload = null;
// "idle", "sending", "paused", "stopped" (by an error, can go on) or "done"
let state = "idle";
let seen = [];
let said = "";
// The button that was pressed, for the form's last step.
let pressed = null;

// --- words --------------------------------------------------------------------------------------------------------

function size(octets) {
    const units = ["bytes", "kB", "MB", "GB", "TB"];
    let amount = octets;
    let unit = 0;
    while (amount >= 999.5 && unit < units.length - 1) {
        amount /= 1000;
        unit += 1;
    }
    return `${amount.toFixed(unit === 0 || amount >= 99.95 ? 0 : 1)} ${units[unit]}`;
}

function roughly(seconds) {
    if (seconds < 5) return "a few seconds left";
    if (seconds < 57.5) return `about ${5 * Math.round(seconds / 5)} s left`;
    if (seconds < 3570) return `about ${Math.max(1, Math.round(seconds / 60))} min left`;
    return `about ${(seconds / 3600).toFixed(1)} h left`;
}

const percent = (part, whole) => `${whole ? Math.floor((100 * part) / whole) : 0} %`;

function notice(sentence, kind = "") {
    const box = byId("sending-notice");
    box.textContent = sentence;
    box.className = `notice ${kind}`;
    box.hidden = !sentence;
    say(sentence);
}

// For screen readers: figures that change all the time would drown everything else, so only news is said.
function say(sentence) {
    if (sentence && sentence !== said) byId("sending-said").textContent = sentence;
    said = sentence;
}

// --- what is seen -------------------------------------------------------------------------------------------------

function show(next) {
    state = next;
    const busy = state === "sending" || state === "paused" || state === "stopped";
    start.hidden = look.hidden = busy || state === "done";
    pause.hidden = !busy;
    pause.textContent = state === "sending" ? "Pause" : "Go on";
    cancel.hidden = !busy;
    chooser.disabled = busy || state === "done";
    document.querySelector(".drop").hidden = busy || state === "done";
    byId("sending").hidden = !file;
    if (state !== "sending") clearSpeed();
    if (state === "paused") byId("sending-rate").textContent = "Paused";
}

function clearSpeed() {
    byId("sending-rate").textContent = "";
    byId("sending-left").textContent = "";
}

function progress(sent, whole) {
    byId("sending-bar").value = whole ? sent / whole : 1;
    byId("sending-percent").textContent = percent(sent, whole);
    byId("sending-bytes").textContent = `${size(sent)} of ${size(whole)}`;
    const now = performance.now();
    seen = seen.filter(([at]) => now - at < WINDOW);
    seen.push([now, sent]);
    const [since, before] = seen[0];
    // A retry counts again from the last part that arrived, so the figures may go back; no speed until they grow.
    if (state !== "sending" || now - since < 500 || sent <= before) return;
    const speed = (1000 * (sent - before)) / (now - since);
    byId("sending-rate").textContent = `${size(speed)}/s`;
    byId("sending-left").textContent = roughly((whole - sent) / speed);
    const quarter = Math.floor((4 * sent) / whole);
    if (quarter && quarter < 4) say(`${25 * quarter} % sent`);
}

// --- choosing -----------------------------------------------------------------------------------------------------

async function choose(chosen) {
    file = chosen;
    upload = null;
    seen = [];
    forgetOldAnswers();
    if (!file) {
        show("idle");
        return;
    }
    byId("sending-name").textContent = file.name;
    notice("");
    progress(0, file.size);
    byId("sending-bytes").textContent = size(file.size);
    byId("sending-percent").textContent = "";
    show("idle");
    if (file.size > largest) {
        notice(`“${file.name}” has ${size(file.size)}; files of up to ${size(largest)} are taken.`, "error");
        start.disabled = look.disabled = true;
        return;
    }
    start.disabled = look.disabled = false;
    const mine = prepare(chosen);
    upload = mine;
    const before = await earlier(mine);
    if (!before || upload !== mine) return;
    mine.resumeFromPreviousUpload(before.found);
    progress(before.received, file.size);
    start.textContent = "Go on with the import";
    notice(`Going on at ${percent(before.received, file.size)}: ${size(before.received)} of this file are here already.`);
}

// An upload of this very file, begun in this browser, that the server still knows.
async function earlier(candidate) {
    const previous = await candidate.findPreviousUploads();
    previous.sort((a, b) => new Date(b.creationTime) - new Date(a.creationTime));
    for (const found of previous) {
        try {
            const answer = await fetch(found.uploadUrl, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } });
            if (answer.ok) return { found, received: Number(answer.headers.get("Upload-Offset")) };
        } catch {
            return null;
        }
    }
    return null;
}

function forgetOldAnswers() {
    form.elements.upload.value = "";
    for (const list of form.querySelectorAll(".errorlist")) list.remove();
    chooser.removeAttribute("aria-invalid");
    start.textContent = "Start the import";
    start.disabled = look.disabled = false;
}

// --- sending ------------------------------------------------------------------------------------------------------

// Read each time: signing in again, in another tab, brings a new one.
const csrf = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? form.elements.csrfmiddlewaretoken.value;

function prepare(chosen) {
    const made = new tus.Upload(chosen, {
        endpoint,
        chunkSize: PART,
        retryDelays: RETRIES,
        metadata: { filename: chosen.name },
        removeFingerprintOnSuccess: true,
        onBeforeRequest: (request) => request.setHeader("X-CSRFToken", csrf()),
        onProgress: (sent, whole) => {
            if (made !== upload || state !== "sending") return;
            if (byId("sending-notice").classList.contains("warning")) notice("");
            progress(sent, whole);
        },
        onShouldRetry: (error) => {
            const status = error.originalResponse?.getStatus() ?? 0;
            if (!error.originalRequest) return false;
            const again = status === 0 || status === 409 || status === 423 || status === 460 || status >= 500;
            if (refused(made, status)) return false;
            if (again && made === upload) {
                seen = [];
                clearSpeed();
                notice(trouble(error, status), "warning");
            }
            return again;
        },
        onError: (error) => {
            if (made !== upload) return;
            const status = error.originalResponse?.getStatus() ?? 0;
            notice(trouble(error, status), "error");
            if (refused(made, status)) {
                // Another file may do, and so may this one later.
                upload = prepare(chosen);
                show("idle");
                chooser.focus();
                return;
            }
            show("stopped");
        },
        onSuccess: () => {
            if (made === upload) finish();
        },
    });
    return made;
}

// The server has no room for such a file, or takes none that large, so not even the first part of it was sent.
const refused = (made, status) => !made.url && (status === 413 || status === 507);

function trouble(error, status) {
    if (!error.originalRequest) {
        // Not the line: the file was moved or changed, or the browser cannot read it.
        console.error(error);
        return `The browser cannot read “${file.name}” any more (${error.message}). Cancel, and choose it again.`;
    }
    if (status === 0) return "The connection is lost. What has arrived is safe; trying again.";
    const type = error.originalResponse?.getHeader("Content-Type") ?? "";
    const sentence = error.originalResponse?.getBody()?.trim();
    if (type.startsWith("text/plain") && sentence) return sentence;
    if (status === 403) return "The server does not know this page any more. Load it again and choose the file once more.";
    return `The server answered ${status}. What has arrived is safe; trying again.`;
}

function send() {
    notice("");
    seen = [];
    show("sending");
    upload.start();
    pause.focus();
}

function finish() {
    progress(file.size, file.size);
    show("done");
    notice(pressed === look ? "The file has arrived. Opening it…" : "The file has arrived. Starting the import…");
    form.elements.upload.value = upload.url.replace(/\/$/, "").split("/").pop();
    // Disabled, so that the browser does not send the bytes a second time.
    chooser.disabled = true;
    if (pressed === look) {
        const asked = Object.assign(document.createElement("input"), { type: "hidden", name: look.name, value: look.value });
        form.append(asked);
    }
    form.submit();
}

async function giveUp() {
    const mine = upload;
    upload = null;
    file = null;
    form.reset();
    forgetOldAnswers();
    notice("");
    show("idle");
    say("The upload is cancelled.");
    chooser.focus();
    // When the line is down, the server forgets the parts by itself after a while.
    await mine.abort(true).catch(() => {});
}

// --- what people do -----------------------------------------------------------------------------------------------

chooser.addEventListener("change", () => choose(chooser.files[0] ?? null));

form.addEventListener("submit", (event) => {
    // Nothing chosen: the server says so.
    if (!file) return;
    event.preventDefault();
    if (!upload || state !== "idle") return;
    pressed = event.submitter;
    send();
});

pause.addEventListener("click", () => {
    if (state === "sending") {
        upload.abort();
        show("paused");
        notice("");
        say("Paused.");
    } else {
        send();
    }
});

cancel.addEventListener("click", giveUp);

window.addEventListener("online", () => {
    if (state !== "sending" || byId("sending-notice").hidden) return;
    upload.abort();
    send();
});

window.addEventListener("beforeunload", (event) => {
    if (state === "sending" || state === "paused" || state === "stopped") event.preventDefault();
});

// Back from the import's page, the browser may show this page as it was left.
window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
});

// A file may be dropped anywhere on the page. Enter and leave come for every element passed, so they are counted.
let depth = 0;
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
const mayDrop = () => state === "idle";

document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    document.body.classList.toggle("dropping", mayDrop());
});
document.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (!depth) document.body.classList.remove("dropping");
});
document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dropping");
    if (!mayDrop() || !event.dataTransfer.files.length) return;
    chooser.files = event.dataTransfer.files;
    choose(chooser.files[0]);
});
