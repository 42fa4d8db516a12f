// Values of two numbers as points in the plane, the polygon around those that aren't hidden, and the output inside it.
const plotOf = (machine, changed) => {
  const [WIDTH, HEIGHT, MARGIN] = [300, 230, 34];
  const picture = shape("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  // What of the plane is seen; it keeps still while a point is dragged.
  let frame;

  const fit = () => {
    const points = [...machine.values, machine.now.output, [0, 0], ...Object.values(machine.others).map((other) => other.output)];
    const [low, high] = [Math.min, Math.max].map((end) => [0, 1].map((c) => end(...points.map((point) => point[c]))));
    // One unit is as long sideways as upwards: otherwise the polygon would have another shape.
    const room = Math.min((WIDTH - 2 * MARGIN) / (high[0] - low[0] || 1), (HEIGHT - 2 * MARGIN) / (high[1] - low[1] || 1));
    const middle = [0, 1].map((c) => (low[c] + high[c]) / 2);
    frame = { room, middle };
  };
  const at = ([x, y]) => [WIDTH / 2 + (x - frame.middle[0]) * frame.room, HEIGHT / 2 - (y - frame.middle[1]) * frame.room];
  const back = (x, y) => [(x - WIDTH / 2) / frame.room + frame.middle[0], (HEIGHT / 2 - y) / frame.room + frame.middle[1]];
  const line = (kind, from, to) => {
    const [[x1, y1], [x2, y2]] = [at(from), at(to)];
    return shape("line", { class: kind, x1, y1, x2, y2 });
  };

  // Words with the same value share a point, and their names stand side by side.
  const groups = () => {
    const found = new Map();
    machine.values.forEach((value, i) => found.set(String(value), [...(found.get(String(value)) ?? []), i]));
    return [...found.values()];
  };

  // Writes names beside points: each takes the first of its places where no other name is, and no point.
  const namer = (points) => {
    const taken = points.map(([x, y]) => [x - 6, y - 6, x + 6, y + 6]);
    const clear = ({ box: [l, t, r, b] }) => l > 1 && t > 1 && r < WIDTH && b < HEIGHT && taken.every((box) => l > box[2] || r < box[0] || t > box[3] || b < box[1]);
    return (kind, x, y, words, ...wanted) => {
      const size = kind[0] === "a" ? 11 : 13;
      const places = [...wanted, [1, 0], [-1, 0], [1, 1], [-1, 1], [1, -1], [-1, -1]].map(([side, down]) => {
        const [u, v] = [x + side * (down ? 7 : 11), y + [-8, 5, 8 + size][down + 1]];
        // A letter is about 0.56 of its size wide.
        const end = u + side * 0.56 * size * words.length;
        return { class: kind, x: u, y: v, "text-anchor": side < 0 ? "end" : "start", box: [Math.min(u, end), v - 0.75 * size, Math.max(u, end), v + 0.2 * size] };
      });
      const { box, ...place } = places.find(clear) ?? places[0];
      taken.push(box);
      return shape("text", place, words);
    };
  };

  let dragged = null;
  const move = (event) => {
    if (!dragged) return;
    const box = picture.getBoundingClientRect();
    const [x, y] = back(((event.clientX - box.left) * WIDTH) / box.width, ((event.clientY - box.top) * HEIGHT) / box.height);
    dragged.forEach((i) => (machine.values[i] = [x, y].map((each) => Math.round(2 * each) / 2)));
    changed();
  };
  picture.onpointermove = move;
  picture.onpointerup = picture.onpointercancel = () => {
    if (dragged) {
      dragged = null;
      changed();
    }
  };

  const draw = () => {
    if (!dragged) fit();
    const { weights, output } = machine.now;
    const seen = machine.values.filter((_, i) => !machine.hidden[i]);
    picture.setAttribute("aria-label", say("plot", { output: vectorText(output) }));
    const [right, top] = back(WIDTH - 6, 14);
    const [left, bottom] = back(6, HEIGHT - 6);
    picture.replaceChildren(
      line("axis", [left, 0], [right, 0]),
      line("axis", [0, bottom], [0, top]),
      shape("polygon", { class: "hull", points: hull(seen).map(at).join(" ") }),
    );
    machine.values.forEach((value, i) => {
      const pull = line("pull weighed", value, output);
      pull.style.strokeWidth = 8 * weights[i];
      if (weights[i] > 0.005) picture.append(pull);
    });
    const others = Object.values(machine.others);
    const name = namer([output, ...machine.values, ...others.map((other) => other.output)].map(at));
    const [x, y] = at(output);
    const texts = [name("name point weighed", x, y, say("output"))];
    for (const group of groups()) {
      const [x, y] = at(machine.values[group[0]]);
      const dot = shape("circle", { class: group.every((i) => machine.hidden[i]) ? "value hidden" : "value", cx: x, cy: y, r: 6 });
      const handle = shape("circle", { class: "handle", cx: x, cy: y, r: 18 });
      handle.onpointerdown = (event) => {
        dragged = group;
        picture.setPointerCapture(event.pointerId);
      };
      const words = [...new Set(group.map((i) => machine.tokens[i]))].join(say("comma"));
      texts.push(name("name", x, y, words, [x > WIDTH / 2 ? -1 : 1, y > HEIGHT / 2 ? 1 : -1]));
      picture.append(dot, handle);
    }
    const [x0, y0] = at([0, 0]);
    texts.push(name("axis-name", WIDTH + 2, y0, machine.valueAxes[0] ?? "", [-1, 1]));
    texts.push(name("axis-name", x0, 20, machine.valueAxes[1] ?? "", [1, -1], [-1, -1]));
    for (const other of others) {
      const [u, v] = at(other.output);
      const near = others.filter((each) => Math.hypot(at(each.output)[0] - u, at(each.output)[1] - v) < 9);
      picture.append(shape("circle", { class: "other weighed", cx: u, cy: v, r: 4.5 }));
      if (near[0] === other) texts.push(name("axis-name weighed", u, v, near.map((each) => each.name).join(say("comma")), [-1, 1]));
    }
    picture.append(shape("circle", { class: "point weighed", cx: x, cy: y, r: 7 }), ...texts);
  };

  // What each value gives runs to the output.
  const flow = () => {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const [x, y] = at(machine.now.output);
    machine.values.forEach((value, i) => {
      if (machine.now.weights[i] < 0.005) return;
      const [u, v] = at(value);
      const drop = shape("circle", { class: "drop", cx: u, cy: v, r: 3 + 5 * machine.now.weights[i] });
      picture.append(drop);
      drop.animate([{ transform: "none" }, { transform: `translate(${x - u}px, ${y - v}px)` }], { duration: 1200, easing: "ease-in-out" }).onfinish = () => drop.remove();
    });
  };

  return { picture, draw, flow };
};
