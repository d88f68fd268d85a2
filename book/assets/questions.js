// The questions of a chapter answer back. Its Markdown has each one as a paragraph, a list of choices
// (or none, where a number is asked for) and folded answers. Without this script a page is as
// JupyterLab shows it: a choice is made in the head, and the answers unfold.

/** A line for what is said of an answer, read out when it changes. */
function verdictBelow(element) {
  const verdict = document.createElement("div");
  verdict.className = "verdict";
  verdict.setAttribute("role", "status");
  element.after(verdict);
  return verdict;
}

/** What the folded answers say, beside the question: their own stay where they are. */
const copyOf = (said) => [...(said.querySelector("p") ?? said).cloneNode(true).childNodes];

/** Choices become buttons; each shows and hides what the answers say of it. */
function askChoice(choices, answers) {
  choices.classList.add("choices");
  [...choices.children].forEach((choice, i) => {
    const said = answers.querySelector("ol").children[i];
    const button = document.createElement("button");
    button.type = "button";
    button.append(...(choice.querySelector("p") ?? choice).childNodes);
    button.setAttribute("aria-expanded", "false");
    choice.replaceChildren(button);
    const verdict = verdictBelow(button);
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "false";
      button.setAttribute("aria-expanded", String(open));
      choice.className = open ? (isRight(said) ? "right" : "wrong") : "";
      verdict.replaceChildren(...(open ? copyOf(said) : []));
    });
  });
}

const isRight = (said) => said.textContent.trim().startsWith("Right:");

/** The numbers that a text may mean: 0.25, 1/4, 0,25; "1,000" is a thousand or one. */
function readings(text) {
  const bare = text.trim().replace(/[\s_']/g, "").replace(/−/g, "-");
  return [bare.replace(/,/g, ""), bare.replace(/,/g, ".")]
    .map((one) => one.split("/").map((part) => (part === "" ? NaN : Number(part))))
    .map((parts) => (parts.length === 2 ? parts[0] / parts[1] : parts.length === 1 ? parts[0] : NaN))
    .filter(Number.isFinite);
}

/** Whether a number that was typed is the one that is written, to the digits that are written. */
function equals(typed, written) {
  const text = written.replace(/:$/, "");
  const digits = (text.split(".")[1] ?? "").length;
  return readings(typed).some((one) => Math.abs(one - Number(text)) < 0.5000001 * 10 ** -digits);
}

/** A number is typed; the answer knows the usual mistakes. */
function askNumber(question, answers) {
  const form = document.createElement("form");
  form.className = "number";
  form.setAttribute("aria-label", question.querySelector("strong").textContent.replace(/\.$/, ""));
  form.innerHTML =
    '<label>Your answer <input type="text" inputmode="decimal" autocomplete="off" size="9"></label>' +
    '<button type="submit">Check</button>';
  question.after(form);
  const verdict = verdictBelow(form);
  const known = [answers.querySelector("p"), ...answers.querySelectorAll("li")];
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = form.querySelector("input").value;
    const number = (said) => said.querySelector("strong").textContent;
    const said = known.find((one) => equals(typed, number(one)));
    const right = said === known[0];
    verdict.className = `verdict ${right ? "right" : "wrong"}`;
    if (said) verdict.replaceChildren(right ? "Right: " : "No. ", ...copyOf(said));
    else if (readings(typed).length) verdict.textContent = "No. Try again, or unfold the answer.";
    else verdict.textContent = "Please type a number, such as 12, 0.25 or 1/4.";
  });
}

document.addEventListener("DOMContentLoaded", () => {
  for (const answers of document.querySelectorAll("details.answers")) {
    const before = answers.previousElementSibling;
    if (before.matches("ol")) askChoice(before, answers);
    else askNumber(before, answers);
  }
});
