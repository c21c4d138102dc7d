// The network of skdigits.pretrained, from the weights that the site was built with.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.network = (() => {
  // Layers of {inputs, outputs, weights, steps, intercepts}. A weight is a byte: so
  // many steps, whose size is the unit's own.
  function decode({ layers, rescale }) {
    return {
      rescale,
      layers: layers.map((layer) => ({
        inputs: layer.inputs,
        outputs: layer.outputs,
        weights: new Int8Array(bytes(layer.weights)),
        steps: new Float32Array(bytes(layer.steps)),
        intercepts: new Float32Array(bytes(layer.intercepts)),
      })),
    };
  }

  function bytes(text) {
    const letters = atob(text);
    const decoded = new Uint8Array(letters.length);
    for (let index = 0; index < letters.length; index++) {
      decoded[index] = letters.charCodeAt(index);
    }
    return decoded.buffer;
  }

  // Probabilities of the ten digits, of a picture in MNIST's format.
  function probabilities(network, image) {
    let values = Float32Array.from(image, (value) => value * network.rescale);
    network.layers.forEach((layer, number) => {
      values = apply(layer, values);
      if (number < network.layers.length - 1) {
        values = values.map((value) => Math.max(value, 0));
      }
    });
    return softmax(values);
  }

  function apply({ inputs, outputs, weights, steps, intercepts }, values) {
    const sums = new Float64Array(outputs);
    for (let input = 0; input < inputs; input++) {
      // Paper and resting units, which are most, add nothing.
      if (values[input]) {
        const row = input * outputs;
        for (let output = 0; output < outputs; output++) {
          sums[output] += values[input] * weights[row + output];
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

  return { decode, probabilities };
})();
