// Images, boxes and numbers, computed as NumPy and SciPy do.
//
// Python computes images in float32, hence Math.fround: an edge on the other side of a
// threshold gives another image.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.images = (() => {
  const { fround } = Math;

  // An image is {height, width, data}, row by row; a mask has 1 or 0 in it.
  function makeImage(height, width, data) {
    return { height, width, data: data || new Float32Array(height * width) };
  }

  function map(image, change) {
    return makeImage(image.height, image.width, image.data.map(change));
  }

  function above({ height, width, data }, threshold) {
    const mask = new Uint8Array(data.length);
    // Uint8Array.from takes many times as long.
    data.forEach((value, index) => {
      mask[index] = value > threshold ? 1 : 0;
    });
    return makeImage(height, width, mask);
  }

  // Boxes are {top, left, bottom, right}; bottom and right are exclusive.

  function boundingBox({ width, data }) {
    const found = emptyBox();
    data.forEach((value, index) => {
      if (value) {
        stretch(found, Math.floor(index / width), index % width);
      }
    });
    return found;
  }

  function emptyBox() {
    return { top: Infinity, left: Infinity, bottom: 0, right: 0 };
  }

  function stretch(found, row, column) {
    found.top = Math.min(found.top, row);
    found.left = Math.min(found.left, column);
    found.bottom = Math.max(found.bottom, row + 1);
    found.right = Math.max(found.right, column + 1);
  }

  function union(a, b) {
    return {
      top: Math.min(a.top, b.top),
      left: Math.min(a.left, b.left),
      bottom: Math.max(a.bottom, b.bottom),
      right: Math.max(a.right, b.right),
    };
  }

  // Height and width.
  function lengths({ top, left, bottom, right }) {
    return [bottom - top, right - left];
  }

  // A box with a margin, inside the image.
  function padded({ top, left, bottom, right }, margin, { height, width }) {
    return {
      top: Math.max(0, top - margin),
      left: Math.max(0, left - margin),
      bottom: Math.min(height, bottom + margin),
      right: Math.min(width, right + margin),
    };
  }

  function crop({ width, data }, { top, left, bottom, right }) {
    const part = new data.constructor((bottom - top) * (right - left));
    for (let row = top; row < bottom; row++) {
      const line = data.subarray(row * width + left, row * width + right);
      part.set(line, (row - top) * (right - left));
    }
    return makeImage(bottom - top, right - left, part);
  }

  // Components that are connected, at corners too: {labels, boxes}, where label n + 1
  // is that of box n.
  function label(mask) {
    const labels = makeImage(mask.height, mask.width, new Int32Array(mask.data.length));
    const boxes = [];
    mask.data.forEach((value, index) => {
      if (value && !labels.data[index]) {
        boxes.push(flood(mask, labels, index, boxes.length + 1));
      }
    });
    return { labels, boxes };
  }

  function flood({ height, width, data }, labels, first, number) {
    const found = emptyBox();
    const open = [first];
    labels.data[first] = number;
    while (open.length) {
      const index = open.pop();
      const [row, column] = [Math.floor(index / width), index % width];
      stretch(found, row, column);
      for (let r = Math.max(0, row - 1); r < Math.min(height, row + 2); r++) {
        for (let c = Math.max(0, column - 1); c < Math.min(width, column + 2); c++) {
          const next = r * width + c;
          if (data[next] && !labels.data[next]) {
            labels.data[next] = number;
            open.push(next);
          }
        }
      }
    }
    return found;
  }

  // The pixels at most `reach` rows and columns from a mask.
  function dilate(mask, reach) {
    return transpose(widen(transpose(widen(mask, reach)), reach));
  }

  function widen({ height, width, data }, reach) {
    const wide = makeImage(height, width, new Uint8Array(data.length));
    data.forEach((value, index) => {
      if (value) {
        const column = index % width;
        const from = index - Math.min(column, reach);
        const to = index + Math.min(width - 1 - column, reach);
        wide.data.fill(1, from, to + 1);
      }
    });
    return wide;
  }

  function transpose({ height, width, data }) {
    const turned = makeImage(width, height, new data.constructor(data.length));
    data.forEach((value, index) => {
      turned.data[(index % width) * height + Math.floor(index / width)] = value;
    });
    return turned;
  }

  // Area averages to shrink, linear interpolation to enlarge.
  function resize(image, scale) {
    const height = Math.max(1, roundHalfEven(image.height * scale));
    const width = Math.max(1, roundHalfEven(image.width * scale));
    if (height === image.height && width === image.width) {
      return image;
    }
    return transpose(resizeRows(transpose(resizeRows(image, height)), width));
  }

  function resizeRows({ height, width, data }, wanted) {
    const result = makeImage(wanted, width);
    for (let row = 0; row < wanted; row++) {
      const sums = new Float64Array(width);
      for (const [old, weight] of weights(height, wanted, row)) {
        for (let column = 0; column < width; column++) {
          sums[column] += weight * data[old * width + column];
        }
      }
      result.data.set(sums, row * width);
    }
    return result;
  }

  // [old row, its weight] of a new row.
  function weights(size, wanted, row) {
    const [from, to] = [row * (size / wanted), (row + 1) * (size / wanted)];
    const centre = Math.min(Math.max((to + from) / 2 - 0.5, 0), size - 1);
    const found = [];
    const last = Math.min(size - 1, Math.ceil(Math.max(to, centre + 1)));
    for (let old = Math.max(0, Math.floor(Math.min(from, centre))); old <= last; old++) {
      const weight =
        wanted <= size
          ? Math.max(Math.min(to, old + 1) - Math.max(from, old), 0) * (wanted / size)
          : Math.max(1 - Math.abs(centre - old), 0);
      if (weight > 0) {
        found.push([old, fround(weight)]);
      }
    }
    return found;
  }

  // Numbers.

  function largest(values) {
    return values.reduce((most, value) => Math.max(most, value), 0);
  }

  function mean(values) {
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  }

  function median(values) {
    const sorted = Float64Array.from(values).sort();
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  function roundHalfEven(value) {
    const below = Math.floor(value);
    const rest = value - below;
    return below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0);
  }

  // The first item with the lowest cost.
  function cheapest(items, cost) {
    return items.reduce((best, item) => (cost(item) < cost(best) ? item : best));
  }

  // `compute` for an image, once for equal ones: a new stroke changes few of them.
  function remember(compute) {
    const known = new Map();
    return (image, ...rest) => {
      const key = [image.height, image.width, hash(image.data), ...rest].join();
      if (!known.has(key)) {
        if (known.size >= 1000) {
          known.clear();
        }
        known.set(key, compute(image, ...rest));
      }
      return known.get(key);
    };
  }

  function hash(data) {
    const words = data instanceof Float32Array ? new Uint32Array(data.buffer) : data;
    let sum = 0;
    for (let index = 0; index < words.length; index++) {
      sum = Math.imul(sum ^ words[index], 0x9e3779b1);
      sum ^= sum >>> 15;
    }
    return sum;
  }

  return {
    above,
    boundingBox,
    cheapest,
    crop,
    dilate,
    label,
    largest,
    lengths,
    makeImage,
    map,
    mean,
    median,
    padded,
    remember,
    resize,
    roundHalfEven,
    union,
  };
})();
