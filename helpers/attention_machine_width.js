// Width and scale (notebook 02): random queries and keys of d numbers, how far their products spread, what the softmax
// makes of them, and what is left of its gradient.
PANELS.width = (machine, changed) => {
  const [QUERIES, KEYS, POWERS] = [256, 8, 10];
  const [WIDTH, HEIGHT, LOW] = [250, 150, 122];
  // Products beyond are counted at the histogram's end.
  const EDGE = 20;
  const SCALES = { none: () => 1, root: Math.sqrt, width: (d) => d };
  const drawn = randomProducts(QUERIES, KEYS, POWERS);
  const seen = Array(KEYS).fill(false);
  let power = 6;

  // "64 root" → what came of it.
  const measured = new Map();
  const measure = (d, scale) => {
    const key = `${d} ${scale}`;
    if (!measured.has(key)) {
      const scores = drawn.get(d).map((row) => row.map((each) => each / SCALES[scale](d)));
      const weights = scores.map((row) => softmax(row, seen));
      const flat = scores.flat();
      const mean = total(flat) / flat.length;
      measured.set(key, {
        scores: flat,
        spread: Math.sqrt(total(flat.map((each) => (each - mean) ** 2)) / flat.length),
        weights: weights[0],
        largest: middle(weights.map((row) => Math.max(...row))),
        gradient: middle(weights.map((row) => norm(jacobian(row).flat()))),
      });
    }
    return measured.get(key);
  };

  const slider = make("input", { type: "range", min: 1, max: POWERS, step: 1, value: power });
  slider.oninput = () => {
    power = +slider.value;
    changed();
  };
  const name = make("span");
  const says = make("p");
  says.setAttribute("role", "status");
  const pictures = make("div", { className: "pair" });
  const table = make("div", { className: "scrolls", tabIndex: 0, role: "group", ariaLabel: say("width_table") });
  const all = make("details", {}, make("summary", {}, say("width_table")), table);

  const frame = (title, ...shapes) => {
    const label = shape("text", { class: "axis-name", x: 6, y: 14 }, title);
    const axis = shape("line", { class: "axis", x1: 6, x2: WIDTH - 6, y1: LOW, y2: LOW });
    return shape("svg", { class: "plot small", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title }, axis, ...shapes, label);
  };
  const text = (words, x, y, anchor = "middle") => shape("text", { class: "axis-name", x, y, "text-anchor": anchor }, words);
  const bar = (x, width, share) => shape("rect", { class: "bar", x, width, y: LOW - share * (LOW - 26), height: share * (LOW - 26) });

  const histogram = ({ scores }) => {
    const counts = Array(2 * EDGE + 1).fill(0);
    for (const score of scores) counts[Math.min(Math.max(Math.round(score), -EDGE), EDGE) + EDGE]++;
    const width = (WIDTH - 12) / counts.length;
    const most = Math.max(...counts);
    const labels = [-EDGE, 0, EDGE].map((at) => text(written(at), 6 + (at + EDGE + 0.5) * width, HEIGHT - 10, at < 0 ? "start" : at ? "end" : "middle"));
    return frame(say("histogram"), ...counts.map((count, i) => bar(6 + i * width, width - 0.6, count / most)), ...labels);
  };
  const bars = ({ weights }) => {
    const width = (WIDTH - 12) / KEYS;
    return frame(say("eight_weights"), ...weights.flatMap((weight, i) => [bar(8 + i * width, width - 4, weight), text(percent(weight), 6 + (i + 0.5) * width, HEIGHT - 10)]));
  };
  const gradients = (d) => {
    const x = (p) => 14 + ((p - 1) * (WIDTH - 74)) / (POWERS - 1);
    const y = (gradient) => LOW - (gradient / 0.45) * (LOW - 26);
    const shapes = Object.keys(SCALES).flatMap((scale) => {
      const line = Array.from({ length: POWERS }, (_, p) => [x(p + 1), y(measure(2 ** (p + 1), scale).gradient)]);
      const chosen = scale === machine.scale ? "curve chosen" : "curve";
      return [shape("polyline", { class: chosen, points: line.join(" ") }), text(say(`scale_${scale}`), WIDTH - 52, line.at(-1)[1] + { none: 4, root: -2, width: 12 }[scale], "start")];
    });
    const [u, v] = [x(power), y(measure(d, machine.scale).gradient)];
    return frame(say("gradients"), ...shapes, shape("circle", { class: "point", cx: u, cy: v, r: 5 }), text("d = 2", 8, HEIGHT - 10, "start"), text(String(2 ** POWERS), x(POWERS), HEIGHT - 10));
  };

  const draw = () => {
    const d = 2 ** power;
    const found = measure(d, machine.scale);
    name.textContent = say("width_name", { d });
    slider.ariaValueText = String(d);
    const places = { d, products: written(measure(d, "none").spread), spread: written(found.spread), largest: percent(found.largest), gradient: percent(found.gradient), scale: say(`scale_${machine.scale}`) };
    says.textContent = say("width_says", places);
    pictures.replaceChildren(histogram(found), bars(found), gradients(d));
    const rows = [...drawn.keys()].map((each) => {
      const { spread, largest, gradient } = measure(each, machine.scale);
      return [String(each), written(spread), percent(largest), percent(gradient)];
    });
    const head = [say("width"), say("spread"), say("largest"), say("gradient_norm")];
    table.replaceChildren(grid(say("width_table_caption", { scale: say(`scale_${machine.scale}`) }), head, rows));
  };
  const label = make("label", { className: "temperature" }, name, slider);
  return { node: make("div", { className: "panel" }, label, says, pictures, all), draw };
};
