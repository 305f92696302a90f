// When live parts ask for themselves again, what is known of the connection, and times that age.
"use strict";
(() => {
  const PAUSES = [2, 3, 5, 10, 15]; // seconds between polls, while nothing changes
  const SOON_FOR = 15; // seconds before these in which a part asks as often as it says, where it may change any moment
  const HIDDEN_PAUSE = 30; // seconds, in a hidden tab, where somebody waits
  const LIVE = "[data-hx-trigger=poll]";
  const parts = new WeakMap(); // element -> { quiet: polls without news, timer, asking }
  let signedOut = false;

  const findAll = () => document.querySelectorAll(LIVE);
  const stateOf = (part) => parts.get(part) ?? parts.set(part, { quiet: 0 }).get(part);

  function findPause(part) {
    if (signedOut || !part.isConnected || !part.matches(LIVE)) return null; // its end
    const soon = Number(part.dataset.soon ?? 0);
    const early = soon ? Math.ceil(SOON_FOR / soon) : 0; // polls
    const quiet = stateOf(part).quiet;
    const pause = quiet < early ? soon : Math.max(PAUSES[quiet - early] ?? PAUSES.at(-1), part.dataset.pause);
    if (!document.hidden) return pause;
    return "awaited" in part.dataset ? Math.max(pause, HIDDEN_PAUSE) : null;
  }

  function plan(part, seconds = findPause(part)) {
    const state = stateOf(part);
    clearTimeout(state.timer);
    if (seconds === null) return;
    state.timer = setTimeout(() => {
      if (!state.asking) htmx.trigger(part, "poll", {}, false);
      plan(part);
    }, seconds * 1000);
  }

  function wake() {
    for (const part of findAll()) {
      if (!document.hidden) stateOf(part).quiet = 0;
      plan(part, document.hidden || signedOut ? undefined : 0);
    }
  }

  function say(words, headers) {
    const place = document.getElementById("connection");
    for (const line of place.children) line.hidden = line.dataset.when !== words;
    if (words === "out") place.querySelector("a").href = headers.get("HX-Redirect");
    if (words) return;
    const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: place.dataset.zone });
    const now = clock.format(new Date(headers.get("Date")));
    for (const time of place.querySelectorAll("time")) time.textContent = now;
  }

  const listen = (name, react) => document.addEventListener(`htmx:${name}`, (event) => react(event.detail.ctx, event));

  listen("before:request", (ctx) => {
    stateOf(ctx.sourceElement).asking = true;
  });

  // Instead of the sign-in page, which would take what somebody has typed.
  listen("before:response", (ctx, event) => {
    if (ctx.response.status !== 401) return;
    event.preventDefault();
    signedOut = true;
    say("out", ctx.response.headers);
  });

  listen("finally:request", (ctx) => {
    const state = stateOf(ctx.sourceElement);
    const status = ctx.response?.status;
    state.asking = false;
    state.quiet = status === 200 ? 0 : state.quiet + 1;
    if (!signedOut) say(status < 400 ? "" : status === 503 ? "away" : "lost", ctx.response?.headers);
    plan(ctx.sourceElement);
    for (const part of findAll()) if (!parts.has(part)) plan(part);
  });

  // Times of today, as the server says them and by its clock: of all parts the newest tells how far this one is ahead.
  const ago = new Intl.RelativeTimeFormat("en-GB");
  let ahead = Infinity; // seconds

  function age() {
    const now = Date.now() / 1000;
    const times = document.querySelectorAll("time[data-now]");
    for (const time of times) ahead = Math.min(ahead, now - time.dataset.now);
    for (const time of times) {
      const minutes = Math.floor((now - ahead - Date.parse(time.dateTime) / 1000) / 60);
      if (minutes >= 60) time.textContent = ago.format(-Math.floor(minutes / 60), "hour");
      else if (minutes > 0) time.textContent = ago.format(-minutes, "minute");
    }
  }

  // What is left of a pause; when nothing is, the page asks what is now.
  const ends = new WeakMap(); // element -> { said: seconds by the server, at: when it ends, by performance.now() }

  function count() {
    for (const place of document.querySelectorAll("[data-left]")) {
      const said = place.dataset.left;
      if (ends.get(place)?.said !== said) ends.set(place, { said, at: performance.now() + said * 1000 });
      const left = Math.max(0, Math.ceil((ends.get(place).at - performance.now()) / 1000));
      const minutes = Math.floor(left / 60);
      const rest = `${left % 60} s`;
      const words = left ? `In ${minutes ? `${minutes} min ${rest.padStart(4, "0")}` : rest}.` : "It has ended.";
      if (!left && place.textContent !== words) wake();
      place.textContent = words;
    }
  }

  age();
  setInterval(age, 15_000);
  count();
  setInterval(count, 1000);
  for (const name of ["online", "offline"]) addEventListener(name, wake);
  document.addEventListener("visibilitychange", wake);
  for (const part of findAll()) plan(part);
  // "Back" may bring a page as it was left, whose tiles would repeat their requests.
  addEventListener("pageshow", (event) => event.persisted && document.querySelector(".tile") && location.reload());
})();
