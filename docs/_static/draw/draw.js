// The page on which a visitor draws a digit: pen and keys in, pictures and words out.
"use strict";

(() => {
  const { network, normalize, paper } = skdigits;

  // Below this a digit is more likely wrong than right: that of read_digits.
  const LEAST_CONFIDENCE = 0.5;

  // Points nearer to each other tell of the screen's pixels, not of the hand.
  const SPACING = 2;

  // How far an arrow key moves the pen.
  const STEP = 6;

  // Milliseconds between readings while the pen moves, and of rest before a screen
  // reader is told.
  const READING = 60;
  const SILENCE = 600;

  const ARROWS = {
    ArrowDown: [0, 1],
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
  };

  const PROBLEMS = {
    blank: () => "Draw a digit, from 0 to 9.",
    cut: (side) => `Leave some paper ${side ? `at the ${side}` : "around the digit"}.`,
    several: () => "Several digits. Draw one at a time.",
  };

  const root = document.querySelector(".draw");
  const find = (name) => root.querySelector(`.draw-${name}`);
  const sheet = find("paper");
  const canvas = find("ink");
  const cursor = find("cursor");
  const width = find("width");

  // A stroke has `points` and a `width`, in pixels of what is read.
  let strokes = [];
  // The stroke that is being drawn, and by which pointer, or "keys".
  let current = null;
  let holder = null;
  let decoded = null;

  // Drawing.

  function begin(by, point) {
    holder = by;
    current = { points: [point], width: Number(width.value) };
    strokes.push(current);
    changed();
  }

  function draw(point) {
    const last = current.points[current.points.length - 1];
    if (paper.apart(last, point) >= SPACING) {
      current.points.push(point);
      changed();
    }
  }

  function end() {
    holder = current = null;
    read();
    announceSoon();
  }

  function undo() {
    holder = current = null;
    strokes.pop();
    show();
  }

  function clear() {
    holder = current = null;
    strokes = [];
    show();
  }

  function show() {
    paint();
    read();
    announceSoon();
  }

  function changed() {
    requestAnimationFrame(paint);
    readSoon();
  }

  // Pointers: mouse, pen or finger, one at a time.

  function place({ clientX, clientY }) {
    const { left, top, width: across, height: down } = canvas.getBoundingClientRect();
    return {
      x: ((clientX - left) / across) * paper.SIDE,
      y: ((clientY - top) / down) * paper.SIDE,
    };
  }

  function pointerDown(event) {
    if (event.button !== 0 || (holder !== null && holder !== "keys")) {
      return;
    }
    // So that a stroke goes on outside, and comes back in.
    sheet.setPointerCapture(event.pointerId);
    begin(event.pointerId, place(event));
  }

  function pointerMove(event) {
    if (event.pointerId === holder) {
      // Between two frames a pen reports several places.
      const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      (events.length ? events : [event]).map(place).forEach(draw);
    }
  }

  function pointerUp(event) {
    if (event.pointerId === holder) {
      draw(place(event));
      end();
    }
  }

  // Keys.

  const pen = { x: paper.SIDE / 2, y: paper.SIDE / 4 };
  const held = new Set();

  function keyDown(event) {
    const known = event.ctrlKey || event.metaKey ? COMMANDS : KEYS;
    if (event.altKey || holder > 0) {
      return;
    }
    if (event.key in ARROWS && known === KEYS) {
      event.preventDefault();
      held.add(event.key);
      movePen();
    } else if (event.key in known) {
      event.preventDefault();
      known[event.key]();
    }
    showPen();
  }

  const COMMANDS = { z: undo };
  const KEYS = {
    " ": () => (holder ? penUp() : penDown()),
    Escape: () => holder && penUp(),
    Delete: clear,
    Backspace: undo,
  };

  // Of two keys held at once, both: a slope.
  function movePen() {
    for (const [across, down] of [...held].map((key) => ARROWS[key])) {
      pen.x = Math.min(Math.max(pen.x + across * STEP, 0), paper.SIDE);
      pen.y = Math.min(Math.max(pen.y + down * STEP, 0), paper.SIDE);
    }
    if (holder === "keys") {
      draw({ ...pen });
    }
  }

  function penDown() {
    begin("keys", { ...pen });
    const [x, y] = [pen.x, pen.y].map((place) => Math.round(onSheet(place)));
    announce(`Pen down, ${x}\u202f% from the left, ${y}\u202f% from the top.`);
  }

  function penUp() {
    announce("Pen up.");
    end();
  }

  function showPen() {
    cursor.hidden = false;
    cursor.classList.toggle("draw-cursor-down", holder === "keys");
    cursor.style.left = `${onSheet(pen.x)}%`;
    cursor.style.top = `${onSheet(pen.y)}%`;
  }

  function onSheet(place) {
    return (100 * place) / paper.SIDE;
  }

  function leave() {
    held.clear();
    if (holder === "keys") {
      penUp();
    }
    cursor.hidden = true;
  }

  // What is on the paper, as sharp as the screen.

  function paint() {
    const context = canvas.getContext("2d");
    const scale = canvas.width / paper.SIDE;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, paper.SIDE, paper.SIDE);
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = getComputedStyle(sheet).color;
    for (const stroke of strokes) {
      const [first, ...rest] = paper.smooth(stroke.points);
      context.lineWidth = stroke.width;
      context.beginPath();
      context.moveTo(first.x, first.y);
      // A line to where it begins is a dot.
      (rest.length ? rest : [first]).forEach(({ x, y }) => context.lineTo(x, y));
      context.stroke();
    }
    find("hint").hidden = strokes.length > 0;
    find("undo").disabled = find("clear").disabled = strokes.length === 0;
  }

  function fitCanvas() {
    const { width: across } = canvas.getBoundingClientRect();
    canvas.width = canvas.height = Math.round(across * devicePixelRatio);
    paint();
  }

  // Reading.

  let timer = null;

  function readSoon() {
    timer = timer || setTimeout(read, READING);
  }

  function read() {
    clearTimeout(timer);
    timer = null;
    decoded = decoded || network.decode(skdigits.weights);
    const seen = normalize.normalize(paper.rasterize(strokes), paper.SIDE);
    const chances = seen.image && network.probabilities(decoded, seen.image);
    showSeen(seen.image || new Uint8Array(normalize.SIZE ** 2));
    showVerdict(verdict(seen, chances));
    showChances(chances);
  }

  // {sign, words, spoken}: what is large, what is beside it, and what is said.
  function verdict({ problem, side }, chances) {
    if (problem) {
      const words = PROBLEMS[problem](side);
      return { sign: "", words, spoken: words };
    }
    const best = Math.max(...chances);
    const digit = chances.indexOf(best);
    if (best < LEAST_CONFIDENCE) {
      const words = `Not sure. Perhaps ${digit}, ${percent(best)}.`;
      return { sign: "?", words, spoken: words };
    }
    const spoken = `Reads ${digit}, ${percent(best)}.`;
    return { sign: digit, words: percent(best), spoken };
  }

  // No network is certain: what would round to 100 % is over 99 %.
  function percent(share) {
    return share > 0.995 ? ">99\u202f%" : `${Math.round(100 * share)}\u202f%`;
  }

  function showSeen(image) {
    const pixels = new ImageData(normalize.SIZE, normalize.SIZE);
    image.forEach((value, index) => {
      pixels.data.set([value, value, value, 255], 4 * index);
    });
    find("seen").getContext("2d").putImageData(pixels, 0, 0);
  }

  function showVerdict({ sign, words, spoken }) {
    find("sign").textContent = sign;
    find("words").textContent = words;
    root.dataset.spoken = spoken;
  }

  function showChances(chances) {
    const best = chances ? chances.indexOf(Math.max(...chances)) : -1;
    root.querySelectorAll("tbody tr").forEach((row, digit) => {
      const chance = chances ? chances[digit] : 0;
      row.classList.toggle("draw-best", digit === best);
      row.querySelector(".draw-bar").style.setProperty("--chance", chance);
      row.querySelector(".draw-chance").textContent = chances ? percent(chance) : "–";
    });
  }

  // Screen readers are told when the hand rests, not at every point.

  let silence = null;

  function announceSoon() {
    clearTimeout(silence);
    silence = setTimeout(() => announce(root.dataset.spoken), SILENCE);
  }

  function announce(text) {
    clearTimeout(silence);
    find("status").textContent = text;
  }

  // The page.

  sheet.addEventListener("pointerdown", pointerDown);
  sheet.addEventListener("pointermove", pointerMove);
  sheet.addEventListener("pointerup", pointerUp);
  sheet.addEventListener("pointercancel", pointerUp);
  sheet.addEventListener("keydown", keyDown);
  sheet.addEventListener("keyup", (event) => held.delete(event.key));
  sheet.addEventListener("blur", leave);
  find("undo").addEventListener("click", undo);
  find("clear").addEventListener("click", clear);

  root.hidden = false;
  new ResizeObserver(fitCanvas).observe(canvas);
  // The theme's switch changes the colour of ink.
  new MutationObserver(paint).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
  paint();
  read();
})();
