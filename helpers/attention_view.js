// Makes of each table of weights on the page a view to point at.

// The table is where tokens and weights come from, so that it can't say anything else than the picture.
const read = (table) => ({
  name: table.caption.textContent,
  sources: [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent),
  targets: [...table.tBodies[0].rows].map((row) => row.cells[0].textContent),
  weights: [...table.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => +cell.textContent)),
});

const chooser = (name, label, options, onchange) => {
  const inputs = options.map((_, index) => make("input", { type: "radio", name, value: index, onchange: () => onchange(index) }));
  const labels = options.map((contents, index) => make("label", {}, inputs[index], ...contents));
  const fieldset = make("fieldset", { className: name }, make("legend", {}, ...label), make("div", {}, ...labels));
  return { fieldset, inputs, labels };
};

const thumbnail = ({ weights, sources, targets }) => {
  const picture = shape("svg", { viewBox: `0 0 ${sources.length} ${targets.length}`, "aria-hidden": "true" });
  weights.forEach((row, y) =>
    row.forEach((weight, x) => {
      if (weight) picture.append(shape("rect", { x, y, width: 1, height: 1, "fill-opacity": weight }));
    }),
  );
  return picture;
};

const legend = (key) => [make("em", { className: "swatch drawn" }), make("small", { className: "drawn" }, say(key))];
const chip = (token) => make("span", { className: "drawn" }, token);
const number = (tag) => make(tag, { className: "drawn", ariaHidden: tag !== "b" });
const joined = (tokens) => tokens.join(tokens.every((token) => [...token].length === 1) ? "" : " ");

const enhance = (host) => {
  const tables = [...host.querySelectorAll("table")];
  const hiddenIn = (table) => table.closest("[data-without]")?.dataset.without;
  // What the model wrote with all source words, first, and with one of them hidden.
  const versions = [...new Set(tables.map(hiddenIn))].map((hidden) => {
    const its = tables.filter((table) => hiddenIn(table) === hidden);
    const heads = its.map(read);
    return { hidden: hidden && +hidden, tables: its, heads, targets: heads[0].targets };
  });
  const { sources } = versions[0].heads[0];
  const elsewhere = host.querySelectorAll("table .elsewhere").length > 0;
  // The last column may be no word.
  const words = sources.length - elsewhere;
  const caption = host.querySelector("p").textContent;

  // What is looked at: a step of a head of a version, or, if `source` is a place, all steps from there.
  let version = 0, head = 0, step = 0, source = null, pointed = null, frozen = null, threshold = 0;

  const rowOf = (at) => versions[at.version].heads[at.head].weights[at.step];
  const seen = (weight) => weight > 0 && weight >= threshold;
  // "E" alone doesn't say which E.
  const called = (tokens, index) =>
    tokens.indexOf(tokens[index]) === tokens.lastIndexOf(tokens[index]) ? tokens[index] : say("place", { token: tokens[index], place: index + 1 });

  let written;
  const write = () => {
    const { targets } = versions[version];
    const fresh = chooser("targets", legend("target"), targets.map((token) => [chip(token), number("i")]), go);
    written?.fieldset.replaceWith(fresh.fieldset);
    written = fresh;
    written.labels.forEach((label, index) => {
      label.classList.toggle("changed", version > 0 && targets[index] !== versions[0].targets[index]);
      pointing(label, { step: index });
    });
  };
  const pointing = (node, what) => {
    // A finger taps, and what it taps is chosen; only a mouse can point without choosing.
    node.onpointerenter = (event) => {
      if (event.pointerType !== "mouse") return;
      pointed = what;
      show();
    };
    node.onpointerleave = () => {
      pointed = null;
      show();
    };
  };

  const go = (to) => {
    step = Math.min(Math.max(to, 0), versions[version].targets.length - 1);
    source = pointed = null;
    show();
  };
  const goBack = () => {
    source = pointed = null;
    show();
  };

  const choice = chooser("heads", [say("heads")], versions[0].heads.map((each) => [make("span", {}, thumbnail(each), each.name)]), (to) => {
    head = to;
    show();
  });
  const asked = [];
  const places = sources.map((token, index) => {
    const numbers = [number("b"), number("i")];
    if (index >= words) return make("li", { className: "elsewhere" }, make("div", {}, chip(token)), ...numbers);
    // What a handler returns must not be false: the browser would then do nothing itself, such as move the focus.
    let again = false;
    const input = make("input", {
      type: "radio",
      name: "sources",
      onpointerdown: () => {
        again = source === index;
      },
      onclick: () => {
        if (again) goBack();
        again = false;
      },
      onchange: () => {
        // A click that has undone the choice is a change as well.
        if (!input.checked) return;
        source = index;
        show();
      },
    });
    const label = make("label", {}, input, chip(token));
    asked.push(input);
    pointing(label, { source: index });
    return make("li", {}, label, ...numbers);
  });
  const chips = places.map((place) => place.querySelector("span"));
  const sourceLabel = make("p", { className: "legend", id: "source" }, ...legend("source"));
  const onkeydown = (event) => {
    if (event.key === "Escape") goBack();
  };
  const list = make("ol", { onkeydown }, ...places);
  list.setAttribute("aria-labelledby", "source");
  const lines = shape("svg", { class: "lines", "aria-hidden": "true" });

  const back = button("back", () => go(step - 1));
  const next = button("next", () => go(step + 1));
  const says = make("p", { className: "says" });
  says.setAttribute("role", "status");
  const freeze = button("freeze", () => {
    frozen = frozen ? null : { version, head, step };
    show();
  });
  const hide = button("hide", () => {
    const found = version ? 0 : versions.findIndex((each) => each.hidden === source);
    if (found < 0 || (!version && source === null)) return;
    version = found;
    step = Math.min(step, versions[version].targets.length - 1);
    source = null;
    write();
    show();
  });
  const cut = make("span", { className: "cut" });
  const slider = make("input", {
    type: "range", min: 0, max: 0.5, step: 0.01, value: 0,
    oninput: (event) => {
      threshold = +event.target.value;
      show();
    },
  });
  const above = make("label", { className: "threshold" }, say("threshold"), slider, cut);
  const picture = () => snapshot(stage, [...says.children, { textContent: caption }].map((part) => part.textContent));
  const saves = [
    button("save_svg", () => saveSvg(picture(), "attention.svg")),
    button("save_png", () => savePng(picture(), "attention.png")),
  ];

  const stage = make("div", { className: "stage" });
  write();
  stage.append(lines, written.fieldset, make("div", { className: "sources" }, sourceLabel, list));
  const all = make("details", {}, make("summary", {}, say("table")), make("div", { tabIndex: 0, className: "table" }, ...tables));
  all.lastChild.setAttribute("role", "group");
  all.lastChild.setAttribute("aria-label", say("table_name"));

  // The three largest, in words.
  const largest = (weights, tokens, none) => {
    const shown = tokens.map((_, index) => ({ weight: weights[index], index })).filter((each) => seen(each.weight));
    const named = shown.sort((a, b) => b.weight - a.weight).slice(0, 3).map(({ weight, index }) => `${called(tokens, index)} ${weight.toFixed(2)}`);
    return named.join(", ") || (threshold ? say(`${none}_above`, { threshold: threshold.toFixed(2) }) : say(none));
  };
  const rest = (row) => (elsewhere && seen(row.at(-1)) ? say("rest", { weight: row.at(-1).toFixed(2) }) : "");
  const looks = (row) => largest(row, sources.slice(0, words), "nothing") + rest(row);

  // Which row is frozen, as far as it isn't the same now.
  const nameOfFrozen = () => {
    let token = called(versions[frozen.version].targets, frozen.step);
    if (frozen.head !== head) token = say("with_head", { token, head: versions[0].heads[frozen.head].name });
    if (frozen.version === version) return token;
    const { hidden } = versions[frozen.version];
    return hidden === undefined ? say("with_all", { token }) : say("with_hidden", { token, hidden: called(sources, hidden) });
  };

  const sentences = (column, current) => {
    const { targets, heads, hidden } = versions[version];
    const parts = [];
    if (column === null) {
      const at = say("step", { step: current + 1, steps: targets.length });
      parts.push([at, make("b", {}, targets[current]), say("looks", { what: looks(heads[head].weights[current]) })]);
    } else {
      const weights = heads[head].weights.map((row) => row[column]);
      parts.push([make("b", {}, called(sources, column)), say("looked_at", { what: largest(weights, targets, "nobody") })]);
    }
    if (frozen) parts.push([say("frozen", { token: nameOfFrozen(), what: looks(rowOf(frozen)) })]);
    if (version) {
      const [now, before] = [joined(targets), joined(versions[0].targets)];
      parts.push([say(now === before ? "without_same" : "without", { token: called(sources, hidden), written: now, before })]);
    }
    return parts.map((part) => make("span", {}, ...part));
  };

  const show = () => {
    const column = pointed ? (pointed.source ?? null) : source;
    const current = pointed?.step ?? step;
    const { weights } = versions[version].heads[head];
    const { hidden } = versions[version];
    const row = column === null ? weights[current] : null;
    written.inputs[step].checked = choice.inputs[head].checked = true;
    asked.forEach((input, index) => (input.checked = index === source));
    written.labels.forEach((label, index) => {
      const weight = column === null ? 0 : weights[index][column];
      label.classList.toggle("current", !!row && index === current);
      label.classList.toggle("later", !!row && index > current);
      label.style.setProperty("--tint", `${seen(weight) ? 60 * weight : 0}%`);
      label.lastChild.textContent = seen(weight) ? weight.toFixed(2) : "";
    });
    const kept = frozen ? rowOf(frozen) : [];
    places.forEach((place, index) => {
      const weight = row ? row[index] : 0;
      place.classList.toggle("current", index === column);
      place.classList.toggle("hidden", index === hidden);
      // Not the full colour: black ink, or white on a dark page, has to stand out from it.
      place.style.setProperty("--tint", `${seen(weight) ? 60 * weight : 0}%`);
      const [now, before] = place.querySelectorAll("b, i");
      now.textContent = seen(weight) ? weight.toFixed(2) : "";
      before.textContent = seen(kept[index]) ? kept[index].toFixed(2) : "";
    });
    stage.classList.toggle("frozen", !!frozen);
    says.replaceChildren(...sentences(column, current));
    cut.textContent = threshold.toFixed(2);
    allow(back, step > 0);
    allow(next, step < versions[version].targets.length - 1);
    freeze.ariaPressed = !!frozen;
    hide.ariaPressed = version > 0;
    const hideable = source !== null && versions.some((each) => each.hidden === source);
    allow(hide, version > 0 || hideable);
    const target = version ? hidden : hideable ? source : null;
    hide.textContent = target === null ? say("hide") : say("hide_this", { token: called(sources, target) });
    tables.forEach((table) => {
      table.hidden = table !== versions[version].tables[head];
      [...table.tBodies[0].rows].forEach((each, at) => each.classList.toggle("current", !!row && at === current));
    });
    draw();
  };

  // From the target word to its source words, and faintly those of the steps before; dashed those of the frozen step.
  const draw = () => {
    const frame = stage.getBoundingClientRect();
    if (!frame.width) return;
    const columns = stage.classList.contains("columns");
    const ends = (node, before) => {
      const box = node.getBoundingClientRect();
      return columns
        ? [(before ? box.right : box.left) - frame.left, box.top + box.height / 2 - frame.top]
        : [box.left + box.width / 2 - frame.left, (before ? box.bottom : box.top) - frame.top];
    };
    const from = written.labels.map((label) => ends(label.querySelector("span"), true));
    const to = chips.map((each) => ends(each, false));
    const [a, b] = columns ? [[from[0][0], 0], [to[0][0], 0]] : [[0, from[0][1]], [0, to[0][1]]];
    const colours = shape("linearGradient", { id: "gaze", gradientUnits: "userSpaceOnUse", x1: a[0], y1: a[1], x2: b[0], y2: b[1] });
    colours.append(shape("stop", { offset: 0.15, class: "query" }), shape("stop", { offset: 0.85, class: "key" }));
    lines.replaceChildren(colours);
    const line = (kind, target, place, weight) => {
      if (!seen(weight)) return;
      const [[x, y], [u, v]] = [from[target], to[place]];
      const bend = columns ? `${(x + u) / 2} ${y} ${(x + u) / 2} ${v}` : `${x} ${(y + v) / 2} ${u} ${(y + v) / 2}`;
      const opacity = (kind === "before" ? 0.3 : 1) * (0.25 + 0.75 * weight);
      lines.append(shape("path", { class: kind, d: `M${x} ${y}C${bend} ${u} ${v}`, "stroke-width": 1 + 7 * weight, "stroke-opacity": opacity }));
    };
    const { weights } = versions[version].heads[head];
    const column = pointed ? (pointed.source ?? null) : source;
    const current = pointed?.step ?? step;
    if (column !== null) weights.forEach((row, target) => line("now", target, column, row[column]));
    else
      for (let target = frozen ? current : 0; target <= current; target++)
        weights[target].forEach((weight, place) => {
          if (target === current || weight >= 0.1) line(target === current ? "now" : "before", target, place, weight);
        });
    if (frozen && from[frozen.step]) rowOf(frozen).forEach((weight, place) => line("kept", frozen.step, place, weight));
  };

  // Words stand side by side if there is room for all of them, and otherwise below one another.
  const arrange = () => {
    stage.classList.remove("columns");
    stage.classList.toggle("columns", stage.scrollWidth > stage.clientWidth);
    draw();
  };

  keepKeys(host);
  const steps = make("div", { className: "steps" }, back, next, says);
  const tools = make("div", { className: "tools" }, freeze, ...(versions.length > 1 ? [hide] : []), above, ...saves);
  const figure = make("figure", {}, make("div", {}, stage, steps), tools, hint("point", "tap"), all, make("figcaption", {}, caption));
  if (versions.length > 1) tools.after(make("p", { className: "hint" }, say("hideable")));
  if (versions[0].heads.length > 1) figure.prepend(choice.fieldset);
  host.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), figure);
  host.replaceChildren();
  followTheme(host);
  show();
  new ResizeObserver(arrange).observe(figure);
  addEventListener("beforeprint", () => (all.open = true));
};

for (const host of document.querySelectorAll(".attention-view")) if (!host.shadowRoot) enhance(host);
