// The page on which a visitor draws numbers: pen and keys in, digits and words out.
"use strict";

(() => {
  const { normalize, paper, reading } = skdigits;

  // Points nearer to each other tell of the screen's pixels, not of the hand.
  const SPACING = 2;

  // How far an arrow key moves the pen.
  const STEP = 8;

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

  // The next one with every call.
  let exampleIndex = 0;

  function showExample() {
    const { examples } = skdigits;
    const drawing = examples[exampleIndex++ % examples.length];
    holder = current = null;
    strokes = drawing.map((stroke) => ({
      points: stroke.split(" ").map((point) => {
        const [x, y] = point.split(",").map(Number);
        return { x, y };
      }),
      width: Number(width.value),
    }));
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
      x: ((clientX - left) / across) * paper.WIDTH,
      y: ((clientY - top) / down) * paper.HEIGHT,
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

  const pen = { x: paper.WIDTH / 2, y: paper.HEIGHT / 4 };
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
      pen.x = Math.min(Math.max(pen.x + across * STEP, 0), paper.WIDTH);
      pen.y = Math.min(Math.max(pen.y + down * STEP, 0), paper.HEIGHT);
    }
    if (holder === "keys") {
      draw({ ...pen });
    }
  }

  function penDown() {
    begin("keys", { ...pen });
    const [x, y] = penPlace().map(Math.round);
    announce(`Pen down, ${x}\u202f% from the left, ${y}\u202f% from the top.`);
  }

  function penUp() {
    announce("Pen up.");
    end();
  }

  function showPen() {
    cursor.hidden = false;
    cursor.classList.toggle("draw-cursor-down", holder === "keys");
    const [x, y] = penPlace();
    cursor.style.left = `${x}%`;
    cursor.style.top = `${y}%`;
  }

  // Percent from the left and from the top.
  function penPlace() {
    return [(100 * pen.x) / paper.WIDTH, (100 * pen.y) / paper.HEIGHT];
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
    const scale = canvas.width / paper.WIDTH;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, paper.WIDTH, paper.HEIGHT);
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
    ["undo", "clear", "save"].forEach((name) => {
      find(name).disabled = strokes.length === 0;
    });
  }

  function fitCanvas() {
    const { width: across } = canvas.getBoundingClientRect();
    canvas.width = Math.round(across * devicePixelRatio);
    canvas.height = (canvas.width * paper.HEIGHT) / paper.WIDTH;
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
    const result = reading.read(paper.rasterize(strokes), paper.HEIGHT, paper.WIDTH);
    showAnswer(result);
    showDigits(result.digits);
  }

  function showAnswer({ digits, text, isEmpty }) {
    const lines = text.split("\n");
    const answer = find("answer");
    find("text").textContent = text;
    answer.style.setProperty("--lines", lines.length);
    answer.style.setProperty("--letters", Math.max(...lines.map((line) => line.length)));
    find("words").textContent = wordsFor(digits, isEmpty);
    const spoken = text && `Reads ${lines.join(", ")}. `;
    root.dataset.spoken = spoken + find("words").textContent;
  }

  function wordsFor(digits, isEmpty) {
    if (!digits.length) {
      return isEmpty ? "The result appears here." : "No digits found.";
    }
    if (digits.some(({ status }) => status === "cut")) {
      return "Leave some paper around each digit.";
    }
    if (digits.some(({ status }) => status === "unsure")) {
      return "Not sure of each digit.";
    }
    const lowest = percent(Math.min(...digits.map(({ confidence }) => confidence)));
    return `${digits.length > 1 ? "Lowest confidence" : "Confidence"}: ${lowest}`;
  }

  // No network is certain: what would round to 100 % is over 99 %.
  function percent(share) {
    return share > 0.995 ? ">99\u202f%" : `${Math.round(100 * share)}\u202f%`;
  }

  function showDigits(digits) {
    find("digits").replaceChildren(
      ...digits.map(({ image, label, confidence, status }) => {
        const item = document.createElement("li");
        const seen = makeCanvas(normalize.SIZE, normalize.SIZE, image);
        const sign = document.createElement("strong");
        sign.textContent = status === "ok" ? label : `${label}?`;
        item.append(seen, sign, ` ${percent(confidence)}`);
        return item;
      })
    );
    find("seen").hidden = !digits.length;
  }

  function makeCanvas(across, down, greys) {
    const made = document.createElement("canvas");
    [made.width, made.height] = [across, down];
    const pixels = new ImageData(across, down);
    greys.forEach((value, index) => {
      pixels.data.set([value, value, value, 255], 4 * index);
    });
    made.getContext("2d").putImageData(pixels, 0, 0);
    return made;
  }

  // What is saved is what is read.
  function save() {
    const link = document.createElement("a");
    link.download = "drawing.png";
    link.href = makeCanvas(
      paper.WIDTH,
      paper.HEIGHT,
      paper.rasterize(strokes)
    ).toDataURL();
    link.click();
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
  find("example").addEventListener("click", showExample);
  find("save").addEventListener("click", save);

  root.hidden = false;
  new ResizeObserver(fitCanvas).observe(canvas);
  // The theme's switch changes the colour of ink.
  new MutationObserver(paint).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
  paint();
  read();
})();
