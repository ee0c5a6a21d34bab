// Times in the reader's own zone, durations that count on, and copy buttons. The pages say everything without it.
"use strict";

const Homeport = (() => {
  // durations count by the server's clock: a reader's own may be minutes off
  const ahead = Date.parse(document.documentElement.dataset.now) - Date.now();
  const now = () => Date.now() + ahead;
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });

  function ago(moment) {
    const seconds = (moment - now()) / 1000;
    if (Math.abs(seconds) > 30 * 86400) return short.format(moment);
    const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) || units[3];
    return relative.format(Math.trunc(seconds / length), unit);
  }

  function duration(seconds) {
    seconds = Math.max(0, Math.round(seconds));
    const steps = [["d", 86400, "h", 3600], ["h", 3600, "min", 60], ["min", 60, "s", 1]];
    for (const [name, length, smaller, part] of steps) {
      if (seconds < length) continue;
      const rest = Math.floor((seconds % length) / part);
      return rest ? `${Math.floor(seconds / length)} ${name} ${rest} ${smaller}` : `${Math.floor(seconds / length)} ${name}`;
    }
    return `${seconds} s`;
  }

  function showTime(element) {
    const moment = new Date(element.dateTime);
    const shown = {
      clock: () => clock.format(moment),
      full: () => (moment.getSeconds() ? full : short).format(moment),
      relative: () => ago(moment),
      both: () => `${short.format(moment)} (${ago(moment)})`,
    }[element.dataset.show]();
    if (element.textContent !== shown) element.textContent = shown;
    if (!element.title) element.title = `${full.format(moment)} · ${element.dateTime.slice(0, 19).replace("T", " ")} UTC`;
  }

  function showTimes(root) {
    root.querySelectorAll("time[data-show]").forEach(showTime);
  }

  showTimes(document);
  setInterval(() => {
    document.querySelectorAll("[data-since]").forEach((element) => {
      element.textContent = duration((now() - Date.parse(element.dataset.since)) / 1000);
    });
  }, 1000);
  setInterval(() => {
    document.querySelectorAll("time[data-show=relative], time[data-show=both]").forEach(showTime);
  }, 15000);

  // a moment is typed in the reader's own zone, and sent with its distance from UTC on that day
  document.querySelectorAll("input[type=datetime-local]").forEach((input) => {
    input.form.querySelector("[data-zone]").remove();
    input.addEventListener("input", () => {
      if (!input.value) return;
      input.form.elements.zone_minutes.value = -new Date(input.value).getTimezoneOffset();
      input.form.elements[input.dataset.picks].value = "at";
    });
  });

  if (navigator.clipboard) {
    document.querySelectorAll("[data-copy]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
    });
  }
  return { showTime, showTimes };
})();
