// Components cut where digits may touch: skdigits/images/_pieces.py.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.pieces = (() => {
  const { cheapest, lengths, mean, remember, roundHalfEven, union } = skdigits.images;
  const { ownPixels, strokeWidth } = skdigits.strokes;
  const { MIN_SIZE, MIN_CUT_WIDTH, MIN_CUT_HEIGHT, MAX_CUTS, MAX_CROSSED, MIN_PIECE } =
    skdigits.constants.pieces;
  const DIAGONAL = Math.fround(skdigits.constants.pieces.DIAGONAL);
  const { fround } = Math;

  // Pieces are {label, box, component, cutBefore, cutAfter}; the labels are changed.
  function toPieces(chain, labels, height) {
    return chain.flatMap((component) => {
      const [tall, wide] = lengths(component.box);
      const own = ownPixels(labels, component);
      if (Math.max(tall, wide) < MIN_SIZE * height) {
        relabel(labels, component.box, own, () => 0);
        return [];
      }
      const mayTouch =
        wide >= MIN_CUT_WIDTH * height && tall >= MIN_CUT_HEIGHT * height;
      return divide(component, own, labels, mayTouch ? findCuts(own, height) : []);
    });
  }

  function divide(component, own, labels, cuts) {
    const first = labels.data.reduce((most, each) => Math.max(most, each), 0) + 1;
    const boxes = [];
    relabel(labels, component.box, own, (row, column) => {
      const part = cuts.filter(({ seam }) => column >= seam[row]).length;
      const [y, x] = [component.box.top + row, component.box.left + column];
      const pixel = { top: y, left: x, bottom: y + 1, right: x + 1 };
      boxes[part] = boxes[part] ? union(boxes[part], pixel) : pixel;
      return first + part;
    });
    // Cuts that cross each other may leave nothing between them.
    const found = [...boxes].map((box, part) => ({ box, part })).filter(({ box }) => box);
    const crossed = [0, ...found.slice(1).map(({ part }) => cuts[part - 1].ink), 0];
    return found.map(({ box, part }, index) => ({
      label: first + part,
      box,
      component,
      cutBefore: crossed[index],
      cutAfter: crossed[index + 1],
    }));
  }

  function relabel(labels, { top, left }, own, labelOf) {
    own.data.forEach((value, index) => {
      if (value) {
        const [row, column] = [Math.floor(index / own.width), index % own.width];
        const place = (top + row) * labels.width + left + column;
        labels.data[place] = labelOf(row, column);
      }
    });
  }

  // Paths from top to bottom that cross little ink, from left to right: {seam, ink},
  // the column of the path in each row, and the ink in widths of the stroke.
  const findCuts = remember((own, height) => {
    const { height: tall, width: wide } = own;
    const stroke = strokeWidth(own);
    const cost = Float32Array.from(own.data, (value) => value / stroke);
    const above = cheapestPaths(rowsOf(cost, wide));
    const below = cheapestPaths(rowsOf(cost, wide).reverse()).reverse();
    const margin = Math.max(2, roundHalfEven(MIN_PIECE * height));
    const cuts = [];
    for (const row of [tall >> 1, tall >> 2, Math.floor((3 * tall) / 4)]) {
      const through = above[row].map((value, column) =>
        fround(fround(value + below[row][column]) - cost[row * wide + column])
      );
      for (const place of valleys(through, margin)) {
        const ink = through[Math.min(place, wide - 1)];
        if (place < margin || place > wide - margin || ink > MAX_CROSSED) {
          continue;
        }
        const up = trace(above.slice(0, row + 1).reverse(), place);
        const down = trace(below.slice(row), place);
        const seam = [...up.reverse(), ...down.slice(1)];
        const sides = new Set();
        own.data.forEach((value, pixel) => {
          if (value) {
            sides.add(pixel % wide >= seam[Math.floor(pixel / wide)]);
          }
        });
        if (sides.size < 2) {
          continue; // all ink is on one side
        }
        if (cuts.every((other) => distance(seam, other.seam) > margin / 2)) {
          cuts.push({ seam, ink });
        }
      }
    }
    const most = Math.max(1, roundHalfEven((MAX_CUTS * wide) / height));
    return cuts
      .sort((a, b) => a.ink - b.ink)
      .slice(0, most)
      .sort((a, b) => mean(a.seam) - mean(b.seam));
  });

  function rowsOf(data, width) {
    const count = data.length / width;
    return Array.from({ length: count }, (_, row) =>
      data.slice(row * width, (row + 1) * width)
    );
  }

  // Cost of the cheapest path from the first row to each pixel.
  function cheapestPaths(rows) {
    const totals = [rows[0]];
    for (const row of rows.slice(1)) {
      const before = totals[totals.length - 1];
      totals.push(
        row.map((value, column) => {
          const left = column > 0 ? before[column - 1] : Infinity;
          const right = column < row.length - 1 ? before[column + 1] : Infinity;
          const step = fround(Math.min(left, right) + DIAGONAL);
          return value + Math.min(before[column], step);
        })
      );
    }
    return totals;
  }

  // Middles of the runs that are hardly above the lowest value nearby.
  function valleys(values, reach) {
    const found = [];
    let start = null;
    for (let column = 0; column <= values.length; column++) {
      const near = values.subarray(Math.max(0, column - reach), column + reach + 1);
      const limit = fround(Math.min(...near) + fround(0.02));
      const isLow = column < values.length && values[column] <= limit;
      if (isLow && start === null) {
        start = column;
      } else if (!isLow && start !== null) {
        found.push((start + column) >> 1);
        start = null;
      }
    }
    return found;
  }

  // Columns of the cheapest path from the first row on.
  function trace(totals, start) {
    const path = [start];
    for (const row of totals.slice(1)) {
      const column = path[path.length - 1];
      const near = [column - 1, column, column + 1].filter((c) => c in row);
      // Python adds and subtracts the step, in float32.
      const cost = (c) => {
        const step = fround(row[c] + DIAGONAL);
        return c === column ? fround(step - DIAGONAL) : step;
      };
      path.push(cheapest(near, cost));
    }
    return path;
  }

  function distance(seam, other) {
    return mean(seam.map((column, row) => Math.abs(column - other[row])));
  }

  return { toPieces };
})();
