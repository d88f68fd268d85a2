// A video of the reader's own: where it is dropped, chosen or filmed, and what is said meanwhile.

class Abandoned extends Error {}

/**
 * Two buttons and a line of words; a file dropped anywhere on the page does as the first.
 *
 * @param wanted what the network reads: frames, size, fraction of the short side.
 * @param taken gets the clip, and may take its time; `stop()` throws once another file has come.
 */
function videoDoor(wanted, taken) {
  const place = make("div", { class: "live-yours", "data-video": "none" });
  const state = make("p", { role: "status" }, `Or drop a file anywhere on this page. ${PRIVATE}`);
  const input = make("input", { type: "file", accept: "video/*", hidden: "" });
  const button = make("button", { type: "button", onclick: () => input.click() }, "Your video …");
  const preview = make("video", { muted: "", playsinline: "", hidden: "", "aria-label": "Your camera" });
  const film = make("button", { type: "button", onclick: record }, `Record ${FILMED} seconds`);
  let [latest, recordings] = [0, 0];

  function say(what, words) {
    place.dataset.video = what;
    state.textContent = words;
  }

  const open = (file) => take(file.name, (said) => clipOf(file, wanted, said));

  function record() {
    if (!preview.hidden) return; // it records
    recordings += 1;
    take(`camera ${recordings}`, async (said) => {
      preview.hidden = false;
      try {
        return await filmed(wanted, preview, said);
      } finally {
        preview.hidden = true;
      }
    });
  }

  /** The clip that `read` gives goes to the network. */
  async function take(title, read) {
    const turn = ++latest;
    const stop = () => {
      if (turn !== latest) throw new Abandoned();
    };
    const said = (words) => {
      stop();
      say("reading", `${title}: ${words}`);
    };
    try {
      if (typeof WebAssembly === "undefined") {
        throw new Error("Nothing here could look at it: this browser has no WebAssembly.");
      }
      said("Opening …");
      const clip = await read(said);
      said("The network looks at it …");
      await taken({ title, strip: stripOf(clip.pixels, wanted), ...clip }, stop);
      stop();
      const few = clip.count < wanted.frames ? " Fewer than a clip has, so some are seen again." : "";
      const frames = clip.count === 1 ? "one frame" : `${clip.count} frames`;
      say("shown", `${title}: ${frames}.${few} It was read in this page, and went nowhere.`);
    } catch (error) {
      if (!(error instanceof Abandoned) && turn === latest) say("refused", `${title}: ${error.message}`);
    }
  }

  input.addEventListener("change", () => {
    if (input.files.length) open(input.files[0]);
    input.value = ""; // the same file can be chosen again
  });
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault(); // the browser would leave the page for it
    open(file);
  });
  place.append(button, input, film, state, preview);
  return place;
}

/** What the network reads, side by side, as the address of a picture. */
function stripOf(pixels, { frames, size }) {
  const canvas = make("canvas", { width: frames * size, height: size });
  const brush = canvas.getContext("2d");
  const picture = brush.createImageData(frames * size, size);
  const each = frames * size * size;
  for (let i = 0; i < each; i++) {
    const [t, y, x] = [Math.floor(i / (size * size)), Math.floor(i / size) % size, i % size];
    const at = 4 * ((y * frames + t) * size + x);
    for (let colour = 0; colour < 3; colour++) picture.data[at + colour] = pixels[colour * each + i];
    picture.data[at + 3] = 255;
  }
  brush.putImageData(picture, 0, 0);
  return canvas.toDataURL();
}
