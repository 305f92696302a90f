// A workstation's terminal: xterm.js on a WebSocket. How AgentStation frames what is typed and shown is not documented, so
// text and binary frames are both shown, and what is typed goes in the kind of frame that came last.
const COLOURS = {
  background: "surface",
  foreground: "ink",
  cursor: "ink",
  cursorAccent: "surface",
  selectionBackground: "busy-bg",
  black: "ink",
  red: "bad",
  green: "ok",
  yellow: "warn",
  blue: "busy",
  magenta: "sand",
  cyan: "cyan",
  white: "line",
  brightBlack: "ink-2",
  brightRed: "bad",
  brightGreen: "ok",
  brightYellow: "warn",
  brightBlue: "busy",
  brightMagenta: "sand",
  brightCyan: "cyan",
  brightWhite: "raised",
};
const PLAIN = "\x1b[!p\x1b[?1000;1002;1003;1004;1006;2004l\x1b[?25h"; // what a program that was cut off left set

// xterm makes style elements and keeps the nonce from them; an attribute after insertion is too late.
function addNonce(nonce) {
  const create = Document.prototype.createElement;
  Document.prototype.createElement = function (...values) {
    const element = create.apply(this, values);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };
}

// A custom property says light-dark(...): what it is now, only an element of that colour knows.
function readTheme(screen) {
  const probe = screen.appendChild(document.createElement("i"));
  const theme = {};
  for (const [name, token] of Object.entries(COLOURS)) {
    probe.style.color = `var(--${token})`;
    theme[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return theme;
}

const openLink = (uri) => window.open(uri, "_blank", "noopener,noreferrer");

async function makeTerminal({ root, screen, words, findModule }) {
  addNonce(document.querySelector("meta[name=style-nonce]").content);
  const { Terminal, FitAddon, SearchAddon, WebLinksAddon } = await import(findModule("library"));
  const fontFamily = getComputedStyle(root).getPropertyValue("--mono");
  // Cells are measured once: the font must be there.
  await Promise.all(["", "bold "].map((weight) => document.fonts.load(`${weight}15px ${fontFamily}`)));
  const terminal = new Terminal({
    fontFamily,
    fontSize: 15,
    scrollback: 10_000,
    minimumContrastRatio: 4.5,
    theme: readTheme(screen),
    disableStdin: true,
    // Such a link may show another address than its own.
    linkHandler: { activate: (event, uri) => confirm(`${words("link")}\n${uri}`) && openLink(uri) },
  });
  const search = new SearchAddon();
  const fit = new FitAddon();
  for (const addon of [fit, search, new WebLinksAddon((event, uri) => openLink(uri))]) terminal.loadAddon(addon);
  terminal.open(screen);
  new ResizeObserver(() => fit.fit()).observe(screen); // AgentStation documents no way to be told
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    terminal.options.theme = readTheme(screen);
  });
  return { terminal, search };
}

function addTools({ onTool, press, findTool, say, copy, readClipboard }, terminal, search, send) {
  async function copySelection() {
    if (!terminal.hasSelection()) return say("nothing-selected");
    say((await copy(terminal.getSelection())) ? "copied" : "not-copied");
  }
  const find = (direction) => {
    const found = search[direction](findTool("search").value);
    say(found || !findTool("search").value ? "" : "not-found");
  };

  onTool("copy", async () => {
    await copySelection();
    terminal.focus();
  });
  onTool("paste", async () => {
    const text = await readClipboard();
    if (text === null) return say("not-pasted");
    terminal.paste(text);
    terminal.focus();
  });
  onTool("search-next", () => find("findNext"));
  onTool("search-previous", () => find("findPrevious"));
  onTool(
    "search",
    (box, event) => {
      if (event.key === "Enter") find(event.shiftKey ? "findPrevious" : "findNext");
      if (event.key === "Escape") terminal.focus();
    },
    "keydown",
  );
  onTool("reader", (button) => {
    terminal.options.screenReaderMode = press(button);
  });
  // The shell is told in its own words how large it is shown.
  onTool("size", () => {
    send(`stty cols ${terminal.cols} rows ${terminal.rows}\r`);
    terminal.focus();
  });

  terminal.attachCustomKeyEventHandler((event) => {
    if (!event.ctrlKey || !event.shiftKey || event.altKey) return true;
    if (event.code === "KeyC") {
      event.preventDefault(); // browsers open their inspector
      if (event.type === "keydown") copySelection();
      return false;
    }
    return event.code !== "KeyV"; // the browser pastes, without asking for leave
  });
}

export default async function create(page) {
  const encoder = new TextEncoder();
  const { terminal, search } = await makeTerminal(page);
  let socket = null;
  let binary = false; // what came last
  let hadOne = false;

  const send = (text) => {
    if (socket?.readyState === WebSocket.OPEN && !terminal.options.disableStdin)
      socket.send(binary ? encoder.encode(text) : text);
  };
  terminal.onData(send);
  // Reports of the mouse in an old form: bytes, not letters.
  terminal.onBinary((bytes) => {
    if (socket?.readyState === WebSocket.OPEN && !terminal.options.disableStdin)
      socket.send(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
  });
  addTools(page, terminal, search, send);

  function begin(link) {
    if (hadOne) {
      // Only if it is in use: leaving it moves the cursor.
      const leave = terminal.buffer.active.type === "alternate" ? "\x1b[?1049l" : "";
      terminal.write(`${leave}${PLAIN}\x1b[0m\r\n\x1b[90m${page.words("reconnected")}\x1b[0m\r\n`);
    }
    hadOne = true;
    binary = false;
    terminal.options.disableStdin = link.viewOnly;
    link.connected();
    terminal.focus();
  }

  function showFrame({ data }) {
    binary = typeof data !== "string";
    try {
      terminal.write(binary ? new Uint8Array(data) : data);
    } catch {
      // It holds 50 MB that it could not show yet: what comes faster than that is left out.
    }
  }

  return {
    open(url, link) {
      socket = page.openSocket(url);
      if (!socket) return link.cut();
      socket.addEventListener("open", () => begin(link));
      socket.addEventListener("message", showFrame);
      socket.addEventListener("close", link.cut);
    },
    close() {
      socket?.close();
      socket = null;
      terminal.options.disableStdin = true;
    },
  };
}
