// Strokes as grey pixels.
//
// The page does not read pixels back from its canvas: browsers smooth edges each in
// their own way, and those that guard against fingerprinting give noise. What is read
// is drawn here, the same everywhere, whatever the screen.
"use strict";

globalThis.skdigits = globalThis.skdigits || {};

skdigits.paper = (() => {
  // Pixels of what is read. skdigits does not resize images of this size.
  const WIDTH = 600;
  const HEIGHT = 400;

  // A curve is made of lines about this long.
  const PART = 4;

  // A hand moves in curves, a mouse reports corners: through the middles between
  // points goes a curve that the points pull to themselves.
  function smooth(points) {
    if (points.length < 3) {
      return points;
    }
    const curve = [points[0]];
    for (let index = 1; index < points.length - 1; index++) {
      const point = points[index];
      const from = index === 1 ? points[0] : middle(points[index - 1], point);
      const last = index === points.length - 2;
      const to = last ? points[index + 1] : middle(point, points[index + 1]);
      const parts = Math.ceil(apart(from, to) / PART) || 1;
      for (let part = 1; part <= parts; part++) {
        curve.push(bend(from, point, to, part / parts));
      }
    }
    return curve;
  }

  function middle(a, b) {
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  }

  // Math.hypot takes ten times as long.
  function apart(a, b) {
    return Math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2);
  }

  function bend(from, pull, to, t) {
    const [a, b, c] = [(1 - t) * (1 - t), 2 * t * (1 - t), t * t];
    return {
      x: a * from.x + b * pull.x + c * to.x,
      y: a * from.y + b * pull.y + c * to.y,
    };
  }

  // Greys of a drawing, row by row: 255 for paper, 0 for ink. A stroke has `points`
  // and a `width`, both in pixels of the result.
  function rasterize(strokes) {
    const grey = new Uint8Array(WIDTH * HEIGHT).fill(255);
    for (const { points, width } of strokes) {
      const curve = smooth(points);
      for (let index = 0; index < curve.length; index++) {
        drawLine(grey, curve[Math.max(0, index - 1)], curve[index], width / 2);
      }
    }
    return grey;
  }

  // A line with round ends. Its edges are a pixel of greys wide.
  function drawLine(grey, from, to, radius) {
    const reach = radius + 1;
    const [left, right] = span(from.x, to.x, reach, WIDTH);
    const [top, bottom] = span(from.y, to.y, reach, HEIGHT);
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const away = fromLine({ x: column + 0.5, y: row + 0.5 }, from, to);
        const ink = Math.min(Math.max(radius + 0.5 - away, 0), 1);
        const index = row * WIDTH + column;
        grey[index] = Math.min(grey[index], Math.round(255 * (1 - ink)));
      }
    }
  }

  function span(a, b, reach, size) {
    const first = Math.floor(Math.min(a, b) - reach);
    const last = Math.ceil(Math.max(a, b) + reach);
    return [Math.max(0, first), Math.min(size, last)];
  }

  function fromLine(point, from, to) {
    const [across, down] = [to.x - from.x, to.y - from.y];
    const length = across * across + down * down;
    const along = (point.x - from.x) * across + (point.y - from.y) * down;
    const share = length ? Math.min(Math.max(along / length, 0), 1) : 0;
    return apart(point, { x: from.x + share * across, y: from.y + share * down });
  }

  return { HEIGHT, WIDTH, apart, rasterize, smooth };
})();
