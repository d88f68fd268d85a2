// Time, for a figure that shows one frame at once: a slider through the frames, and a button that
// plays them. Nothing moves before it is pressed.

const PACE = 200; // milliseconds a frame

/**
 * @param numbers of the frames.
 * @param first the place of the one that is seen at first.
 * @param chosen is called with the place of the one that is to be seen.
 */
function playing(numbers, first, chosen) {
  let timer;
  const slider = make("input", {
    ...{ type: "range", min: 0, max: numbers.length - 1, value: first, "data-plays": "" },
    oninput: () => go(Number(slider.value)),
  });
  const number = make("span", { class: "live-value", "aria-hidden": "true" });
  const button = make("button", { type: "button", "data-plays": "", onclick: press });
  const label = make("label", {}, "Frame ", slider, " ", number);
  const tools = make("div", { class: "live-tools live-time" }, button, label);

  function go(t) {
    slider.value = t;
    number.textContent = numbers[t];
    slider.setAttribute("aria-valuetext", `frame ${numbers[t]}`);
    chosen(t);
  }

  function press() {
    if (timer) return stop();
    button.textContent = "Pause";
    timer = setInterval(() => {
      if (button.isConnected) go((Number(slider.value) + 1) % numbers.length);
      else stop(); // another clip stands here
    }, PACE);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }
  stop();
  slider.setAttribute("aria-valuetext", `frame ${numbers[first]}`);
  number.textContent = numbers[first];
  return { tools, stop };
}
