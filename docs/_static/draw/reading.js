// The numbers of a drawing: skdigits.images.read_digits in JavaScript, for dark ink on
// white paper, without the first attempt to read a single digit. See
// skdigits/images/_segmentation.py and _reading_order.py.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.reading = (() => {
  const { cheapest, lengths, makeImage, mean, median } = skdigits.images;
  const { MAX_LEFT, MAX_PAPER, MIN_WHOLE, MIN_CONFIDENCE: CERTAIN } =
    skdigits.constants.segmentation;
  const { MIN_CONFIDENCE } = skdigits.constants.read;
  const { MAX_SLOPE, MIN_GAP, MIN_GAP_RATIO, MAX_GAP, NARROW_GAP } =
    skdigits.constants.reading_order;
  const { MAX_OFF_ROW, MAX_ALONG, MAX_ACROSS } = skdigits.constants.reading_order;

  // {digits, text, isEmpty} of greys, 255 for paper. Digits are in reading order, with
  // box, image, probabilities, label, confidence, and status "ok", "unsure" or "cut".
  function read(grey, height, width) {
    const ink = makeImage(height, width);
    grey.forEach((value, index) => {
      ink.data[index] = 1 - Math.fround(value / 255);
    });
    const strokes = skdigits.strokes.findStrokes(ink);
    const labels = { ...strokes.labels, data: strokes.labels.data.slice() };
    const lines = skdigits.strokes
      .toChains(strokes.components)
      .map((chain) => skdigits.lattice.readLine(chain, labels, ink, strokes.height));
    const left = lines.reduce((sum, line) => sum + line.left, 0);
    const found = lines.flatMap((line) => line.digits);
    const digits = left >= MAX_LEFT * found.length ? [] : found;
    const boxes = digits.map(({ box }) => box);
    const rows = toRows(digits.map((digit) => withLabel(digit, boxes, ink)));
    return {
      digits: rows.flat(),
      text: rows.map((row) => toNumbers(row).join(" ")).join("\n"),
      isEmpty: strokes.height === 0,
    };
  }

  function withLabel(digit, boxes, paper) {
    const confidence = Math.max(...digit.probabilities);
    const label = digit.probabilities.indexOf(confidence);
    const status = confidence < MIN_CONFIDENCE ? "unsure" : "ok";
    const isWhole = confidence >= CERTAIN && isHigh(digit.box, boxes);
    const isCut = !isWhole && isAtBorder(digit.box, boxes, paper);
    return { ...digit, label, confidence, status: isCut ? "cut" : status };
  }

  function isHigh(box, boxes) {
    return lengths(box)[0] >= MIN_WHOLE * median(boxes.map((each) => lengths(each)[0]));
  }

  // Whether a digit reaches a border while there is paper at the opposite one.
  function isAtBorder(box, boxes, { height, width }) {
    const slack = MAX_PAPER * Math.max(...lengths(box));
    const sides = [
      ["top", "bottom", height],
      ["left", "right", width],
    ];
    return sides.some(([start, stop, size]) => {
      const before = Math.min(...boxes.map((other) => other[start]));
      const after = size - Math.max(...boxes.map((other) => other[stop]));
      const atStart = box[start] <= 1 && after > slack;
      return atStart || (box[stop] >= size - 1 && before > slack);
    });
  }

  // Digits in rows, from top to bottom and left to right.
  function toRows(digits) {
    const height = median(digits.map(({ box }) => lengths(box)[0]));
    const places = digits.map((digit) => ({
      digit,
      x: (digit.box.left + digit.box.right) / 2,
      y: (digit.box.top + digit.box.bottom) / 2,
    }));
    const slope = slopeOf(places, height);
    places.forEach((place) => {
      place.y -= slope * place.x;
    });
    const rows = [];
    for (const place of places.sort((a, b) => a.x - b.x)) {
      const distance = (row) =>
        Math.abs(place.y - mean(row.slice(-2).map(({ y }) => y)));
      const nearest = rows.length && cheapest(rows, distance);
      if (nearest && distance(nearest) < MAX_OFF_ROW * height) {
        nearest.push(place);
      } else {
        rows.push([place]);
      }
    }
    const level = (row) => mean(row.map(({ y }) => y));
    return rows
      .sort((a, b) => level(a) - level(b))
      .map((row) => row.map(({ digit }) => digit));
  }

  // The median over pairs of neighbours in a row.
  function slopeOf(places, height) {
    const slopes = [];
    for (const { digit, x, y } of places) {
      const reach = MAX_ACROSS * lengths(digit.box)[0];
      const neighbours = places.filter(
        (other) =>
          other.x > x &&
          Math.abs(other.y - y) < reach &&
          other.x - x < MAX_ALONG * height
      );
      if (neighbours.length) {
        const nearest = cheapest(neighbours, (other) => other.x);
        slopes.push((nearest.y - y) / (nearest.x - x));
      }
    }
    const slope = slopes.length ? median(slopes) : 0;
    return Math.min(Math.max(slope, -MAX_SLOPE), MAX_SLOPE);
  }

  // The texts of the numbers of a row, which wide gaps separate.
  function toNumbers(row) {
    const height = median(row.map(({ box }) => lengths(box)[0]));
    const gaps = row
      .slice(1)
      .map(({ box }, index) => (box.left - row[index].box.right) / height);
    const sorted = [...gaps].sort((a, b) => a - b);
    const within = sorted.filter((gap, index) => {
      const narrow = Math.max(gap, NARROW_GAP);
      return sorted[index + 1] > Math.max(MIN_GAP, MIN_GAP_RATIO * narrow);
    });
    const widest = Math.min(...within, MAX_GAP);
    const signs = row.map(({ label, status }) => (status === "ok" ? `${label}` : "?"));
    return signs
      .map((sign, index) => (index && gaps[index - 1] > widest ? ` ${sign}` : sign))
      .join("")
      .split(" ");
  }

  return { read };
})();
