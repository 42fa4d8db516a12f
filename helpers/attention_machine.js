// Makes of each table of the computation a machine: numbers to change, and steps that play. Before this come
// component.js and the machine's other parts.
// Of a number that can be typed.
const LIMIT = 999;
// Pixels for half a unit.
const DRAG = 8;

const enhance = (host) => {
  // `now` is what is computed from the rest; `others` are the outputs that panels compare with it.
  const machine = { ...JSON.parse(host.dataset.given), temperature: 1, terms: "dot", now: null, others: {} };
  const { tokens, keys, values, queries, axes, valueAxes, parts, hidden } = machine;
  const caption = host.querySelector("p").textContent;
  const optional = ["scale", "mask", "temperature"].filter((part) => parts.includes(part));
  const steps = ["query", "score", ...optional, "weight", "output"];
  // The computation from left to right, or from top to bottom, and the step with which each part of it comes.
  const columns = [["key", "query"], ["score", "score"], ...optional.map((part) => [part, part]), ["weight", "weight"], ["value", "output"], ["share", "output"]];
  const tell = narrator(machine);
  let step = steps.length - 1, pointed = null, timer = null;

  const compute = () => {
    const divisor = { none: 1, root: Math.sqrt(keys[0].length), width: keys[0].length }[machine.scale];
    Object.assign(machine, { divisor, now: attend(queries[machine.query], keys, values, { ...machine, divisor }) });
  };

  // The grid. Line 0 has the names of the steps, line 1 the query, and each word a line of its own.
  const stage = make("div", { className: "stage scrolls" });
  stage.style.setProperty("--lines", tokens.length + 2);
  const place = (line, column, node, comes) => {
    node.style.setProperty("--at", line + 1);
    node.style.setProperty("--step", column + 1);
    if (comes) node.dataset.comes = steps.indexOf(comes);
    stage.append(node);
    return node;
  };

  // { input, vector, c, label }: every number that can be changed.
  const inputs = [];
  const numberInput = (vector, c, label) => {
    const input = make("input", { type: "number", step: 0.5, min: -LIMIT, max: LIMIT });
    const change = (value) => {
      vector()[c] = Math.min(Math.max(value, -LIMIT), LIMIT);
      show();
    };
    let grip = null;
    input.oninput = () => input.value !== "" && change(+input.value);
    // An input left empty gets its number back.
    input.onblur = () => show();
    input.onpointerdown = (event) => (grip = { x: event.clientX, value: vector()[c] });
    input.onpointermove = (event) => {
      if (!grip || !event.buttons) return;
      const moved = event.clientX - grip.x;
      if (!input.hasPointerCapture(event.pointerId) && Math.abs(moved) < DRAG) return;
      input.setPointerCapture(event.pointerId);
      input.value = Math.round(2 * grip.value + moved / DRAG) / 2;
      change(+input.value);
    };
    input.onpointerup = input.onpointercancel = () => (grip = null);
    inputs.push({ input, vector, c, label });
    return input;
  };
  const vectorOf = (kind, vector, names, label) => {
    const axis = (c) => names[c] ?? say("number", { place: c + 1 });
    return make("div", { className: `vector ${kind}` }, ...vector().map((_, c) => numberInput(vector, c, () => label(axis(c)))));
  };

  // What is pointed at, or tapped, or focused by key, is explained.
  const explained = (node, at) => {
    const point = (to) => {
      pointed = to;
      show();
    };
    node.onpointerenter = (event) => event.pointerType === "mouse" && point(at);
    node.onfocus = node.onclick = () => point(at);
    node.onpointerleave = (event) => event.pointerType === "mouse" && point(null);
    node.onblur = () => point(null);
    return node;
  };

  const band = place(0, 1, make("div", { className: "band" }));
  const additive = () => machine.terms === "additive";
  const title = (name) => say(name === "scale" ? `scale_${machine.scale}` : name === "score" && additive() ? "additive" : name);
  const heads = columns.map(([name, comes], index) => {
    const names = { key: axes, value: valueAxes }[name] ?? [];
    const head = make("div", { className: names.length ? "head vector" : "head" }, make("b"), ...names.map((axis) => make("small", {}, axis)));
    return place(0, index + 1, head, comes);
  });
  const column = (name) => columns.findIndex(([each]) => each === name) + 1;
  const plain = (name) => column(name) && place(1, column(name), make("div", { className: "plain" }), columns[column(name) - 1][1]);
  place(1, 0, make("div", { className: "word query" }, say("query")));
  const asking = place(1, 1, vectorOf("query", () => queries[machine.query], axes, (axis) => say("query_number", { word: called(tokens, machine.query), axis })), "query");
  const beside = { scale: plain("scale"), temperature: plain("temperature"), weight: plain("weight") };
  plain("value").append(say("output_here"));
  // Numbers that nobody changes, side by side or below one another as the values are.
  const shown = (kind) => make("div", { className: `plain vector share ${kind}` }, ...values[0].map(() => make("span")));
  const fill = (node, numbers) => numbers.forEach((each, c) => (node.children[c].textContent = written(each)));
  const output = place(1, column("share"), shown("output"), "output");

  const words = tokens.map((token, i) => {
    const line = i + 2;
    const name = called(tokens, i);
    const put = (kind, node) => place(line, column(kind), node, columns[column(kind) - 1][1]);
    const cell = { word: place(line, 0, make("div", { className: "word key" }, token)) };
    cell.key = put("key", vectorOf("key", () => keys[i], axes, (axis) => say("key_number", { word: name, axis })));
    cell.score = put("score", explained(make("button", { type: "button", className: "number" }), { step: "score", word: i }));
    for (const part of ["scale", "temperature"]) if (column(part)) cell[part] = put(part, make("div", { className: "plain" }));
    if (column("mask")) {
      const hide = () => {
        hidden[i] = !hidden[i];
        show();
      };
      cell.mask = put("mask", make("button", { type: "button", className: "number mask", ariaLabel: say("hide", { word: name }), onclick: hide }));
    }
    cell.weight = put("weight", explained(make("button", { type: "button", className: "number weight" }, make("span")), { step: "weight", word: i }));
    cell.value = put("value", vectorOf("value", () => values[i], valueAxes, (axis) => say("value_number", { word: name, axis })));
    cell.share = put("share", shown(""));
    return cell;
  });

  // Around the grid.
  const asks = chooser("asks", say("asks"), tokens, (index) => {
    machine.query = index;
    show();
  });
  const scaleNames = ["none", "root", "width"];
  const scales = chooser("scales", say("divide_by"), scaleNames.map((name) => say(`by_${name}`)), (index) => {
    machine.scale = scaleNames[index];
    show();
  });
  // Powers of ten.
  const slider = make("input", { type: "range", min: -2, max: 2, step: 0.05, value: 0 });
  slider.oninput = () => {
    machine.temperature = +(10 ** +slider.value).toPrecision(2);
    show();
  };
  const temperatureName = make("span");
  const controls = make("div", { className: "controls" });
  if (column("scale") && !machine.panels.includes("kinds")) controls.append(scales.fieldset);
  if (column("temperature")) controls.append(make("label", { className: "temperature" }, temperatureName, slider));

  const back = button("back", () => go(step - 1));
  const play = make("button", { type: "button", className: "play", onclick: () => (timer ? stop() : start()) });
  const next = button("next", () => go(step + 1));
  const says = make("p", { className: "says" });
  says.setAttribute("role", "status");
  const plot = values[0].length === 2 ? plotOf(machine, () => show()) : null;
  const panels = machine.panels.map((name) => PANELS[name](machine, () => show()));
  controls.prepend(...panels.flatMap((panel) => panel.control ?? []));
  const table = make("div", { className: "scrolls", tabIndex: 0, role: "group", ariaLabel: say("table_name") });
  const all = make("details", { ontoggle: () => show() }, make("summary", {}, say("table")), table);

  const move = (to) => {
    step = Math.min(Math.max(to, 0), steps.length - 1);
    pointed = null;
    show();
    if (plot && steps[step] === "output") plot.flow();
  };
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    show();
  };
  const go = (to) => {
    clearTimeout(timer);
    timer = null;
    move(to);
  };
  const start = () => {
    const on = () => {
      if (step === steps.length - 1) return stop();
      move(step + 1);
      wait();
    };
    // Long enough to read the sentence: a reader takes some 15 letters a second.
    const wait = () => (timer = setTimeout(on, 1500 + 65 * says.textContent.length));
    timer = true;
    move(step === steps.length - 1 ? 0 : step);
    wait();
  };

  const show = () => {
    compute();
    const { now } = machine;
    for (const { input, vector, c, label } of inputs) {
      if (input !== host.shadowRoot.activeElement || +input.value !== vector()[c]) {
        if (input !== host.shadowRoot.activeElement || input.value !== "") input.value = +vector()[c].toFixed(2);
      }
      input.ariaLabel = label();
    }
    asks.inputs[machine.query].checked = scales.inputs[scaleNames.indexOf(machine.scale)].checked = true;
    heads.forEach((head, index) => (head.firstChild.textContent = title(columns[index][0])));
    words.forEach((cell, i) => {
      const word = called(tokens, i);
      cell.score.textContent = written(now.raw[i]);
      cell.score.ariaLabel = say(additive() ? "show_additive" : "show_score", { word, number: written(now.raw[i]) });
      if (cell.scale) cell.scale.textContent = written(now.scores[i]);
      if (cell.mask) {
        cell.mask.textContent = hidden[i] ? "−∞" : say("seen");
        cell.mask.ariaPressed = hidden[i];
      }
      if (cell.temperature) cell.temperature.textContent = written(now.cooled[i]);
      cell.weight.style.setProperty("--weight", now.weights[i]);
      cell.weight.firstChild.textContent = percent(now.weights[i]);
      cell.weight.ariaLabel = say("show_weight", { word, number: percent(now.weights[i]) });
      fill(cell.share, now.shares[i]);
      for (const part of Object.values(cell)) part.classList.toggle("out", hidden[i]);
    });
    if (beside.scale) beside.scale.textContent = say("divided", { number: written(machine.divisor) });
    if (beside.temperature) beside.temperature.textContent = say("divided", { number: written(machine.temperature) });
    beside.weight.textContent = say("sum", { number: percent(total(now.weights)) });
    fill(output, now.output);
    temperatureName.textContent = say("temperature_name", { number: written(machine.temperature) });
    slider.ariaValueText = written(machine.temperature);
    const word = showStep();
    panels.forEach((panel) => panel.draw(word));
    if (plot) plot.draw();
    if (all.open) table.replaceChildren(tableOf());
  };

  const showStep = () => {
    const current = pointed?.step ?? steps[step];
    const { raw } = machine.now;
    const best = raw.indexOf(Math.max(...raw.filter((_, i) => !hidden[i] || hidden.every(Boolean))));
    const word = pointed?.word ?? best;
    for (const node of stage.children) if (node.dataset.comes) node.classList.toggle("later", node.dataset.comes > step);
    plot?.picture.classList.toggle("later", steps[step] !== "output");
    const first = columns.findIndex(([, comes]) => comes === current);
    band.style.setProperty("--step", first + 2);
    band.style.setProperty("--span", columns.filter(([, comes]) => comes === current).length);
    asking.classList.toggle("lit", current === "score");
    words.forEach((cell, i) => cell.key.classList.toggle("lit", current === "score" && i === word));
    says.replaceChildren(make("b", {}, say("counted", { step: steps.indexOf(current) + 1, steps: steps.length })), tell[current](word));
    play.textContent = say(timer ? "pause" : "play");
    allow(back, step > 0);
    allow(next, step < steps.length - 1);
    return word;
  };

  const tableOf = () => {
    const { now } = machine;
    const of = { key: keys.map(vectorText), score: now.raw.map((each) => written(each)), scale: now.scores.map((each) => written(each)), mask: now.masked.map((each) => written(each)), temperature: now.cooled.map((each) => written(each)), weight: now.weights.map(percent), value: values.map(vectorText), share: now.shares.map(vectorText) };
    const rows = tokens.map((_, i) => [called(tokens, i), ...columns.map(([name]) => of[name][i])]);
    const places = { word: called(tokens, machine.query), query: vectorText(queries[machine.query]), output: vectorText(now.output) };
    return grid(say("table_caption", places), [say("word"), ...columns.map(([name]) => title(name))], rows);
  };

  // Words stand below one another, and the computation goes from left to right, where there is room for it.
  const arrange = () => {
    stage.classList.add("lanes");
    stage.classList.toggle("lanes", stage.scrollWidth <= stage.clientWidth);
  };

  const lower = make("div", { className: "lower" });
  if (controls.children.length) lower.append(controls);
  if (plot) lower.prepend(plot.picture);
  const figure = make("figure", {}, asks.fieldset, stage, make("div", { className: "steps" }, back, play, next, says), lower, ...panels.map((panel) => panel.node), hint("hint", "hint_touch"), ...(column("mask") ? [make("p", { className: "hint" }, say("hint_mask"))] : []), all, make("figcaption", {}, caption));
  keepKeys(host);
  followTheme(host);
  host.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), figure);
  host.replaceChildren();
  show();
  new ResizeObserver(arrange).observe(figure);
  addEventListener("beforeprint", () => (all.open = true));
};

for (const host of document.querySelectorAll(".attention-machine")) if (!host.shadowRoot) enhance(host);
