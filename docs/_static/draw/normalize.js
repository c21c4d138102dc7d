// One digit in the format of MNIST's: skdigits.images.normalize_digit in JavaScript.
//
// Step by step as skdigits/images/_normalize.py, which says why each step is there,
// for dark ink on paper that is perfectly even. Python computes in float32, hence
// Math.fround: an edge on the other side of a threshold gives another image.
// docs/tests holds the two to each other.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.normalize = (() => {
  const SIZE = 28;
  const BOX = 20;
  const OVERSAMPLING = 5;
  const MIN_FULL_INK = 0.9;
  const MIN_PIECE = 0.03;
  const MIN_CONTRAST = 0.08;
  const EVEN = 0.7;

  const { fround } = Math;

  // An image is {height, width, data}, row by row.
  function makeImage(height, width, data) {
    return { height, width, data: data || new Float32Array(height * width) };
  }

  function map(image, change) {
    return makeImage(image.height, image.width, image.data.map(change));
  }

  // Greys (255 for paper) to {problem, side, image}: `problem` is null, "blank",
  // "several" or "cut", and the image has 28 x 28 bytes, 0 for paper.
  function normalize(grey, side) {
    const ink = inkOf(grey, side);
    const strongest = largest(ink.data);
    if (strongest < MIN_CONTRAST) {
      return { problem: "blank" };
    }
    if (!isEven(grey, side)) {
      // Python measures the paper's brightness then, as on a photograph.
      return { problem: "cut" };
    }
    return normalizeInk(ink, strongest);
  }

  function inkOf(grey, side) {
    const ink = makeImage(side, side);
    ink.data.forEach((_, index) => {
      ink.data[index] = 1 - fround(grey[index] / 255);
    });
    return ink;
  }

  // Whether most of the border is paper, and most nearly white pixels are white.
  function isEven(grey, side) {
    const last = side - 1;
    const onBorder = (index) => {
      const [row, column] = [(index / side) | 0, index % side];
      return row === 0 || column === 0 || row === last || column === last;
    };
    const isBright = (index) => grey[index] > 255 * (1 - 0.05);
    return [onBorder, isBright].every((belongs) => {
      let [all, paper] = [0, 0];
      grey.forEach((value, index) => {
        if (belongs(index)) {
          all += 1;
          paper += value === 255 ? 1 : 0;
        }
      });
      return paper >= EVEN * all;
    });
  }

  function normalizeInk(found, strongest) {
    let ink = found;
    const used = lengths(box(above(ink, 0)));
    const fits = strongest >= fround(MIN_FULL_INK) && Math.max(...used) === BOX;
    if (!fits) {
      const strong = withoutSpecks(above(ink, fround(strongest / 2)));
      const full = largest(ink.data.filter((_, index) => strong.data[index]));
      ink = map(ink, (value) => Math.min(fround(value / full), 1));
    }
    const mask = fits ? above(ink, 0) : withoutSpecks(above(ink, 0.5));
    const side = hasFormat(mask) ? null : cutSide(mask);
    if (side) {
      return { problem: "cut", side };
    }
    if (fits) {
      return { problem: null, image: place(crop(ink, box(mask))) };
    }
    if (isSeveral(mask)) {
      return { problem: "several" };
    }
    const near = nearTo(mask);
    const alone = makeImage(
      ink.height,
      ink.width,
      ink.data.map((value, index) => (near.data[index] ? value : 0))
    );
    return { problem: null, image: place(fitToBox(alone)) };
  }

  function fitToBox(drawn) {
    const inside = box(above(drawn, 0.5));
    const scale = (OVERSAMPLING * BOX) / Math.max(...lengths(inside));
    const margin = 2;
    const ink = crop(drawn, {
      top: Math.max(0, inside.top - margin),
      left: Math.max(0, inside.left - margin),
      bottom: Math.min(drawn.height, inside.bottom + margin),
      right: Math.min(drawn.width, inside.right + margin),
    });
    let large = resize(ink, scale);
    const strongest = largest(large.data);
    large = map(large, (value) =>
      Math.min(Math.max(fround(fround(fround(value / strongest) - 0.25) / 0.5), 0), 1)
    );
    large = crop(large, box(above(large, 0.5)));
    const small = resize(large, BOX / Math.max(large.height, large.width));
    const minInk = Math.min(fround(0.1), fround(largest(small.data) / 2));
    const full = quantile(small.data.filter((value) => value > minInk), 0.9);
    return map(small, (value) => Math.min(fround(value / full), 1));
  }

  // The centre of its mass goes to the middle.
  function place(ink) {
    const digit = map(ink, (value) => roundHalfEven(fround(255 * value)));
    const placed = new Uint8Array(SIZE * SIZE);
    const centre = centreOfMass(digit);
    const top = start(centre.row, digit.height);
    const left = start(centre.column, digit.width);
    digit.data.forEach((value, index) => {
      const row = top + Math.floor(index / digit.width);
      placed[row * SIZE + left + (index % digit.width)] = value;
    });
    return placed;
  }

  function start(centre, length) {
    const wanted = Math.floor(SIZE / 2 - centre + 0.5);
    return Math.min(Math.max(wanted, 0), SIZE - length);
  }

  function centreOfMass({ width, data }) {
    let [mass, rows, columns] = [0, 0, 0];
    data.forEach((value, index) => {
      mass += value;
      rows += value * Math.floor(index / width);
      columns += value * (index % width);
    });
    return { row: rows / mass, column: columns / mass };
  }

  // Masks: 1 where something is, 0 elsewhere.

  function above({ height, width, data }, threshold) {
    const mask = new Uint8Array(data.length);
    // Uint8Array.from takes many times as long.
    data.forEach((value, index) => {
      mask[index] = value > threshold ? 1 : 0;
    });
    return makeImage(height, width, mask);
  }

  // Rows and columns with something in them; the last ones are exclusive.
  function box({ height, width, data }) {
    const found = { top: height, left: width, bottom: 0, right: 0 };
    data.forEach((value, index) => {
      if (value) {
        stretch(found, Math.floor(index / width), index % width);
      }
    });
    return found;
  }

  function stretch(found, row, column) {
    found.top = Math.min(found.top, row);
    found.left = Math.min(found.left, column);
    found.bottom = Math.max(found.bottom, row + 1);
    found.right = Math.max(found.right, column + 1);
  }

  function lengths({ top, left, bottom, right }) {
    return [bottom - top, right - left];
  }

  // Pieces that hang together, at corners too: {labels, pieces}, where label n + 1 is
  // that of piece n with its `area` and its box.
  function label(mask) {
    const labels = makeImage(mask.height, mask.width, new Int32Array(mask.data.length));
    const pieces = [];
    mask.data.forEach((value, index) => {
      if (value && !labels.data[index]) {
        pieces.push(flood(mask, labels, index, pieces.length + 1));
      }
    });
    return { labels, pieces };
  }

  function flood(mask, labels, first, number) {
    const { height, width } = mask;
    const piece = { area: 0, top: height, left: width, bottom: 0, right: 0 };
    const open = [first];
    labels.data[first] = number;
    while (open.length) {
      const index = open.pop();
      const [row, column] = [Math.floor(index / width), index % width];
      piece.area += 1;
      stretch(piece, row, column);
      for (let r = Math.max(0, row - 1); r < Math.min(height, row + 2); r++) {
        for (let c = Math.max(0, column - 1); c < Math.min(width, column + 2); c++) {
          const next = r * width + c;
          if (mask.data[next] && !labels.data[next]) {
            labels.data[next] = number;
            open.push(next);
          }
        }
      }
    }
    return piece;
  }

  function withoutSpecks(mask) {
    const { labels, pieces } = label(mask);
    const minArea = MIN_PIECE * largest(pieces.map((piece) => piece.area));
    return map(mask, (value, index) =>
      value && pieces[labels.data[index] - 1].area >= minArea ? 1 : 0
    );
  }

  // What belongs to a mask: its pixels and the greys along its edges.
  function nearTo(mask) {
    const longer = Math.max(...lengths(box(mask)));
    const reach = Math.max(1, roundHalfEven(longer / 40));
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

  // Several digits are tall pieces side by side with a gap between.
  function isSeveral(mask) {
    const { pieces } = label(mask);
    const tallest = largest(pieces.map((piece) => piece.bottom - piece.top));
    const tall = pieces
      .filter((piece) => piece.bottom - piece.top >= Math.max(0.6 * tallest, 5))
      .sort((a, b) => a.left - b.left || a.right - b.right);
    const gap = Math.max(0.08 * tallest, 2);
    return tall.some((piece, n) => n > 0 && piece.left - tall[n - 1].right >= gap);
  }

  // Whether a digit fills as much of the paper as in MNIST.
  function hasFormat(mask) {
    const longer = Math.max(...lengths(box(mask)));
    const expected = (BOX / SIZE) * mask.width;
    return Math.abs(longer - expected) <= Math.max(1, mask.width / 28);
  }

  // The border that cuts through the digit: it has ink, the one opposite has paper.
  function cutSide(mask) {
    const { top, left, bottom, right } = box(mask);
    return (
      cutBetween("top", top, "bottom", mask.height - bottom, mask.height) ||
      cutBetween("left", left, "right", mask.width - right, mask.width)
    );
  }

  function cutBetween(first, before, second, after, length) {
    const enough = Math.max(before, after) > Math.max(0.15 * length, 4);
    if (Math.min(before, after) > 0 || !enough) {
      return null;
    }
    return after === 0 ? second : first;
  }

  // Numbers.

  function largest(values) {
    return values.reduce((most, value) => Math.max(most, value), 0);
  }

  function roundHalfEven(value) {
    const below = Math.floor(value);
    const rest = value - below;
    return below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0);
  }

  function quantile(values, share) {
    const sorted = values.slice().sort();
    const place = (sorted.length - 1) * share;
    const before = Math.floor(place);
    const [a, b] = [sorted[before], sorted[Math.min(before + 1, sorted.length - 1)]];
    return fround(a + (b - a) * (place - before));
  }

  // Pictures.

  function crop({ width, data }, { top, left, bottom, right }) {
    const part = makeImage(bottom - top, right - left);
    for (let row = top; row < bottom; row++) {
      const line = data.subarray(row * width + left, row * width + right);
      part.data.set(line, (row - top) * part.width);
    }
    return part;
  }

  // Area averages to shrink, linear interpolation to enlarge. Python averages blocks
  // first to shrink eightfold or more, which a drawing does not need.
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
    for (let old = 0; old < size; old++) {
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

  return { SIZE, normalize };
})();
