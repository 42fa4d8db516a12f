// Makes of each table of weights on the page a view to point at. Python puts attention_view.css in the place of the
// word STYLE, drops the lines that are comments, and puts the script after each view: it must be able to run many times.
(() => {
  const SHAPES = "http://www.w3.org/2000/svg";

  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const shape = (tag, attributes) => {
    const node = document.createElementNS(SHAPES, tag);
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    return node;
  };

  // The table is where tokens and weights come from, so that it can't say anything else than the picture.
  const read = (table) => ({
    name: table.caption.textContent,
    elsewhere: table.querySelectorAll(".elsewhere").length,
    sources: [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent),
    targets: [...table.tBodies[0].rows].map((row) => row.cells[0].textContent),
    weights: [...table.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => +cell.textContent)),
  });

  const chooser = (name, label, options, onchange) => {
    const inputs = options.map((_, index) => make("input", { type: "radio", name, value: index, onchange }));
    const labels = options.map((content, index) => make("label", {}, inputs[index], content));
    const fieldset = make("fieldset", { className: name }, make("legend", {}, label), make("div", {}, ...labels));
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

  const enhance = (host) => {
    const tables = [...host.querySelectorAll("table")];
    const heads = tables.map(read);
    const { sources, targets, elsewhere } = heads[0];
    const caption = host.querySelector("p").textContent;
    let head = 0, step = 0, pointed = null;

    const written = chooser("targets", "target (queries)", targets.map((token) => make("span", {}, token)), (event) => go(+event.target.value));
    const choice = chooser("heads", "whose weights", heads.map((each) => make("span", {}, thumbnail(each), each.name)), (event) => {
      head = +event.target.value;
      show();
    });
    const places = sources.map((token) => make("li", {}, make("span", {}, token), make("b")));
    if (elsewhere) places.at(-1).className = "elsewhere";
    const sourceLabel = make("p", { className: "legend", id: "source" }, "source (keys)");
    const list = make("ol", {}, ...places);
    list.setAttribute("aria-labelledby", "source");
    const lines = shape("svg", { class: "lines", "aria-hidden": "true" });
    const back = make("button", { type: "button", onclick: () => go(step - 1) }, "‹ Back");
    const next = make("button", { type: "button", onclick: () => go(step + 1) }, "Next ›");
    const says = make("p", { className: "says" });
    says.setAttribute("role", "status");
    const hint = make("p", { className: "hint" }, "Point at a target word, or choose one and go on with the arrow keys. Dashed words are still to come.");
    const stage = make("div", { className: "stage" }, written.fieldset, make("div", { className: "sources" }, sourceLabel, list));
    stage.prepend(lines);
    const all = make("details", {}, make("summary", {}, "All weights as a table"), make("div", { tabIndex: 0, className: "table" }, ...tables));
    all.lastChild.setAttribute("role", "group");
    all.lastChild.setAttribute("aria-label", "table of weights");

    const go = (to) => {
      step = Math.min(Math.max(to, 0), targets.length - 1);
      pointed = null;
      show();
    };

    // "E" alone doesn't say which E.
    const called = (index) => {
      const again = sources.indexOf(sources[index]) !== sources.lastIndexOf(sources[index]);
      return sources[index] + (again ? ` (place ${index + 1})` : "");
    };

    const show = () => {
      const current = pointed ?? step;
      const row = heads[head].weights[current];
      written.inputs[step].checked = choice.inputs[head].checked = true;
      written.labels.forEach((label, index) => {
        label.classList.toggle("current", index === current);
        label.classList.toggle("later", index > current);
      });
      places.forEach((place, index) => {
        // Not the full colour: black ink, or white on a dark page, has to stand out from it.
        place.style.setProperty("--tint", `${60 * row[index]}%`);
        place.lastChild.textContent = row[index] ? row[index].toFixed(2) : "";
      });
      const shown = row.slice(0, row.length - elsewhere).map((weight, index) => ({ weight, index }));
      const largest = shown.filter((each) => each.weight).sort((a, b) => b.weight - a.weight).slice(0, 3);
      const looks = largest.map(({ weight, index }) => `${called(index)} ${weight.toFixed(2)}`).join(", ") || "nothing";
      const rest = elsewhere && row.at(-1) ? `; elsewhere ${row.at(-1).toFixed(2)}` : "";
      says.replaceChildren(`Step ${current + 1} of ${targets.length}: `, make("b", {}, targets[current]), ` looks at ${looks}${rest}`);
      // Not `disabled`, which would throw whoever pressed the button by keyboard out of it.
      back.setAttribute("aria-disabled", step === 0);
      next.setAttribute("aria-disabled", step === targets.length - 1);
      tables.forEach((table, index) => {
        table.hidden = index !== head;
        [...table.tBodies[0].rows].forEach((each, at) => each.classList.toggle("current", at === current));
      });
      draw();
    };

    // From the target word to its source words, and faintly those of the steps before.
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
      const from = written.labels.map((label) => ends(label.lastChild, true));
      const to = places.map((place) => ends(place.firstChild, false));
      const [a, b] = columns ? [[from[0][0], 0], [to[0][0], 0]] : [[0, from[0][1]], [0, to[0][1]]];
      const colours = shape("linearGradient", { id: "gaze", gradientUnits: "userSpaceOnUse", x1: a[0], y1: a[1], x2: b[0], y2: b[1] });
      colours.append(shape("stop", { offset: 0.15, class: "query" }), shape("stop", { offset: 0.85, class: "key" }));
      lines.replaceChildren(colours);
      const current = pointed ?? step;
      for (let target = 0; target <= current; target++) {
        heads[head].weights[target].forEach((weight, source) => {
          if (!weight || (target < current && weight < 0.1)) return;
          const [[x, y], [u, v]] = [from[target], to[source]];
          const bend = columns ? `${(x + u) / 2} ${y} ${(x + u) / 2} ${v}` : `${x} ${(y + v) / 2} ${u} ${(y + v) / 2}`;
          const path = shape("path", { d: `M${x} ${y}C${bend} ${u} ${v}`, "stroke-width": 1 + 7 * weight });
          path.setAttribute("class", target < current ? "before" : "now");
          path.style.strokeOpacity = (target < current ? 0.3 : 1) * (0.25 + 0.75 * weight);
          lines.append(path);
        });
      }
    };

    // Words stand side by side if there is room for all of them, and otherwise below one another.
    const arrange = () => {
      stage.classList.remove("columns");
      stage.classList.toggle("columns", stage.scrollWidth > stage.clientWidth);
      draw();
    };

    written.labels.forEach((label, index) => {
      // A finger taps, and what it taps is chosen; only a mouse can point without choosing.
      label.onpointerenter = (event) => {
        if (event.pointerType !== "mouse") return;
        pointed = index;
        show();
      };
      label.onpointerleave = () => {
        pointed = null;
        show();
      };
    });

    // In JupyterLab the arrow keys would move from cell to cell, and a letter may delete one. With Ctrl or ⌘ keys are its.
    const keep = (event) => host.toggleAttribute("data-lm-suppress-shortcuts", !event.ctrlKey && !event.metaKey);
    addEventListener("keydown", keep, { capture: true });
    const root = host.attachShadow({ mode: "open" });
    const figure = make("figure", {}, stage, make("div", { className: "steps" }, back, next, says), hint, all, make("figcaption", {}, caption));
    if (heads.length > 1) figure.prepend(choice.fieldset);
    root.append(make("style", {}, STYLE), figure);
    host.replaceChildren();
    show();
    new ResizeObserver(arrange).observe(figure);
    addEventListener("beforeprint", () => (all.open = true));
  };

  for (const host of document.querySelectorAll(".attention-view")) if (!host.shadowRoot) enhance(host);
})();
