// Notebook 00's model, as helpers/seq2seq.py has it: a GRU that reads both ways, and Luong's decoder.

// Half precision has 1 bit for the sign, 5 for the exponent and 10 for the fraction.
const halfToNumber = (half) => {
  const exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
  const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
  return half >> 15 ? -size : size;
};

// The file's format is safetensors: the header's length, the header in JSON, the numbers. All of them are halves here.
const readWeights = (base64) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const start = 8 + view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const tensors = {};
  for (const [name, { shape: size, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const numbers = [];
    for (let at = start + offsets[0]; at < start + offsets[1]; at += 2) numbers.push(halfToNumber(view.getUint16(at, true)));
    const width = size.at(-1);
    tensors[name] = size.length === 1 ? numbers : Array.from({ length: size[0] }, (_, row) => numbers.slice(row * width, (row + 1) * width));
  }
  return tensors;
};

const dot = (a, b) => a.reduce((sum, each, index) => sum + each * b[index], 0);
const times = (matrix, vector, bias) => matrix.map((row, index) => dot(row, vector) + (bias ? bias[index] : 0));
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softmax = (scores) => {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
};

const network = (tensors) => {
  // One step of a GRU. PyTorch stacks the three gates' rows: reset, update, new.
  const gru = (where, suffix) => {
    const [inputs, states, inputBias, stateBias] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((part) => tensors[`${where}.rnn.${part}_l0${suffix}`]);
    return (input, state) => {
      const x = times(inputs, input, inputBias), h = times(states, state, stateBias);
      const size = state.length;
      return state.map((before, index) => {
        const reset = sigmoid(x[index] + h[index]);
        const update = sigmoid(x[size + index] + h[size + index]);
        const fresh = Math.tanh(x[2 * size + index] + reset * h[2 * size + index]);
        return (1 - update) * fresh + update * before;
      });
    };
  };
  const forwards = gru("encoder", ""), backwards = gru("encoder", "_reverse"), decoder = gru("decoder", "");
  const half = tensors["encoder.rnn.weight_hh_l0"][0].length;

  // What the encoder knows at each place, and the state that the decoder starts from.
  const encode = (ids) => {
    const embedded = ids.map((id) => tensors["encoder.embedding.weight"][id]);
    const states = (step, inputs) => {
      let state = Array(half).fill(0);
      return inputs.map((input) => (state = step(input, state)));
    };
    const there = states(forwards, embedded), back = states(backwards, [...embedded].reverse());
    const outputs = there.map((state, index) => [...state, ...back.at(-1 - index)]);
    return { outputs, keys: outputs.map((output) => times(tensors["decoder.W_a.weight"], output)), state: [...there.at(-1), ...back.at(-1)] };
  };

  // After `token` was written: how likely each token is next, where the model looks, and its new state.
  const step = ({ outputs, keys }, token, state) => {
    const query = decoder(tensors["decoder.embedding.weight"][token], state);
    const weights = softmax(keys.map((key) => dot(query, key)));
    const context = query.map((_, index) => dot(weights, outputs.map((output) => output[index])));
    const attended = times(tensors["decoder.W_c.weight"], [...context, ...query]).map(Math.tanh);
    return { likely: softmax(times(tensors["linear.weight"], attended, tensors["linear.bias"])), weights, state: query };
  };

  // As many tokens as were read, each the likeliest after those before, or the one that `forced` has for its place.
  const write = (ids, forced = {}) => {
    const source = encode(ids);
    let token = 0, state = source.state;
    return ids.map((_, place) => {
      const { likely, weights, state: next } = step(source, token, state);
      const own = likely.indexOf(Math.max(...likely));
      token = forced[place] ?? own;
      state = next;
      return { token, own, likely, weights };
    });
  };

  return { write };
};
