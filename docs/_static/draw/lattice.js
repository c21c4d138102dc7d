// The best path through windows of neighbouring pieces: skdigits/images/_lattice.py.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.lattice = (() => {
  const { crop, dilate, largest, lengths, map, median } = skdigits.images;
  const { padded, remember, roundHalfEven, union } = skdigits.images;
  const { probabilities } = skdigits.network;
  const { normalize } = skdigits.normalize;
  const { medianHeight } = skdigits.strokes;
  const { MAX_PIECES, MIN_HEIGHT, MAX_HEIGHT, MAX_WIDTH, MIN_LINE_HEIGHT } =
    skdigits.constants.lattice;
  const { MIN_HIGH, MAX_BAR_WIDTH, MAX_BARS, MIN_ABREAST, JOINT_WEIGHT } =
    skdigits.constants.lattice;
  const { WINDOW_WEIGHTS, SKIP_WEIGHTS, OTHER_WEIGHTS } = skdigits.constants.lattice;

  const { log, max, min } = Math;

  // {digits, left}: the windows of the best path, and the number of components that
  // have the height of a digit and are not part of one.
  function readLine(chain, labels, ink, pageHeight) {
    const height = medianHeight(chain.map(({ box }) => box));
    if (height < MIN_LINE_HEIGHT * pageHeight) {
      return { digits: [], left: 0 };
    }
    const pieces = skdigits.pieces.toPieces(chain, labels, height);
    const windows = makeWindows(pieces, labels, ink, height);
    if (!windows.length) {
      return { digits: [], left: 0 };
    }
    const scores = windowFeatures(windows, pieces, height, pageHeight).map((features) =>
      dot(features, WINDOW_WEIGHTS)
    );
    const skips = pieces.map((piece) => dot(skipFeatures(piece, height), SKIP_WEIGHTS));
    const { path, score } = bestPath(windows, scores, skips, pieces);
    // Skipping all pieces is the alternative, and a line that is not of digits.
    const none = skips.reduce((sum, skip) => sum + skip, 0);
    const other = dot(lineFeatures(pieces, height), OTHER_WEIGHTS);
    const digits = score - none > max(0, other) ? path : [];
    const used = (index) =>
      digits.some(({ first, stop }) => first <= index && index < stop);
    const unused = pieces.filter(
      ({ box }, index) => !used(index) && lengths(box)[0] >= MIN_HIGH * height
    );
    const left = new Set(unused.map(({ component }) => component)).size;
    return { digits, left };
  }

  // Windows are {first, stop, box, image, probabilities}.
  function makeWindows(pieces, labels, ink, height) {
    const found = [];
    for (let first = 0; first < pieces.length; first++) {
      let { box } = pieces[first];
      const last = min(first + MAX_PIECES, pieces.length);
      for (let stop = first + 1; stop <= last; stop++) {
        box = union(box, pieces[stop - 1].box);
        const [tall, wide] = lengths(box);
        if (wide > MAX_WIDTH * height || tall > MAX_HEIGHT * height) {
          break;
        }
        if (max(tall, wide) >= MIN_HEIGHT * height) {
          const parts = pieces.slice(first, stop).map(({ label }) => label);
          const digit = readDigit(cutOut(labels, ink, parts, box));
          found.push({ first, stop, box, ...digit });
        }
      }
    }
    return found;
  }

  const readDigit = remember((alone) => {
    const strongest = largest(alone.data);
    const image = normalize(map(alone, (value) => value / strongest));
    return { image, probabilities: probabilities(image) };
  });

  // Pieces without their neighbours.
  function cutOut(labels, ink, parts, box) {
    const margin = max(2, roundHalfEven(max(...lengths(box)) / 20));
    const around = padded(box, margin, ink);
    const inside = crop(labels, around);
    const near = dilate(map(inside, (label) => Number(parts.includes(label))), margin);
    return map(crop(ink, around), (value, index) => {
      const label = inside.data[index];
      return near.data[index] && (label === 0 || parts.includes(label)) ? value : 0;
    });
  }

  function windowFeatures(windows, pieces, height, pageHeight) {
    const middleOf = ({ top, bottom }) => (top + bottom) / 2;
    const centre = median(pieces.map(({ box }) => middleOf(box)));
    return windows.map(({ first, stop, box, probabilities: chances }) => {
      const [best, second] = [...chances].sort((a, b) => b - a);
      const label = chances.indexOf(best);
      const inside = pieces.slice(first, stop);
      const [tall, wide] = lengths(box);
      const lower = max(0, log((0.8 * height) / tall));
      const higher = max(0, log(tall / height / 1.15));
      const gaps = inside
        .slice(1)
        .map((piece, index) => piece.box.left - inside[index].box.right);
      return [
        log(best),
        log(best + second),
        1,
        -log(1 - best + 1e-3),
        lower * (label === 0),
        lower * (label === 1),
        higher,
        higher * (label === 1),
        max(0, wide / height - 0.9),
        max(0, max(0, ...gaps) / height - 0.05),
        min(inside[0].cutBefore + inside[inside.length - 1].cutAfter, 6),
        new Set(inside.map(({ component }) => component)).size - 1,
        max(0, Math.abs(middleOf(box) - centre) / height - 0.15),
        min(0, log(tall / pageHeight / 0.6)) - max(0, log(tall / pageHeight / 1.6)),
        // A drawing has no ink that is paler than the rest.
        0,
      ];
    });
  }

  function skipFeatures({ box }, height) {
    const [tall, wide] = lengths(box).map((length) => length / height);
    return [1, min(max(tall, wide), 1), min(tall, 1), max(tall - 1.4, 0)];
  }

  function lineFeatures(pieces, height) {
    const components = new Map();
    for (const { component, box } of pieces)
      components.set(component, [...(components.get(component) || []), box]);
    let high = 0;
    let bars = 0;
    for (const boxes of components.values()) {
      const box = boxes.reduce(union);
      if (boxes.some((each) => lengths(each)[0] >= MIN_HIGH * height)) high += 1;
      // A component as wide as a digit is not a bar although its pieces may be.
      for (const [tall, wide] of (lengths(box)[1] <= height ? [box] : boxes).map(lengths))
        bars += tall >= MIN_HIGH * height && wide <= MAX_BAR_WIDTH * tall ? 1 : 0;
    }
    return [1, high, max(0, bars - MAX_BARS * high)];
  }

  function dot(features, weights) {
    return features.reduce((sum, each, index) => sum + each * weights[index], 0);
  }

  function bestPath(windows, scores, skips, pieces) {
    // The best path to each piece, and the best one that ends with a window there.
    const best = [{ score: 0, path: [] }];
    const closed = [{ score: -Infinity, path: [] }];
    skips.forEach((skip, index) => {
      let ending = { score: -Infinity, path: [] };
      windows.forEach((window, number) => {
        if (window.stop === index + 1) {
          const joined = closed[window.first];
          // The cut between two digits is one cut.
          const abreast = joined.path.length && areAbreast(joined.path.at(-1), window);
          const joint = abreast ? JOINT_WEIGHT * pieces[window.first].cutBefore : 0;
          const before = better(best[window.first], {
            score: joined.score + joint,
            path: joined.path,
          });
          ending = better(ending, {
            score: before.score + scores[number],
            path: [...before.path, window],
          });
        }
      });
      closed.push(ending);
      const skipped = { score: best[index].score + skip, path: best[index].path };
      best.push(better(skipped, ending));
    });
    return best[skips.length];
  }

  function areAbreast({ box: one }, { box: two }) {
    const common = min(one.bottom, two.bottom) - max(one.top, two.top);
    return common >= MIN_ABREAST * min(lengths(one)[0], lengths(two)[0]);
  }

  function better(first, second) {
    return second.score > first.score ? second : first;
  }

  return { readLine };
})();
