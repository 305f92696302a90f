// The parts of the checks that run in the page. Loaded by the browser's driver, which no CSP forbids.
window.checks = (() => {
  const name = (el) => {
    const mark = el.id || el.className?.baseVal || el.className || "";
    return `<${el.tagName.toLowerCase()} ${mark}> ${(el.textContent || el.value || "").trim().slice(0, 30)}`;
  };
  const shown = (el) =>
    el.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && el.getClientRects().length > 0;
  const inUse = (el) => el.tabIndex >= 0 && !el.closest("[hidden]") && !el.disabled && shown(el);
  const list = () => {
    const found = [
      ...document.querySelectorAll(
        "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']",
      ),
    ].filter(inUse);
    // The radio buttons of one group are one stop.
    const groups = new Set();
    return found.filter((el) => {
      if (el.type !== "radio") return true;
      const chosen = [...document.getElementsByName(el.name)].find((radio) => radio.checked);
      if (chosen ? el !== chosen : groups.has(el.name)) return false;
      groups.add(el.name);
      return true;
    });
  };

  // Below, or beside and further on; a second column begins at the top again.
  const order = () => {
    const complaints = [];
    const ordered = list();
    if (document.querySelector("[tabindex]:not([tabindex='0'], [tabindex='-1'])"))
      complaints.push("a tabindex of its own");
    for (let i = 1; i < ordered.length; i += 1) {
      const [a, b] = [ordered[i - 1].getBoundingClientRect(), ordered[i].getBoundingClientRect()];
      // What is unfolded over the page stands where it likes.
      const over = (el) => el.closest(".drop, .links, .release > form");
      if (over(ordered[i - 1]) !== over(ordered[i])) continue;
      if (ordered[i - 1].contains(ordered[i]) || ordered[i].matches(".skip") || ordered[i - 1].matches(".skip"))
        continue;
      const goesUp = b.bottom <= a.top + 1 && b.left < a.right - 1;
      const sameLine = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > Math.min(a.height, b.height) / 2;
      if (goesUp || (sameLine && b.right <= a.left))
        complaints.push(`${name(ordered[i])} comes after ${name(ordered[i - 1])} but stands before it`);
    }
    return complaints;
  };

  const look = (el) => {
    const parts = [];
    for (let part = el, n = 0; part && n < 3; part = part.parentElement, n += 1) {
      const style = getComputedStyle(part);
      parts.push(
        style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 ? style.outline : "none",
        style.boxShadow,
      );
    }
    return parts.join();
  };
  let stops, seen, before;
  const watchFocus = () => {
    // From the top, wherever the page put the focus at first.
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    stops = list();
    before = new Map(stops.map((el) => [el, look(el)]));
    seen = new Map();
    document.addEventListener(
      "focusin",
      (event) => seen.has(event.target) || seen.set(event.target, look(event.target)),
    );
    return stops.length;
  };
  const focusComplaints = () => {
    const complaints = [];
    const reached = [...seen.keys()].filter((el) => before.has(el));
    for (const el of stops) {
      if (!seen.has(el)) complaints.push(`Tab does not reach ${name(el)}`);
      else if (seen.get(el) === before.get(el)) complaints.push(`the focus is not seen on ${name(el)}`);
    }
    const expected = stops.filter((el) => seen.has(el));
    if (reached.some((el, i) => el !== expected[i])) complaints.push("Tab goes in another order than the text");
    return complaints;
  };

  const spacing = new CSSStyleSheet();
  spacing.replaceSync(
    "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; } " +
      "p { margin-block-end: 2em !important; }",
  );
  const set = (setting) => {
    document.documentElement.style.fontSize = setting === "doubled" ? "200%" : "";
    document.adoptedStyleSheets = setting === "spaced" ? [spacing] : [];
  };
  // What is shortened on purpose says so itself; what is for screen readers alone has no size.
  const shortened =
    ".clip, .vh, .who, .state bdi, .uid bdi, .under bdi, .scroll, blockquote, pre, textarea, input, select, .nav, " +
    ".panel:has(> .bars)";
  const fit = () => {
    const complaints = [];
    const width = document.documentElement.scrollWidth;
    if (width > innerWidth) {
      const wide = [...document.querySelectorAll("body *")].filter(
        (el) => shown(el) && !el.closest(".scroll, .nav") && el.getBoundingClientRect().right > innerWidth + 1,
      );
      complaints.push(`the page is ${width} px wide: ${wide.slice(-2).map(name).join(", ")}`);
    }
    for (const el of document.querySelectorAll("body *")) {
      if (el.matches(shortened) || el.closest("svg") || !shown(el) || el.closest(".vh")) continue;
      const style = getComputedStyle(el);
      const cut =
        (style.overflowX !== "visible" && el.scrollWidth > el.clientWidth + 1) ||
        (style.overflowY !== "visible" && el.scrollHeight > el.clientHeight + 1);
      if (cut && el.clientWidth > 1) complaints.push(`${name(el)} is cut off`);
    }
    return complaints;
  };

  const borders = () =>
    [...document.querySelectorAll(".state, .btn, .failure, .notice, .panel, .messages li, .card, .dot")]
      .filter(shown)
      .filter((el) => {
        const style = getComputedStyle(el);
        return !["Top", "Right", "Bottom", "Left"].some(
          (side) => style[`border${side}Style`] !== "none" && parseFloat(style[`border${side}Width`]) >= 1,
        );
      })
      .map((el) => `${name(el)} has no border in forced colours`);

  // Of the sheet: one row for the header, one scale of type, two heights of buttons, no card in a card, one green button.
  const sheet = () => {
    const complaints = [];
    const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
    for (const bar of all(".bar"))
      if (bar.offsetHeight > 57) complaints.push(`the header is ${bar.offsetHeight} px high`);
    for (const el of all("main .wrap, main.wrap"))
      if (el.offsetWidth > 1121) complaints.push(`${name(el)} is too wide`);
    const said = (el) => [...el.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    for (const el of all("header *, main *").filter(said)) {
      if (el.closest("svg, .vh, .mono, code, pre, .face, .count, .round, option, sup")) continue;
      const { fontFamily, fontSize, fontWeight } = getComputedStyle(el);
      if (parseFloat(fontSize) === 0 || fontFamily.includes("Mono")) continue;
      if (![13, 15, 16, 24, 26, 28].some((size) => Math.abs(size - parseFloat(fontSize)) < 0.1))
        complaints.push(`${name(el)} is ${fontSize} high`);
      if (!["400", "550", "650"].includes(fontWeight)) complaints.push(`${name(el)} weighs ${fontWeight}`);
    }
    for (const el of all(".btn").filter((el) => el.getClientRects().length === 1))
      if (![30, 36].some((height) => Math.abs(height - el.offsetHeight) <= 1))
        complaints.push(`${name(el)} is ${el.offsetHeight} px high`);
    for (const el of all(":is(.panel, .lines) :is(.panel, .lines)")) complaints.push(`${name(el)} is a card in a card`);
    const primary = all("main .primary");
    if (primary.length > 1) complaints.push(`${primary.length} green buttons`);
    return complaints;
  };

  const paper = () => {
    const complaints = [...document.querySelectorAll("nav, button, .btn, .theme, .skip, input[type=submit], noscript")]
      .filter(shown)
      .map((el) => `${name(el)} is printed`);
    if (
      getComputedStyle(document.body).colorScheme !== "light" &&
      getComputedStyle(document.documentElement).colorScheme !== "light"
    )
      complaints.push("paper is dark");
    return complaints;
  };

  // What a screen reader calls it: by a reference, a label, or what is in it.
  const words = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE || node.ariaHidden === "true" || !node.checkVisibility()) return "";
    return [...node.childNodes].map(words).join("");
  };
  const call = (el) => {
    const given = el
      .getAttribute("aria-labelledby")
      ?.split(/\s+/)
      .map((id) => words(document.getElementById(id)));
    const own = given?.join(" ") ?? el.ariaLabel ?? [...(el.labels?.length ? el.labels : [el])].map(words).join(" ");
    return own.replace(/\s+/g, " ").trim();
  };
  const around = (el) => {
    const parts = [];
    for (let part = el.parentElement; part; part = part.parentElement) {
      if (part.matches("fieldset")) parts.push(words(part.querySelector("legend") ?? part));
      if (part.matches("[aria-label], [aria-labelledby]")) parts.push(call(part));
    }
    return parts.join();
  };
  const isHeard = (el) => shown(el) && !el.closest("[aria-hidden=true]");
  // A list of all links or all buttons is how many people read a page: each makes sense there, alone.
  const names = () => {
    const complaints = [];
    const every = [...document.querySelectorAll("*")];
    const place = (el) => `number ${every.indexOf(el)}`;
    const kinds = {
      "a[href]": (el) => [call(el), el.href],
      "summary, button:not([type=submit])": (el) => [call(el), place(el)],
      "button[type=submit]": (el) => [call(el), `${el.form?.action} ${el.name} ${el.value}`],
      "input:not([type=hidden]), select, textarea": (el) => [`${around(el)} ${call(el)}`, place(el)],
    };
    for (const [selector, tell] of Object.entries(kinds)) {
      const known = new Map();
      for (const el of [...document.querySelectorAll(selector)].filter(isHeard)) {
        const [called, target] = tell(el);
        if (!/\p{L}/u.test(called)) complaints.push(`${name(el)} is called "${called}"`);
        if (known.has(called) && known.get(called) !== target)
          complaints.push(`"${called}" is the name of two things: ${known.get(called)} and ${target}`);
        known.set(called, target);
        if (el.type === "radio" && call(el).length > 100) complaints.push(`"${called}" is a description, and no name`);
      }
    }
    for (const table of [...document.querySelectorAll("table")].filter(isHeard))
      if (!words(table.caption ?? new Text()).trim()) complaints.push(`${name(table)} has no caption`);
    const isRefused = Boolean(document.querySelector("[aria-invalid=true], .summary[role=alert]"));
    if (document.title.startsWith("Error:") !== isRefused) complaints.push(`the title is "${document.title}"`);
    return complaints;
  };

  return { order, watchFocus, focusComplaints, set, fit, borders, paper, names, sheet };
})();
undefined;
