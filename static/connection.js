// A connection to a workstation: its opening through the portal, its state on the page, and its end. What is shown, and
// how, is the view's: desktop.js, terminal.js or livelog.js. The address that the portal answers is a key: who has it is
// in. It stays in memory, and no text, log line or exception has it.
const root = document.querySelector("[data-connection]");
const screen = root.querySelector("[data-screen]");
const form = root.querySelector("[data-reason]");
const again = root.querySelector("[data-reconnect]");
const states = root.querySelector("[data-states]");
const longer = root.querySelector("[data-longer]");
const slots = new Map([...root.querySelectorAll("[data-slot]")].map((slot) => [slot, slot.textContent]));

const WITHIN = 60_000; // ms for an opening: the provider may be slow
const LONG = 10_000; // ms: a connection that held so long was one
const MOST_CUTS = 5; // in a row, of connections that did not hold
const MOST_BUSY = 20; // in a row; then somebody must press
const SILENT = 180_000; // ms without an answer of the portal: by then it takes the page for closed
const OVER = [401, 403, 404]; // to a poll: the portal no longer lets this person have the connection

let view; // once it is loaded
let fields = root.dataset.waits === "true" ? null : {}; // what goes with the opening; null: a reason comes first
let turn = 0; // grows with each opening and each end: what belongs to an earlier one is over
let current = null; // the portal's answer without the address
let last = null; // where the portal says of the last one whether it may go on
let since = null; // when it was connected
let heard = 0; // when the portal last answered
let cuts = 0;
let busy = 0;
let isUsed = false; // since the last poll
let warned = 0; // how many warnings of the end were read out
let timer, poll;

const wait = (seconds, fallback, least, most) =>
  Math.min(Math.max(Number.isFinite(seconds) ? seconds : fallback, least), most) * 1000;

function show(state, { words = state, is_gone: isGone = words === "forbidden", ...texts } = {}) {
  const within = screen.contains(document.activeElement);
  root.dataset.connection = state;
  for (const part of root.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(words);
  for (const [slot, own] of slots) {
    slot.textContent = texts[slot.dataset.slot] || own;
    const quote = slot.closest("[data-quote]");
    if (quote) quote.hidden = !slot.textContent;
  }
  page.say("");
  if (form) form.hidden = state !== "waiting";
  const isOver = ["ended", "refused"].includes(state);
  again.hidden = isGone || !(isOver || state === "busy");
  // Whoever was in the screen would be nowhere now.
  if (isOver && (within || document.activeElement === document.body)) (again.hidden ? states : again).focus();
}

// Not by sendBeacon: the portal takes no files, which FormData is sent as, and under a referrer policy of "no-referrer" a
// beacon comes from the origin "null", which Django refuses.
function post(address, values, { headers, ...options } = {}) {
  return fetch(address, {
    method: "POST",
    body: new URLSearchParams(values),
    headers: { "X-CSRFToken": root.dataset.csrf, Accept: "application/json", ...headers },
    credentials: "same-origin",
    cache: "no-store",
    redirect: "manual",
    ...options,
  });
}

const tellEnd = (address) =>
  post(address, { csrfmiddlewaretoken: root.dataset.csrf }, { keepalive: true }).catch(() => {});

// Nothing of the connection is left, and the portal knows it.
function stop() {
  turn += 1;
  clearTimeout(timer);
  clearTimeout(poll);
  view?.close();
  if (current) tellEnd(current.end);
  current = since = null;
}

function finish(state, texts) {
  stop();
  if (["ended", "refused"].includes(state)) showEnd({ words: "", has_end: false });
  show(state, texts);
}

async function open() {
  stop();
  if (!fields) return show("waiting");
  show("connecting");
  const mine = turn;
  let response, answer;
  try {
    response = await post(
      root.dataset.open,
      { kind: root.dataset.kind, ...fields },
      { signal: AbortSignal.timeout(WITHIN) },
    );
    answer = await response.json();
  } catch {
    answer = null; // no network, or a page instead of an answer
  }
  const opened = response?.ok && typeof answer?.url === "string";
  if (mine !== turn) return opened ? tellEnd(answer.end) : undefined;
  if (opened) return connect(answer);
  if (!response && cuts) return cut(); // what cut the connection is still there
  if (OVER.includes(response?.status) || answer?.is_gone) {
    const why = (await explainEnd()) ?? (answer?.is_gone ? answer : { words: "forbidden" });
    return mine === turn ? finish("refused", why) : undefined;
  }
  if (answer?.state !== "busy") return finish("refused", answer?.state === "refused" ? answer : { words: "failed" });
  finish("busy", answer);
  busy += 1;
  if (busy < MOST_BUSY) timer = setTimeout(open, wait(answer.retry_after, 3, 1, 300));
}

// Why there is nothing to open any more, if so: of the last connection the portal still knows.
async function explainEnd() {
  if (!last) return null;
  try {
    const response = await post(last, {}, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(WITHIN) });
    const { ended } = await response.json();
    return ended?.is_gone ? ended : null;
  } catch {
    return null;
  }
}

function connect({ url, ...answer }) {
  current = answer;
  showEnd(answer.ends);
  last = answer.alive;
  const mine = turn;
  const mineOnly =
    (react) =>
    (...values) => {
      if (mine === turn) react(...values);
    };
  const link = {
    viewOnly: answer.view_only === true,
    connected: mineOnly(() => {
      since = heard = performance.now();
      busy = 0;
      show("connected");
      ask();
    }),
    cut: mineOnly(cut),
    finish: mineOnly(finish),
  };
  try {
    view.open(url, link);
  } catch {
    link.cut();
  }
}

// Anew through the portal, if it lets this person: an address that was cut is not used again.
async function cut() {
  const mine = (turn += 1);
  clearTimeout(poll);
  show("connecting");
  const why = await explainEnd();
  if (mine !== turn) return;
  if (why) return finish("ended", why);
  if (since !== null && performance.now() - since >= LONG) cuts = 0;
  if (cuts === MOST_CUTS) {
    cuts = 0;
    return finish("ended");
  }
  finish("connecting");
  timer = setTimeout(open, wait(2 ** cuts, 1, 1, 30));
  cuts += 1;
}

function ask() {
  poll = setTimeout(
    async () => {
      const mine = turn;
      let response, answer;
      try {
        // As a poll of htmx it keeps nobody signed in: only what somebody does in the workstation does.
        const headers = isUsed ? {} : { "HX-Request": "true" };
        isUsed = false;
        response = await post(current.alive, {}, { headers, signal: AbortSignal.timeout(WITHIN) });
        answer = await response.json();
      } catch {
        // Passed over, but for a status that says it all.
      }
      if (mine !== turn) return;
      const over = OVER.includes(response?.status) || response?.type === "opaqueredirect"; // to the sign-in page
      if (answer?.ended === null) heard = performance.now();
      if (answer?.ends) showEnd(answer.ends);
      if (over || answer?.ended) finish("ended", answer?.ended ?? { words: "forbidden" });
      else if (performance.now() - heard > SILENT) finish("ended", { words: "silent" });
      else ask();
    },
    wait(current.alive_every, 20, 1, 300),
  );
}

// When the portal releases the workstation. What is new is also read out, and stands beside it for a while.
function showEnd({ words, has_end: hasEnd, warning = warned }, isNew = warning > warned) {
  root.querySelector("[data-ends]").textContent = words;
  if (longer) longer.hidden = !hasEnd;
  if (isNew) sayFor(10_000, words);
  warned = warning;
}

function sayFor(time, words) {
  const status = root.querySelector("[data-status]");
  status.textContent = words;
  setTimeout(() => {
    if (status.textContent === words) status.textContent = "";
  }, time);
}

longer?.addEventListener("click", async () => {
  try {
    const response = await post(longer.dataset.longer, { longer: "2h" }, { signal: AbortSignal.timeout(WITHIN) });
    showEnd(await response.json(), true);
  } catch {
    page.say("not-kept");
  }
});

// Where a key belongs to the workstation, Tab does too: three keys together lead out of it.
function leadOut(event) {
  if (!event.ctrlKey || !event.altKey || !event.shiftKey || !["Control", "Alt", "Shift"].includes(event.key)) return;
  if (!screen.contains(document.activeElement)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  // What is hidden, as a phone's keyboard on a desk is, takes no focus.
  const tools = root.querySelectorAll("[data-tools] :is(button, select, summary):not(:disabled)");
  [...tools].find((tool) => tool.checkVisibility())?.focus();
}

const findModule = (name) => document.querySelector(`link[data-module="${name}"]`).href;
const findTool = (act) => root.querySelector(`[data-act="${act}"]`);

// What views do alike. Given, not imported: the view's own address changes with its content, and an import by a plain name
// would bring this module a second time.
const page = {
  root,
  screen,
  findModule,
  findTool,
  words: (name) => root.querySelector(`[data-words="${name}"]`)?.textContent.trim() ?? "",
  say(name) {
    root.querySelector("[data-status]").textContent = page.words(name);
  },
  onTool(act, react, event = "click") {
    const tool = findTool(act);
    tool?.addEventListener(event, (happened) => react(tool, happened));
  },
  press(button, pressed = button.getAttribute("aria-pressed") !== "true") {
    button.setAttribute("aria-pressed", pressed);
    return pressed;
  },
  // The browser's exception would name the address.
  openSocket(url, protocols) {
    try {
      const socket = new WebSocket(url, protocols);
      socket.binaryType = "arraybuffer";
      return socket;
    } catch {
      return null;
    }
  },
  // Of the clipboard a browser may know nothing, or say no.
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  },
  async readClipboard() {
    try {
      return await navigator.clipboard.readText();
    } catch {
      return null;
    }
  },
};

function reopen() {
  if (!view) return location.reload();
  cuts = busy = 0;
  open();
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  fields = { reason: new FormData(form).get("reason") };
  reopen();
});
again.addEventListener("click", () => {
  // What was refused may have been the reason.
  if (form && root.dataset.connection === "refused") fields = null;
  reopen();
});
addEventListener("keydown", leadOut, { capture: true });
for (const act of ["keydown", "pointerdown", "wheel"]) {
  const note = () => {
    isUsed = true;
  };
  addEventListener(act, note, { capture: true, passive: true });
}
addEventListener("online", () => {
  if (root.dataset.connection === "connecting" && cuts && !current) open();
});
addEventListener("pagehide", stop);
addEventListener("pageshow", (event) => {
  if (event.persisted && view) reopen();
});

try {
  const { default: create } = await import(findModule("view"));
  view = await create(page);
  open();
} catch {
  finish("refused", { words: "failed" });
}
