// When: the frames of a clip in a row, under each a bar for its weight. A pointer pulls or paints
// bars, keys move through them; every bar is a slider to those who hear the page. Where M_s is known
// as well, it lies over the frames.

const STEP = 0.05;

/**
 * @param clip what is recorded of it: strip, frames, levels (none, where nobody knows the truth),
 *   signs: whether a sign stands in each frame (none, where none is meant).
 * @param changed is called with the edit whenever the reader has changed a weight.
 */
function framesRow(clip, changed) {
  let weights, own;
  let chosen = 0;
  const snap = make("input", { type: "checkbox" });
  const heated = make("input", { type: "checkbox", onchange: () => showHeat(heated.checked) });
  heated.checked = true;
  const bars = clip.frames.map((number, t) => bar(number, t));
  const { map } = clip.answers[0];
  const large = clip.signs || map ? " live-large" : "";
  const row = make("div", { class: `live-frames${large}`, role: "group" });
  row.append(...bars.map(({ column }) => column));
  row.setAttribute("aria-label", "When: the weight of each frame. Left and right choose a frame");

  function bar(number, t) {
    const column = make("div", { class: "live-frame" });
    const picture = make("span", { class: "live-picture" });
    picture.style.backgroundImage = `url("${new URL(clip.strip, HERE)}")`;
    picture.style.backgroundPosition = `${(100 * t) / (clip.frames.length - 1)}% 0`;
    picture.style.backgroundSize = `${100 * clip.frames.length}% 100%`;
    const sign = clip.signs?.[t];
    const known = clip.levels ? `, truth ${clip.levels[t]}` : "";
    const slider = make("input", {
      ...{ type: "range", min: 0, max: 1, step: "any", tabindex: t ? -1 : 0 },
      "aria-label": `Weight of frame ${number}${known}${sign ? ", with the sign" : ""}`,
      oninput: () => set(t, Number(slider.value)),
      onfocus: () => choose(t),
      onkeydown: (event) => press(event, t),
    });
    const mark = make("span", { class: "live-mark" });
    const well = make("span", { class: "live-well" }, mark, slider);
    well.style.setProperty("--truth", clip.levels?.[t] ?? 0);
    const value = make("span", { class: "live-value", "aria-hidden": "true" });
    const above = make("span", { class: "live-number" }, ...(sign ? [signMark(), " "] : []), `${number}`);
    column.append(above, picture, well, value);
    return { column, picture, well, slider, value };
  }

  function choose(t) {
    bars.forEach(({ slider, column }, other) => {
      slider.tabIndex = other === t ? 0 : -1;
      column.classList.toggle("chosen", other === t);
    });
    chosen = t;
  }

  function press(event, t) {
    const exact = { 0: 0, 5: 0.5, 1: 1, Home: 0, End: 1 }[event.key];
    const by = { ArrowUp: STEP, ArrowDown: -STEP }[event.key];
    const aside = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (exact === undefined && by === undefined && aside === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // the page would turn
    if (aside) bars[(t + aside + bars.length) % bars.length].slider.focus();
    else if (by && snap.checked) set(t, weights[t] + 10 * by);
    else set(t, exact ?? Math.round((weights[t] + by) / STEP) * STEP);
  }

  function set(t, weight) {
    const held = Math.min(1, Math.max(0, weight));
    choose(t);
    weights = weights.slice();
    weights[t] = snap.checked ? Math.round(2 * held) / 2 : held;
    draw();
    changed({ temporal_attention: weights });
  }

  function draw() {
    bars.forEach(({ well, slider, value }, t) => {
      const [now, before] = [weights[t].toFixed(2), own[t].toFixed(2)];
      well.style.setProperty("--now", weights[t]);
      well.style.setProperty("--own", own[t]);
      slider.value = weights[t];
      slider.setAttribute("aria-valuetext", now === before ? now : `${now}, recorded ${before}`);
      value.textContent = now;
    });
  }

  /** The bar under the pointer takes the pointer's height; one drag paints many. */
  function pull(event) {
    for (let t = 0; t < bars.length; t++) {
      const box = bars[t].well.getBoundingClientRect();
      const inside = event.clientX >= box.left - 3 && event.clientX < box.right + 3;
      if (inside && event.clientY > box.top - 30 && event.clientY < box.bottom + 30) {
        set(t, (box.bottom - event.clientY) / box.height);
        return;
      }
    }
  }
  row.addEventListener("pointerdown", (event) => {
    if (event.button || !event.target.closest(".live-well")) return;
    event.preventDefault();
    row.setPointerCapture(event.pointerId);
    pull(event);
    bars[chosen].slider.focus({ preventScroll: true });
  });
  row.addEventListener("pointermove", (event) => {
    if (row.hasPointerCapture(event.pointerId)) pull(event);
  });

  const showHeat = (on) => bars.forEach(({ picture }) => picture.classList.toggle("live-heated", on));

  /** Weights for all frames at once. */
  const put = (given) => {
    weights = given.slice();
    draw();
    changed({ temporal_attention: weights });
  };
  const button = (text, weightsOf) =>
    make("button", { type: "button", onclick: () => put(weightsOf()) }, text);
  const tools = make(
    "div",
    { class: "live-tools" },
    button("Only the chosen frame", () => weights.map((_, t) => Number(t === chosen))),
    button("Shuffle", () => shuffled(weights)),
    button("All 0", () => weights.map(() => 0)),
    button("All 1", () => weights.map(() => 1)),
    ...(clip.levels ? [button("The truth", () => clip.levels)] : []),
    make("label", {}, snap, " three levels only"),
    ...(map ? [make("label", {}, heated, " M_s over the frames")] : []),
  );
  if (map) layHeat(
    shares(map),
    bars.map(({ picture }) => picture),
  );
  const legend = make("p", { class: "live-legend" }, signMark(), " the sign stands in this frame");

  /** The network's own weights, which stay as a mark. */
  function show({ temporal }) {
    [own, weights] = [temporal, temporal.slice()];
    draw();
  }
  return { row: make("div", {}, row, ...(clip.signs?.some(Boolean) ? [legend] : [])), tools, show, put };
}

const signMark = () => make("span", { class: "live-sign", "aria-hidden": "true" });

function shuffled(values) {
  const found = values.slice();
  for (let i = found.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [found[i], found[j]] = [found[j], found[i]];
  }
  return found;
}
