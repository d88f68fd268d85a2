// Seconds of the reader's camera → the frames that the segments rule takes of them. The browser asks
// for leave after a click; the camera is let go of at once, and what it gave stays in the page.

const READY = 2; // seconds in which the reader gets ready, and the camera used to the light
const FILMED = 3; // seconds
const REFUSALS = {
  NotAllowedError:
    "The page may not use the camera. Allow it where the browser shows the page’s address, and press again.",
  NotFoundError: "There is no camera here. Choose a file instead.",
  NotReadableError: "The camera gives no picture: another program may be using it.",
};

/**
 * The clip that the library would take of a video of these frames, at the camera's own pace.
 *
 * @param wanted of the network: frames, size, fraction of the short side.
 * @param player a video element, in which the reader sees the camera's picture.
 * @param said is told what is going on; what it throws ends the work.
 * @returns frames: their numbers, count: of what was filmed, pixels: bytes (3, T, S, S).
 * @throws Error in words for the reader.
 */
async function filmed({ frames, size, fraction }, player, said) {
  said("Waiting for the camera. Your browser may ask you …");
  const stream = await camera();
  try {
    said("The camera starts …");
    player.srcObject = stream;
    await player.play();
    const look = looking(player, size, fraction);
    const pictures = [];
    const began = performance.now();
    for (let gone = 0; gone < READY + FILMED; gone = (performance.now() - began) / 1000) {
      const left = Math.ceil(READY + FILMED - gone);
      said(gone < READY ? `Get ready: ${left - FILMED} …` : `Recording: ${left} …`);
      await inTime(PATIENCE, (done) => player.requestVideoFrameCallback(done));
      if (gone >= READY) pictures.push(look());
    }
    const numbers = middles(pictures.length, frames);
    const pixels = stacked(numbers.map((number) => pictures[number]));
    return { frames: numbers, count: pictures.length, pixels };
  } finally {
    for (const track of stream.getTracks()) track.stop();
    player.srcObject = null;
  }
}

async function camera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error(
      "Browsers lend the camera only to pages from a file, from this machine, or over https. Choose a file instead.",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ video: true });
  } catch (error) {
    throw new Error(REFUSALS[error.name] ?? `The camera gives no picture (${error.message}).`);
  }
}
