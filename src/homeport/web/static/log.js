// Follows a run: new lines at the end of its log, its status, and what is known when it is over.
"use strict";

(() => {
  const box = document.getElementById("lines");
  const state = document.getElementById("log-state");
  const toEnd = document.getElementById("to-end");
  const MOST_LINES = 20000;
  const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  let follows = !location.hash;
  let status = null;

  const scrollToEnd = () => { box.scrollTop = box.scrollHeight; };
  if (follows && !new URLSearchParams(location.search).has("from")) scrollToEnd();
  if (!box.dataset.follow) return;

  box.addEventListener("scroll", () => {
    follows = isAtEnd();
    toEnd.hidden = follows;
  }, { passive: true });
  toEnd.addEventListener("click", () => { follows = true; toEnd.hidden = true; scrollToEnd(); });

  function lineElement(line) {
    const row = document.createElement("div");
    const link = document.createElement("a");
    const time = document.createElement("time");
    const text = document.createElement("span");
    row.id = `L${line.line_num + 1}`;
    row.className = `line ${line.source}${line.io_stream === "stderr" ? " stderr" : ""}`;
    link.href = `#${row.id}`;
    link.textContent = line.line_num + 1;
    time.dateTime = line.reported_at;
    time.dataset.show = "clock";
    text.textContent = line.content;
    row.append(link, time, text);
    Homeport.showTime(time);
    return row;
  }

  // Lines come faster than screens are drawn: they are collected, and put into the page once per frame.
  let waiting = [];
  function flush() {
    const fragment = document.createDocumentFragment();
    waiting.forEach((line) => fragment.append(lineElement(line)));
    waiting = [];
    document.getElementById("no-lines")?.remove();
    box.append(fragment);
    const rows = box.querySelectorAll(".line");
    // nobody reads 20,000 lines in a page, and browsers become slow with more; "As text" has them all
    for (let i = 0; i < rows.length - MOST_LINES; i++) rows[i].remove();
    if (follows) scrollToEnd();
  }
  function add(line) {
    if (waiting.push(line) === 1) requestAnimationFrame(flush);
  }

  // What stands above the log is made by the server alone: it is asked for again when the status changes.
  async function refresh() {
    const answer = await fetch(`${location.pathname}?from=${Number.MAX_SAFE_INTEGER}`);
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelectorAll("[data-part]").forEach((part) => {
      const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (other) { part.replaceChildren(...other.childNodes); Homeport.showTimes(part); }
    });
  }

  let stream = null;
  let next = Number(new URL(box.dataset.follow, location.href).searchParams.get("from"));
  const address = box.dataset.follow.split("?")[0];

  function connect() {
    stream = new EventSource(`${address}?from=${next}`);
    stream.addEventListener("open", () => { state.textContent = "Following"; });
    stream.addEventListener("log", (event) => {
      const line = JSON.parse(event.data);
      if (line.line_num < next) return;
      next = line.line_num + 1;
      add(line);
    });
    stream.addEventListener("status", (event) => {
      const now = JSON.parse(event.data).status;
      if (status !== now) { status = now; refresh().catch(() => {}); }
    });
    stream.addEventListener("end", () => {
      disconnect();
      document.removeEventListener("visibilitychange", whenSeen);
      state.textContent = "End of the log";
    });
    stream.addEventListener("error", () => {
      const isGone = stream.readyState === EventSource.CLOSED;
      state.textContent = isGone ? "Not connected: reload the page" : "Connecting…";
    });
  }

  function disconnect() {
    stream?.close();
    stream = null;
  }

  // Browsers keep few connections to one server: a page that nobody sees leaves its own to the others.
  function whenSeen() {
    if (document.hidden) disconnect();
    else if (!stream) connect();
  }

  document.addEventListener("visibilitychange", whenSeen);
  whenSeen();
})();
