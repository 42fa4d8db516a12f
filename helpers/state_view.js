// Makes of each table of states on the page a view to step through.
const PAUSE = 900;

const enhance = (host) => {
  const table = host.querySelector("table");
  const rows = [...table.tBodies[0].rows];
  let shown = rows.length - 1, timer = null;

  const back = button("back", () => go(shown - 1));
  const next = button("next", () => go(shown + 1));
  const play = button("play", () => (timer ? go(shown) : start()));
  const says = make("p", { className: "says" });
  says.setAttribute("role", "status");

  const show = () => {
    rows.forEach((row, step) => {
      row.classList.toggle("later", step > shown);
      row.classList.toggle("current", step === shown);
    });
    says.textContent = rows[shown].dataset.says;
    play.textContent = say(timer ? "pause" : "play");
    allow(back, shown > 0);
    allow(next, shown < rows.length - 1);
  };
  const go = (to) => {
    clearTimeout(timer);
    timer = null;
    shown = Math.min(Math.max(to, 0), rows.length - 1);
    show();
  };

  // One letter after the other; for those who asked for less motion the buttons alone move it.
  const start = () => {
    go(0);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const wait = () => {
      timer = setTimeout(on, PAUSE);
      show();
    };
    const on = () => {
      go(shown + 1);
      if (shown < rows.length - 1) wait();
    };
    wait();
  };

  keepKeys(host);
  const frame = make("div", { className: "table", tabIndex: 0 }, table);
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", say("table"));
  const caption = make("figcaption", {}, host.querySelector("em").textContent);
  const steps = make("div", { className: "steps" }, back, next, play, says);
  const figure = make("figure", {}, frame, steps, make("p", { className: "hint" }, say("hint")), caption);
  host.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), figure);
  host.replaceChildren();
  followTheme(host);
  show();
  addEventListener("beforeprint", () => go(rows.length - 1));
};

for (const host of document.querySelectorAll(".state-view")) if (!host.shadowRoot) enhance(host);
