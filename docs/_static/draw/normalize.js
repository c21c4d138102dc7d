// One digit in the format of MNIST: fit_to_box and place of
// skdigits/images/_normalize.py, which says why each step is there.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.normalize = (() => {
  const SIZE = 28;
  const BOX = 20;

  const { boundingBox, crop, largest, lengths, map, padded, resize } =
    skdigits.images;
  const { above, roundHalfEven } = skdigits.images;
  const { OVERSAMPLING } = skdigits.constants.normalize;
  const { fround } = Math;

  // Ink in [0, 1] to 28 x 28 bytes, 0 for paper.
  function normalize(ink) {
    return place(fitToBox(ink));
  }

  function fitToBox(drawn) {
    const inside = boundingBox(above(drawn, 0.5));
    const scale = (OVERSAMPLING * BOX) / Math.max(...lengths(inside));
    let large = resize(crop(drawn, padded(inside, 2, drawn)), scale);
    const strongest = largest(large.data);
    large = map(large, (value) =>
      Math.min(Math.max(fround(fround(fround(value / strongest) - 0.25) / 0.5), 0), 1)
    );
    large = crop(large, boundingBox(above(large, 0.5)));
    const small = resize(large, BOX / Math.max(large.height, large.width));
    const minInk = Math.min(fround(0.1), fround(largest(small.data) / 2));
    const lines = small.data.filter((value) => value > minInk).sort();
    const full = lines[roundHalfEven(0.9 * (lines.length - 1))];
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

  return { SIZE, normalize };
})();
