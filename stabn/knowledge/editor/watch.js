// Marking while the video plays: where something begins and ends, or all that passes while a key is
// held.

import { stop } from "./player.js";
import { go, showCurrent, showLevels } from "./show.js";
import { refused } from "./status.js";
import { paint } from "./steps.js";

/** Here it begins. */
export function markIn(view) {
  view.mark = view.current;
  showCurrent(view);
}

/** Here it ends: what lies between is selected, from the first frame on if no beginning was marked. */
export function markOut(view) {
  const { current } = view;
  stop(view);
  view.anchor = view.mark ?? 0;
  view.mark = null;
  go(view, current, true);
}

/** Paint what passes until the key is let go, or the end is reached; all of it is one step. */
export function hold(view, key, level) {
  if (refused(view)) return;
  const { current: first } = view;
  const released = (event) => (event.type === "blur" || event.key === key) && end();
  const quit = () => {
    for (const name of ["keyup", "blur"]) window.removeEventListener(name, released);
  };
  const end = () => {
    quit();
    const { last } = view.drag;
    view.drag = null;
    paint(view, level, [first, last]);
  };
  const before = { anchor: view.anchor, current: view.current };
  view.drag = { kind: "hold", first, last: first, level, before, end, quit };
  for (const name of ["keyup", "blur"]) window.addEventListener(name, released);
  showLevels(view);
}
