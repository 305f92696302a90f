// A workstation's desktop: noVNC on a WebSocket, and the tools around it.
const KEYS = {
  ctrl: [0xffe3, "ControlLeft"],
  alt: [0xffe9, "AltLeft"],
  shift: [0xffe1, "ShiftLeft"],
  super: [0xffeb, "MetaLeft"],
  tab: [0xff09, "Tab"],
  esc: [0xff1b, "Escape"],
  f4: [0xffc1, "F4"],
  f11: [0xffc8, "F11"],
  print: [0xff61, "PrintScreen"],
};
const BACKSPACE = [0xff08, "Backspace"];
const ENTER = [0xff0d, "Enter"];
const QUALITY = { low: [1, 9], medium: [6, 2], high: [9, 1] }; // of JPEG, and of compression

export default async function create(page) {
  const { root, screen, onTool, findTool, press, say, words } = page;
  const { default: RFB } = await import(page.findModule("library"));
  const tools = root.querySelector("[data-tools]");
  const box = root.querySelector("[data-clipboard]");
  let rfb = null;
  let forced = false; // the portal lets this person only watch
  let remote = null; // what was copied there last

  const isPressed = (act) => findTool(act)?.getAttribute("aria-pressed") === "true";
  const send = (key, down) => rfb?.sendKey(...key, down);

  function apply() {
    if (!rfb) return;
    const fits = isPressed("fit");
    rfb.scaleViewport = fits;
    rfb.clipViewport = !fits;
    rfb.dragViewport = !fits && isPressed("drag");
    findTool("drag").hidden = fits;
    rfb.viewOnly = forced || isPressed("view-only");
    [rfb.qualityLevel, rfb.compressionLevel] = QUALITY[findTool("quality").value] ?? QUALITY.medium;
    findTool("view-only").disabled = forced;
    for (const tool of root.querySelectorAll("[data-sends]")) tool.disabled = rfb.viewOnly;
  }

  function releaseKeys() {
    for (const key of root.querySelectorAll("[data-key][aria-pressed=true]")) send(KEYS[key.dataset.key], press(key));
  }

  // --- Tools ---

  onTool("fit", (button) => {
    press(button);
    apply();
  });
  onTool("drag", (button) => {
    press(button);
    apply();
  });
  onTool("view-only", (button) => {
    releaseKeys();
    press(button);
    apply();
  });
  onTool("quality", apply, "change");
  onTool("ctrl-alt-del", () => rfb?.sendCtrlAltDel());

  if (!document.fullscreenEnabled) findTool("fullscreen").hidden = true;
  onTool("fullscreen", () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()));
  document.addEventListener("fullscreenchange", () =>
    press(findTool("fullscreen"), Boolean(document.fullscreenElement)),
  );

  for (const button of root.querySelectorAll("[data-key]")) {
    button.addEventListener("click", () => {
      if (button.hasAttribute("aria-pressed")) return send(KEYS[button.dataset.key], press(button));
      const chord = button.dataset.key.split("+").map((name) => KEYS[name]);
      for (const key of chord) send(key, true);
      for (const key of chord.toReversed()) send(key, false);
    });
  }

  onTool("copy", async () => {
    if (remote === null) return say("nothing-copied");
    if (await page.copy(remote)) return say("copied");
    showBox(remote);
    say("not-copied");
  });
  onTool("paste", async () => {
    const text = await page.readClipboard();
    if (text !== null) return paste(text);
    showBox(box.value);
    say("not-pasted");
  });
  onTool("send-text", () => (box.value ? paste(box.value) : say("nothing-to-send")));

  function expand(button, expanded = button.getAttribute("aria-expanded") !== "true") {
    button.setAttribute("aria-expanded", expanded);
    document.getElementById(button.getAttribute("aria-controls")).hidden = !expanded;
  }
  onTool("keys", (button) => expand(button));
  onTool("text", (button) => expand(button));

  function showBox(text) {
    box.value = text;
    expand(findTool("text"), true);
    box.focus();
    box.select();
  }
  function paste(text) {
    rfb?.clipboardPasteFrom(text);
    say("pasted");
  }

  onTool("picture", () => {
    rfb?.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${words("picture")} ${new Date().toISOString().slice(0, 19).replaceAll(":", ".")}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }, "image/png");
  });

  addTyping(root.querySelector("[data-typing]"), send, page);

  // --- The screen ---

  // The canvas is no stop of Tab, so its place is.
  screen.addEventListener("focus", () => rfb?.focus({ preventScroll: true }));
  // noVNC lets go of held keys when the window loses the focus, not when the screen does.
  screen.addEventListener("focusout", () => dispatchEvent(new Event("blur")));

  return {
    open(url, link) {
      const socket = page.openSocket(url, ["binary"]);
      if (!socket) return link.cut();
      // With a socket instead of the address, noVNC has nothing that it could write into its log.
      const mine = new RFB(screen, socket, { wsProtocols: ["binary"] });
      let refused = null;
      rfb = mine;
      rfb.showDotCursor = true; // where a program hides its own
      forced = link.viewOnly;
      apply();
      mine.addEventListener("connect", () => {
        tools.disabled = false;
        link.connected();
        mine.focus({ preventScroll: true });
      });
      mine.addEventListener("clipboard", ({ detail }) => {
        remote = detail.text;
      });
      mine.addEventListener("securityfailure", ({ detail }) => {
        refused = { said: detail.reason };
      });
      mine.addEventListener("credentialsrequired", () => {
        refused = { words: "password" };
        mine.disconnect();
      });
      mine.addEventListener("disconnect", () => {
        if (rfb !== mine) return;
        rfb = null;
        if (refused) link.finish("refused", refused);
        else link.cut();
      });
      const note = root.querySelector("[data-note=view-only]");
      if (note) note.hidden = !forced;
    },
    close() {
      releaseKeys();
      tools.disabled = true;
      const former = rfb;
      rfb = null; // first: what it says of its end is no cut
      former?.disconnect();
    },
  };
}

// A phone's keyboard tells what it wrote, not which keys: what changed in the box is typed.
function addTyping(box, send, { screen, onTool, findTool, press }) {
  const START = " ".repeat(50); // so that there is something to erase
  let before = START;

  function type(letter) {
    const code = letter.codePointAt(0);
    if (letter === "\n") send(ENTER);
    else send([code < 0x100 ? code : 0x01000000 | code, ""]); // X has a keysym for each letter of Unicode
  }
  function start() {
    box.value = before = START;
    box.setSelectionRange(START.length, START.length);
  }

  // A tap on the screen takes the focus, and a phone's keyboard with it: while the button is pressed it comes back.
  function call() {
    start();
    box.focus({ preventScroll: true });
  }
  onTool("keyboard", (button) => {
    if (press(button)) call();
    else box.blur();
  });
  screen.addEventListener("pointerup", () => {
    if (findTool("keyboard").getAttribute("aria-pressed") === "true") call();
  });
  box.addEventListener("input", (event) => {
    const [old, now] = [[...before], [...box.value]];
    let same = 0;
    while (same < old.length && old[same] === now[same]) same += 1;
    for (let n = same; n < old.length; n += 1) send(BACKSPACE);
    for (const letter of now.slice(same)) type(letter);
    before = box.value;
    if (!event.isComposing && (now.length < 10 || now.length > 500)) start();
  });
}
