// What each key does, and the list of keys.

import { make } from "./dom.js";
import { cancelDrag } from "./drag.js";
import { STEP, say } from "./levels.js";
import { changeSpeed, stop, toggleLoop, togglePlay } from "./player.js";
import { focusCurrent, go } from "./show.js";
import { touch } from "./status.js";
import { command, fill, nudge, paint, step } from "./steps.js";
import { LEVELS, take } from "./tools.js";
import { hold, markIn, markOut } from "./watch.js";

const LEAP = 10; // frames

const KEYS = [
  ["1", "set the frame, or the selected frames, to 1: the action"],
  ["5", "set them to 0.5: context"],
  ["0", "set them to 0: irrelevant"],
  ["1, 5 or 0, held", "while the video plays: set all frames that pass"],
  ["i, then o", "select from here to there, also while the video plays"],
  ["← →", "go to the frame before, after"],
  ["Page ↑ ↓", "ten frames back, on"],
  ["Home  End", "first, last frame"],
  ["Shift + any of these", "select the frames on the way"],
  ["Shift + click", "select from the current frame to this one"],
  ["↑ ↓", "level up, down by 0.05"],
  ["f", "fill: a straight line between the two ends of the selection"],
  ["s", "smooth the whole video a little"],
  ["Ctrl + Z", "undo (⌘ Z on a Mac)"],
  ["Ctrl + Y", "redo (also Ctrl + Shift + Z)"],
  ["Space", "play, pause (a selection plays by itself)"],
  ["<  >", "play slower, faster"],
  ["l", "play in a loop, or once"],
  ["w", "show or hide where the network looks"],
  ["z", "draw the frames of a long video larger, or small again"],
  ["Enter", "next video"],
  ["Esc", "give up a drag, end the selection"],
];

export function onKey(view, event) {
  const { target, key } = event;
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  const typing = target === view.parts.level;
  if (typing) {
    target.dirty = !["Enter", "Escape"].includes(key);
    if (target.dirty) return;
    if (key === "Escape") target.value = say(view.levels[view.current]);
    focusCurrent(view); // which makes the browser commit what was typed
    return;
  }
  const control = target.closest("button, input, select");
  const own = key === " " || (key === "Enter" && control?.tagName === "BUTTON");
  if (control && own && control.type !== "range") return;
  if (control?.tagName === "SELECT" && (key === "Enter" || key.startsWith("Arrow"))) return;
  const held = event.repeat && (key === "Enter" || key === " "); // one press, one video
  if (held || (view.drag && key !== "Escape")) return event.preventDefault();
  const act = action(view, event);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  if (key !== "Enter") touch(view);
  const moves = key.startsWith("Arrow") || key.startsWith("Page") || key === "Home" || key === "End";
  if (view.playing && moves) stop(view);
  act();
  if (moves) focusCurrent(view);
}

/** What a key does; undefined where it is not ours. */
function action(view, event) {
  const { key, shiftKey: shift } = event;
  if (event.ctrlKey || event.metaKey) {
    const letter = key.toLowerCase();
    if (letter === "z") return () => step(view, shift ? "redo" : "undo");
    if (letter === "y") return () => step(view, "redo");
    if (letter === "s") return () => {}; // all is saved as it is made; no browser's dialog
    return undefined;
  }
  if (event.altKey) return undefined;
  const last = view.levels.length - 1;
  const chosen = LEVELS.find((tool) => tool.key === key);
  if (chosen) {
    return () => (view.playing ? hold(view, key, chosen.level) : paint(view, chosen.level));
  }
  return {
    ArrowLeft: () => go(view, view.current - 1, shift),
    ArrowRight: () => go(view, view.current + 1, shift),
    PageUp: () => go(view, view.current - LEAP, shift),
    PageDown: () => go(view, view.current + LEAP, shift),
    ArrowUp: () => nudge(view, STEP),
    ArrowDown: () => nudge(view, -STEP),
    Home: () => go(view, 0, shift),
    End: () => go(view, last, shift),
    f: () => fill(view),
    s: () => step(view, "smooth"),
    i: () => markIn(view),
    o: () => markOut(view),
    l: () => toggleLoop(view),
    "<": () => changeSpeed(view, -1),
    ">": () => changeSpeed(view, 1),
    w: () => view.parts.overlay?.click(),
    z: () => view.parts.larger?.click(),
    " ": () => togglePlay(view),
    Enter: () => command(view),
    "?": () => toggleHelp(view),
    Escape: () => escape(view),
  }[key];
}

/** Give up the one thing that is under way: a drag, the list of keys, a level in hand, a selection. */
function escape(view) {
  if (view.drag) return cancelDrag(view);
  if (!view.parts.help.hidden) return toggleHelp(view);
  if (view.tool) return take(view, null);
  view.mark = null;
  go(view, view.current);
  view.chosen = false;
}

export function help(view) {
  const rows = KEYS.map(([key, what]) =>
    make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, key)), make("td", {}, what)));
  view.parts.help = make("section", { class: "se-help", hidden: true, "aria-label": "keys" },
    make("p", { class: "se-headline" }, "Keys, while the editor has the focus (click on a frame)"),
    make("table", {}, make("tbody", {}, ...rows)),
    make("p", {}, "Mouse: drag a bar up or down to set one frame. Drag sideways, over bars or pictures, to ",
      "select frames, then choose a level; or, with no frame chosen (Esc), choose a level first and ",
      "drag it across frames. Where equal bars begin or end, drag that edge along. A level says how much the network should look at a ",
      "frame: 0 irrelevant, 0.5 context, 1 the action itself."));
  return view.parts.help;
}

export function toggleHelp(view) {
  const { help: panel, helpButton } = view.parts;
  panel.hidden = !panel.hidden;
  helpButton.setAttribute("aria-expanded", String(!panel.hidden));
  if (!panel.hidden) panel.scrollIntoView({ block: "nearest" });
}
