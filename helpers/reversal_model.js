// The model to type words into: what one sees of reversal_network.js.
const EOS = 0, A = 65, TRAINED_ON = 10, PAUSE = 450;
const spell = (token) => (token === EOS ? "<eos>" : String.fromCharCode(A - 1 + token));
const percent = (share) => Math.round(100 * share);

const enhance = (host, model) => {
  let word = host.dataset.word, forced = {}, written = [], shown = 0, timer = null, notes = [];

  const input = make("input", { type: "text", value: word, autocomplete: "off", spellcheck: false, oninput: () => read(input.value) });
  input.setAttribute("autocapitalize", "characters");
  const field = make("label", { className: "field" }, say("type"), input);
  const examples = say("examples").split(" ").map((each) => make("button", { type: "button", onclick: () => read((input.value = each)) }, each));
  const back = button("back", () => go(shown - 1));
  const next = button("next", () => go(shown + 1));
  const play = button("play", () => (timer ? go(shown) : start(shown < word.length ? shown : 0)));
  const undo = button("undo", () => force({}, 0));
  const says = make("p", { className: "says" });
  says.setAttribute("role", "status");
  const head = make("tr"), body = make("tbody");
  const table = make("table", {}, make("caption", {}, say("table")), make("thead", {}, head), body);
  const frame = make("div", { className: "table", tabIndex: 0 }, table);
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", say("table"));

  const called = (place) =>
    word.indexOf(word[place]) === word.lastIndexOf(word[place]) ? word[place] : say("place", { token: word[place], place: place + 1 });

  const read = (text) => {
    const letters = [...text.toUpperCase()];
    const outside = [...new Set(letters.filter((letter) => !/^[A-Z]$/.test(letter)))];
    const known = letters.filter((letter) => /^[A-Z]$/.test(letter));
    word = known.slice(0, MOST).join("");
    notes = [];
    if (outside.length) notes.push(say("outside", { left_out: outside.map((letter) => (letter.trim() ? letter : "␣")).join(" ") }));
    if (known.length > MOST) notes.push(say("too_long", { most: MOST }));
    force({}, 0);
  };

  // Whatever was forced, the model goes on from there by itself.
  const force = (letters, from) => {
    forced = letters;
    written = !word ? [] : model.write([...word].map((letter) => letter.charCodeAt(0) - A + 1), forced);
    draw();
    start(from);
  };

  const go = (to) => {
    clearTimeout(timer);
    timer = null;
    shown = Math.min(Math.max(to, 0), word.length);
    show();
  };

  // One letter after the other, or all at once for those who asked for less motion.
  const start = (from) => {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return go(word.length);
    go(from);
    const on = () => {
      go(shown + 1);
      if (shown < word.length) wait();
    };
    const wait = () => {
      timer = setTimeout(on, PAUSE);
      show();
    };
    if (from < word.length) wait();
  };

  const row = ({ token, own, likely, weights }, place) => {
    const options = likely.map((share, each) => make("option", { value: each, selected: each === token }, spell(each)));
    const change = () => {
      force({ ...forced, [place]: +letter.value }, place + 1);
      // The rows are new.
      body.rows[place].querySelector("select").focus();
    };
    const letter = make("select", { onchange: change }, ...options.slice(EOS + 1), ...(token === EOS || own === EOS ? [options[EOS]] : []));
    letter.setAttribute("aria-label", say("letter", { place: place + 1 }));
    const name = make("th", { scope: "row" }, letter);
    name.classList.toggle("forced", place in forced);
    const cells = weights.map((weight, from) => {
      const cell = make("td", {}, make("span", {}, weight.toFixed(2)));
      cell.style.setProperty("--tint", `${60 * weight}%`);
      cell.classList.toggle("right", from === word.length - 1 - place);
      cell.classList.toggle("some", weight >= 0.05);
      return cell;
    });
    const isRight = spell(token) === word[word.length - 1 - place];
    return make("tr", { className: isRight ? "" : "mistake" }, name, ...cells, make("td", { className: "sure" }, say("sure_of", { share: percent(likely[own]) })));
  };

  const draw = () => {
    const letters = [...word].map((letter) => make("th", { scope: "col" }, letter));
    head.replaceChildren(make("th", { scope: "col", className: "corner" }, say("corner")), ...letters, make("th", { scope: "col", className: "sure" }, say("sure")));
    body.replaceChildren(...written.map(row));
  };

  const verdict = () => {
    const answer = written.map(({ token }) => spell(token)).join("");
    const right = [...word].reverse().join("");
    const wrong = written.filter(({ token }, place) => spell(token) !== right[place]).length;
    const values = { word, written: answer, right, wrong, length: word.length };
    const parts = [say(wrong ? "wrong" : "right", values)];
    const count = Object.entries(forced).filter(([place, token]) => written[place].own !== token).length;
    if (count) parts.push(say("forced_note", { forced: count }));
    if (word.length !== TRAINED_ON) parts.push(say("length", { length: word.length }));
    return parts;
  };

  const step = () => {
    const place = shown - 1;
    const { token, own, likely, weights } = written[place];
    const most = weights.indexOf(Math.max(...weights));
    return say(token === own ? "step" : "forced", {
      place: shown, length: word.length, token: spell(token), own: spell(own), share: percent(likely[own]), where: called(most), weight: weights[most].toFixed(2),
    });
  };

  const show = () => {
    [...body.rows].forEach((each, place) => {
      each.classList.toggle("later", place >= shown);
      each.classList.toggle("current", place === shown - 1);
    });
    table.hidden = !word;
    allow(back, shown > 0);
    allow(next, shown < word.length);
    play.textContent = say(timer ? "pause" : "play");
    allow(undo, Object.keys(forced).length > 0);
    const now = !word ? [say("empty")] : !shown ? [say("start", { word })] : [step(), ...(shown === word.length ? verdict() : [])];
    says.replaceChildren(...[...notes, ...now].map((each) => make("span", {}, each)));
  };

  keepKeys(host);
  const caption = host.querySelector("em").textContent;
  const figure = make(
    "figure",
    {},
    make("div", { className: "entry" }, field, make("div", { className: "examples" }, say("try"), ...examples)),
    frame,
    make("div", { className: "steps" }, back, next, play, undo, says),
    make("p", { className: "hint" }, say("hint")),
    make("figcaption", {}, caption),
  );
  host.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), figure);
  host.replaceChildren();
  followTheme(host);
  force({}, word.length);
};

for (const host of document.querySelectorAll(".reversal-model")) if (!host.shadowRoot) enhance(host, network(readWeights(WEIGHTS)));
