// Connected components of ink, and chains of them: skdigits/images/_strokes.py.
//
// A drawing has neither noise nor shadows: all of its ink is as dark, and has edges.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.strokes = (() => {
  const { cheapest, crop, label, lengths, map, median, remember } = skdigits.images;
  const { MIN_COMPONENT, MIN_DIGIT_HEIGHT, MIN_SHARE } = skdigits.constants.strokes;
  const { MAX_GAP, MAX_HEIGHT, MAX_WIDTH, MAX_SLENDER } = skdigits.constants.strokes;
  const { MIN_OVERLAP, MIN_IN_CORNER, MIN_AT_SIDE, MIN_INSIDE } =
    skdigits.constants.strokes;
  const { MIN_LINE_WIDTH, MAX_LINE_INK } = skdigits.constants.strokes;

  // {labels, components, height}: components have a label and a box, and the height is
  // the typical one of a digit.
  function findStrokes(ink) {
    const longer = Math.max(ink.height, ink.width);
    const minSize = Math.max(3, MIN_COMPONENT * longer);
    const { labels, boxes } = label(
      map(ink, (value) => (value >= Math.fround(MIN_SHARE) ? 1 : 0))
    );
    const large = boxes
      .map((box, index) => ({ label: index + 1, box }))
      .filter(({ box }) => Math.max(...lengths(box)) >= minSize);
    const height = typicalHeight(large.map(({ box }) => box), ink);
    const components = large.filter(
      (each) =>
        height > 0 &&
        !isBackground(each.box, ink, height) &&
        !isLine(ownPixels(labels, each), height)
    );
    return { labels, components, height };
  }

  function ownPixels(labels, component) {
    return map(crop(labels, component.box), (value) => Number(value === component.label));
  }

  function atEnd({ top, bottom }, { height }) {
    return top <= 1 || bottom >= height - 1;
  }

  function atSide({ left, right }, { width }) {
    return left <= 1 || right >= width - 1;
  }

  function isBackground(box, paper, height) {
    const [tall, wide] = lengths(box);
    if (tall > MAX_HEIGHT * height || wide > MAX_WIDTH * height) {
      return true;
    }
    const shorter = Math.min(paper.height, paper.width);
    const small = Math.max(tall, wide) < MIN_IN_CORNER * shorter;
    const inCorner = atEnd(box, paper) && atSide(box, paper) && small;
    return inCorner || (atSide(box, paper) && wide < MIN_AT_SIDE * height);
  }

  function isLine(own, height) {
    const area = own.data.reduce((sum, value) => sum + value, 0);
    const isWide = own.width >= MIN_LINE_WIDTH * height;
    return isWide && area < MAX_LINE_INK * own.width * strokeWidth(own);
  }

  // Twice the median distance from paper along the ridges of a mask.
  const strokeWidth = remember((own) => {
    const squares = squaredDistances(own);
    const { height, width } = own;
    const ridge = squares.filter((square, index) => {
      const [row, column] = [Math.floor(index / width), index % width];
      for (let r = Math.max(0, row - 1); r < Math.min(height, row + 2); r++) {
        for (let c = Math.max(0, column - 1); c < Math.min(width, column + 2); c++) {
          if (squares[r * width + c] > square) {
            return false;
          }
        }
      }
      return square > 0;
    });
    return 2 * median(ridge.map(Math.sqrt));
  });

  function squaredDistances({ height, width, data }) {
    // From paper in the same column; what is outside is paper.
    const upright = new Float64Array(data.length);
    for (let index = 0; index < data.length; index++) {
      upright[index] = data[index] && (upright[index - width] || 0) + 1;
    }
    for (let index = data.length - 1; index >= 0; index--) {
      const below = index + width < data.length ? upright[index + width] : 0;
      upright[index] = Math.min(upright[index], below + 1);
    }
    return upright.map((distance, index) => {
      const column = index % width;
      let least = distance ** 2;
      for (let away = 1; away ** 2 < least; away++) {
        const left = column < away ? 0 : upright[index - away];
        const right = column + away >= width ? 0 : upright[index + away];
        least = Math.min(least, away ** 2 + Math.min(left, right) ** 2);
      }
      return least;
    });
  }

  function typicalHeight(boxes, paper) {
    const minHeight = MIN_DIGIT_HEIGHT * Math.max(paper.height, paper.width);
    const high = boxes.filter((box) => lengths(box)[0] >= minHeight);
    const wide = high.filter((box) => !isSlender(box));
    const digits = wide.length ? wide : high;
    const unframed = digits.filter((box) => countInside(box, digits) < MIN_INSIDE);
    const inner = unframed.filter((box) => !atEnd(box, paper) && !atSide(box, paper));
    return medianHeight(inner.length ? inner : unframed);
  }

  function isSlender(box) {
    const [tall, wide] = lengths(box);
    return tall > MAX_SLENDER * wide;
  }

  function countInside(outer, boxes) {
    return boxes.filter(
      (box) =>
        box.top > outer.top &&
        box.left > outer.left &&
        box.bottom < outer.bottom &&
        box.right < outer.right
    ).length;
  }

  // Weighted by the areas of the boxes; 0 if there are none.
  function medianHeight(boxes) {
    const sizes = boxes.map(lengths).sort((a, b) => a[0] - b[0]);
    const half = sizes.reduce((sum, [tall, wide]) => sum + tall * wide, 0) / 2;
    let area = 0;
    const middle = sizes.find(([tall, wide]) => (area += tall * wide) >= half);
    return middle ? middle[0] : 0;
  }

  // Links each component to its right neighbour at the same height.
  function toChains(components) {
    const place = ({ box: { left, right } }) => left + right;
    const sorted = [...components].sort((a, b) => place(a) - place(b));
    const chain = sorted.map((_, index) => index);
    const indices = [...chain];
    sorted.forEach(({ box }, index) => {
      const following = indices.filter(
        (other) => other > index && areNeighbours(box, sorted[other].box)
      );
      if (following.length) {
        const nearest = cheapest(following, (other) => sorted[other].box.left);
        const [from, to] = [chain[index], chain[nearest]];
        chain.forEach((each, other) => {
          chain[other] = each === from ? to : each;
        });
      }
    });
    const chains = new Map();
    sorted.forEach((component, index) => {
      const links = chains.get(chain[index]) || [];
      chains.set(chain[index], [...links, component]);
    });
    return [...chains.values()];
  }

  function areNeighbours(box, other) {
    const tall = [box, other].map((each) => lengths(each)[0]);
    const overlap =
      Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
    const gap = other.left - box.right;
    const level = overlap >= MIN_OVERLAP * Math.min(...tall);
    return level && gap <= MAX_GAP * Math.max(...tall);
  }

  return { findStrokes, medianHeight, ownPixels, strokeWidth, toChains };
})();
