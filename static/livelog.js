// A workstation's log as it is written. The fields of an entry are not documented: what is known by its name stands first,
// and all else behind it as JSON.
const MOST_LINES = 10_000;
const BLOCK = 200; // lines that the browser lays out, or leaves out, together
const MOST_LEVELS = 30; // in the list to choose from
const NAMES = {
  time: ["time", "timestamp", "createdAt", "created_at", "ts"],
  level: ["level", "severity"],
  type: ["type"],
};
NAMES.message = ["message", "msg", "text"];
const EVENTS = ["message", "log", "entry"]; // an unnamed entry is "message"; of others only those that are asked for come

function parse(text) {
  let entry;
  try {
    entry = JSON.parse(text);
  } catch {
    return { level: "", text };
  }
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return { level: "", text };
  const rest = { ...entry };
  const found = {};
  for (const [part, names] of Object.entries(NAMES)) {
    const name = names.find((one) => ["string", "number"].includes(typeof rest[one]));
    found[part] = name ? String(rest[name]) : "";
    delete rest[name];
  }
  const others = Object.keys(rest).length ? JSON.stringify(rest) : "";
  const parts = [found.time, found.level, found.type, found.message, others];
  return { level: found.level, text: parts.filter(Boolean).join(" ") };
}

export default function create({ root, screen, onTool, findTool, press, words, say }) {
  const blocks = []; // { element, count }
  let lines = []; // { level, text, element }, as many as are shown
  let waiting = []; // not on the page yet
  let frame = null;
  let paused = false;
  let source = null;
  let failures = 0; // before anything came
  let heard = false;
  const levels = new Set();

  const matches = (line) => {
    const level = findTool("level").value;
    return (!level || line.level === level) && line.text.toLowerCase().includes(findTool("filter").value.toLowerCase());
  };

  function addLevel(level) {
    if (!level || levels.has(level) || levels.size === MOST_LEVELS) return;
    levels.add(level);
    findTool("level").append(new Option(level, level));
  }

  function addLine(line) {
    let block = blocks.at(-1);
    if (!block || block.count === BLOCK) {
      block = { element: document.createElement("div"), count: 0 };
      blocks.push(block);
      screen.append(block.element);
    }
    line.element = document.createElement("p");
    line.element.textContent = line.text;
    line.element.hidden = !matches(line);
    if (line.level) line.element.dataset.level = line.level.toLowerCase();
    block.element.append(line.element);
    block.count += 1;
    lines.push(line);
    addLevel(line.level);
  }

  function removeOld() {
    let old = 0;
    while (lines.length - old - blocks[0]?.count >= MOST_LINES) {
      const block = blocks.shift();
      block.element.remove();
      old += block.count;
    }
    if (old) lines = lines.slice(old);
  }

  function draw() {
    frame = null;
    if (paused) return;
    const follows = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 40;
    for (const line of waiting) addLine(line);
    waiting = [];
    removeOld();
    if (follows) screen.scrollTop = screen.scrollHeight;
    tell();
  }

  // All that came since the last picture at once. A tab that nobody looks at draws nothing: then only the last are kept.
  function keep(line) {
    waiting.push(line);
    if (waiting.length > 2 * MOST_LINES) waiting = waiting.slice(-MOST_LINES);
    if (paused) tell();
    else frame ??= requestAnimationFrame(draw);
  }

  function tell() {
    if (paused && waiting.length)
      root.querySelector("[data-status]").textContent = `${words("waiting")} ${waiting.length}`;
    else if (paused) say("paused");
    else say(lines.length && lines.every((line) => line.element.hidden) ? "no-match" : "");
  }

  function filter() {
    for (const line of lines) line.element.hidden = !matches(line);
    screen.scrollTop = screen.scrollHeight;
    tell();
  }

  onTool("filter", filter, "input");
  onTool("level", filter, "change");
  onTool("pause", (button) => {
    paused = press(button);
    if (paused) tell();
    else draw();
  });

  function fail(link) {
    if (!heard) failures += 1;
    if (failures < 2) return link.cut();
    failures = 0;
    link.finish("refused", { words: "stored" });
  }

  return {
    open(url, link) {
      try {
        source = new EventSource(url);
      } catch {
        return fail(link); // without the exception, which names the address
      }
      const mine = source;
      heard = false;
      mine.addEventListener("open", () => {
        heard = true; // a quiet workstation is no failure
        failures = 0;
        link.connected();
      });
      for (const name of EVENTS) {
        mine.addEventListener(name, ({ data }) => keep(parse(data)));
      }
      // It would come back by itself, to an address that may have ended: the portal opens anew.
      mine.addEventListener("error", () => {
        if (source !== mine) return;
        mine.close();
        fail(link);
      });
    },
    close() {
      source?.close();
      source = null;
    },
  };
}
