// What the attention machine computes. Nothing here knows of the page: tests compare it with PyTorch.
const total = (numbers) => numbers.reduce((sum, each) => sum + each, 0);

const products = (q, k) => q.map((each, c) => each * k[c]);

// Softmax over the scores that aren't hidden. With none left there is no weight to give: all zeros.
const softmax = (scores, hidden) => {
  const largest = Math.max(...scores.filter((_, i) => !hidden[i]));
  // Without taking the largest away, e^1000 would be infinite, and the weights not numbers.
  const powers = scores.map((score, i) => (hidden[i] ? 0 : Math.exp(score - largest)));
  return powers.map((power) => (power ? power / total(powers) : 0));
};

const scaled = (vector, factor) => vector.map((each) => factor * each);

const average = (weights, values) => values[0].map((_, c) => total(weights.map((weight, i) => weight * values[i][c])));

// The terms of a score whose sum it is: products, or tanh of sums. (A model learns matrices for these; here they are 1.)
const TERMS = { dot: products, additive: (q, k) => q.map((each, c) => Math.tanh(each + k[c])) };

// From one query to its output, with everything between. `hidden` has a true for each key that is masked.
const attend = (q, keys, values, { hidden, divisor, temperature, terms = "dot" }) => {
  const raw = keys.map((k) => total(TERMS[terms](q, k)));
  const scores = raw.map((score) => score / divisor);
  const masked = scores.map((score, i) => (hidden[i] ? -Infinity : score));
  const cooled = masked.map((score) => score / temperature);
  const weights = softmax(cooled, hidden);
  const shares = values.map((value, i) => scaled(value, weights[i]));
  return { raw, scores, masked, cooled, weights, shares, output: average(weights, values) };
};

// The corners of the polygon around points in the plane, in order (Andrew's monotone chain, 1979).
const hull = (points) => {
  const sorted = [...points].sort(([a, b], [c, d]) => a - c || b - d);
  const turn = ([a, b], [c, d], [e, f]) => (c - a) * (f - b) - (d - b) * (e - a);
  const half = (all) => {
    const chain = [];
    for (const point of all) {
      while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return points.length < 3 ? points : [...half(sorted), ...half(sorted.reverse())];
};

// Four ways to treat hidden keys, of which only the last takes them out and gives out a whole 1.
const STRATEGIES = {
  none: (scores) => softmax(scores, scores.map(() => false)),
  zero: (scores, hidden) => STRATEGIES.none(scores.map((score, i) => (hidden[i] ? 0 : score))),
  after: (scores, hidden) => STRATEGIES.none(scores).map((weight, i) => (hidden[i] ? 0 : weight)),
  before: softmax,
};

// How each weight (row) changes as each score (column) grows.
const jacobian = (weights) => weights.map((weight, i) => weights.map((other, j) => weight * ((i === j) - other)));

const norm = (numbers) => Math.hypot(...numbers);

// Between two vectors, in degrees; none if one of them is zero.
const angle = (q, k) => {
  const cosine = total(products(q, k)) / (norm(q) * norm(k));
  return (Math.acos(Math.min(Math.max(cosine, -1), 1)) * 180) / Math.PI;
};

// The numbers of a vector that belong to a head: head 0 gets the first ones.
const cut = (vector, head, heads) => vector.slice((head * vector.length) / heads, ((head + 1) * vector.length) / heads);

const middle = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

// Random numbers with mean 0 and variance 1, the same in each browser: Box and Muller's (1958), from mulberry32.
const normals = (seed) => {
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
};

// The products of random queries and keys, [query][key] for each width d = 2, 4, … 2^powers. A wider vector is the
// narrower one with more numbers added.
const randomProducts = (queries, keys, powers, next = normals(1)) => {
  const draw = (count) => Array.from({ length: count }, () => Array.from({ length: 2 ** powers }, next));
  const [all, met] = [draw(queries), draw(keys)];
  const of = new Map(Array.from({ length: powers }, (_, p) => [2 ** (p + 1), all.map(() => [])]));
  all.forEach((q, i) =>
    met.forEach((k) => {
      let sum = 0;
      q.forEach((each, c) => {
        sum += each * k[c];
        if (of.has(c + 1)) of.get(c + 1)[i].push(sum);
      });
    }),
  );
  return of;
};
