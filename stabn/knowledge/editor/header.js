// What stands above and stays in view: the classes, what is said, the way on, the list of keys.

import { button, make } from "./dom.js";
import { help, toggleHelp } from "./keys.js";
import { banner } from "./status.js";
import { command } from "./steps.js";

export function header(view) {
  const { truth, predicted } = view.video;
  const { parts } = view;
  parts.saved = make("span", { class: "se-saved", role: "status" });
  parts.note = make("span", { class: "se-note" });
  parts.helpButton = button("?", "", () => toggleHelp(view), "se-help-button");
  parts.helpButton.setAttribute("aria-label", "list of keys");
  parts.helpButton.setAttribute("aria-expanded", "false");
  const next = view.model.get("can_command")
    ? button("Next video", "Enter", () => command(view), "se-next") : null;
  return make("div", { class: "se-head" },
    make("div", { class: "se-classes" },
      make("p", {}, "This video shows: ", make("strong", { class: "se-truth" }, truth)),
      make("p", {}, "The network answered: ", make("strong", { class: "se-answer" }, predicted),
        truth === predicted ? " (right)" : " (wrong)")),
    make("div", { class: "se-status" }, parts.note, parts.saved),
    make("div", { class: "se-row" }, parts.helpButton, next), banner(view), help(view));
}
