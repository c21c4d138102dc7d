// The network of skdigits.pretrained, from the weights that the site was built with.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.network = (() => {
  let decoded = null;

  // Layers of {inputs, outputs, weights, steps, intercepts}. A weight is a byte: so
  // many steps, whose size is the unit's own.
  function decode({ layers }) {
    return layers.map((layer) => ({
      ...layer,
      weights: new Int8Array(bytes(layer.weights)),
      steps: new Float32Array(bytes(layer.steps)),
      intercepts: new Float32Array(bytes(layer.intercepts)),
    }));
  }

  function bytes(text) {
    const letters = atob(text);
    const values = new Uint8Array(letters.length);
    for (let index = 0; index < letters.length; index++) {
      values[index] = letters.charCodeAt(index);
    }
    return values.buffer;
  }

  // Probabilities of the ten digits for an image in the format of MNIST.
  function probabilities(image) {
    decoded = decoded || decode(skdigits.weights);
    const last = decoded.length - 1;
    let values = Float32Array.from(image, (value) => value * skdigits.weights.rescale);
    decoded.forEach((layer, number) => {
      values = apply(layer, values);
      if (number < last) {
        values = values.map((value) => Math.max(value, 0));
      }
    });
    return softmax(values);
  }

  function apply({ inputs, outputs, weights, steps, intercepts }, values) {
    const sums = new Float64Array(outputs);
    for (let input = 0; input < inputs; input++) {
      const value = values[input];
      // Paper and resting units, which are most, add nothing.
      if (value) {
        const row = input * outputs;
        for (let output = 0; output < outputs; output++) {
          sums[output] += value * weights[row + output];
        }
      }
    }
    return Float32Array.from(sums, (sum, n) => sum * steps[n] + intercepts[n]);
  }

  function softmax(logits) {
    const most = Math.max(...logits);
    const parts = Array.from(logits, (logit) => Math.exp(logit - most));
    const sum = parts.reduce((total, part) => total + part, 0);
    return parts.map((part) => part / sum);
  }

  return { probabilities };
})();
