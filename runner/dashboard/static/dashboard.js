"use strict";
// Keeps an open page up to date: the server tells that something changed, and the parts marked
// data-fresh are read anew from the page's own address. Without this script a reload does it.
(() => {
  const told = document.getElementById("live");
  const stream = document.body.dataset.live;
  const ahead = Number(document.body.dataset.now) - Date.now();
  let waits = false;
  let reads = false;

  function say(text) {
    if (told && told.textContent !== text) told.textContent = text;
  }

  function clock() {
    return new Date(Date.now() + ahead).toISOString().slice(11, 19);
  }

  function span(ms) {
    if (ms <= 0) return "ran out";
    const seconds = Math.ceil(ms / 1000);
    return (seconds >= 120 ? Math.round(seconds / 60) + " min" : seconds + " s") + " left";
  }

  function tick() {
    for (const each of document.querySelectorAll("[data-until]")) {
      const left = Number(each.dataset.until) - Date.now() - ahead;
      if (each.tagName === "METER") each.value = Math.max(left, 0);
      else each.textContent = span(left);
    }
  }

  // what somebody types in, marks or moves through with the keyboard is left alone
  function busy(part) {
    const chosen = document.getSelection();
    const marked = chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode);
    return marked || part.contains(document.activeElement);
  }

  function take(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const part of document.querySelectorAll("[data-fresh]")) {
      const now = page.getElementById(part.id);
      if (now && !busy(part) && now.innerHTML !== part.innerHTML) part.replaceWith(now);
    }
    tick();
  }

  async function read() {
    if (reads) { waits = true; return; }
    if (document.hidden) { waits = true; return; }
    reads = true;
    waits = false;
    try {
      const answer = await fetch(location.href, { headers: { "X-Fragment": "1" }, credentials: "same-origin" });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.ok) { take(await answer.text()); say("live, " + clock() + " UTC"); }
    } catch {
      say("not live: no connection");
    }
    setTimeout(() => { reads = false; if (waits) read(); }, 1000);
  }

  if (told && stream) {
    setInterval(tick, 1000);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) read(); });
    const source = new EventSource(stream);
    source.addEventListener("open", () => say("live, " + clock() + " UTC"));
    source.addEventListener("changed", read);
    source.addEventListener("beat", read);
    source.addEventListener("error", () => {
      say("not live: trying again");
      // closed for good: logged out, or too many pages are open
      if (source.readyState === EventSource.CLOSED) setInterval(read, 10000);
    });
  }
})();
