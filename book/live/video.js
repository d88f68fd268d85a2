// A reader's video file → the frames that the segments rule takes, decoded by the browser: a hidden
// player seeks to each, and the few that are wanted are all that is read.

const PATIENCE = 20_000; // milliseconds, after which a frame does not come any more
const FIRST_STEP = 1 / 256; // seconds, less than any frame lasts
const CONTAINERS = [ // bytes that files of moving pictures begin with: where, which
  [0, [0x1a, 0x45, 0xdf, 0xa3]], // Matroska, WebM
  [4, [0x66, 0x74, 0x79, 0x70]], // MP4, QuickTime
  [0, [0x00, 0x00, 0x01, 0xba]], // MPEG
  [0, [0x4f, 0x67, 0x67, 0x53]], // Ogg
  [8, [0x41, 0x56, 0x49, 0x20]], // AVI
];

/**
 * The clip that the library would take of this file.
 *
 * @param wanted of the network: frames, size, fraction of the short side.
 * @param said is told what is going on; what it throws ends the work.
 * @returns frames: their numbers, count: of the video, pixels: bytes (3, T, S, S).
 * @throws Error in words for the reader.
 */
async function clipOf(file, { frames, size, fraction }, said) {
  const address = URL.createObjectURL(file);
  const player = make("video", { preload: "auto", playsinline: "" });
  player.muted = true;
  try {
    await opened(player, address, file);
    said("Counting its frames …");
    const { count, timeOf } = await frameTimes(player, said);
    const numbers = middles(count, frames);
    const look = looking(player, size, fraction);
    const pictures = [];
    for (const [t, number] of numbers.entries()) {
      said(`Reading frame ${t + 1} of ${frames} …`);
      const seen = number === numbers[t - 1];
      if (!seen) await seek(player, timeOf(number), said);
      pictures.push(seen ? pictures[t - 1] : look());
    }
    return { frames: numbers, count, pixels: stacked(pictures) };
  } finally {
    player.removeAttribute("src");
    player.load(); // lets go of the file
    URL.revokeObjectURL(address);
  }
}

/** The segments rule: the middle frame of each of `frames` equal parts of `count`. */
const middles = (count, frames) =>
  Array.from({ length: frames }, (_, i) => Math.floor(((2 * i + 1) * count) / (2 * frames)));

/** What the network reads of the frame on screen, whenever it is asked: bytes (3, size, size). */
function looking(player, size, fraction) {
  const { left, top, side } = centralSquare(player.videoWidth, player.videoHeight, fraction);
  const canvas = make("canvas", { width: side, height: side });
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  return () => {
    brush.drawImage(player, -left, -top, player.videoWidth, player.videoHeight);
    return shrunk(brush.getImageData(0, 0, side, side).data, side, size);
  };
}

async function opened(player, address, file) {
  const begun = await file.slice(0, 16).arrayBuffer().then((bytes) => new Uint8Array(bytes));
  const known = CONTAINERS.some(([at, bytes]) => bytes.every((byte, i) => begun[at + i] === byte));
  const reencode = `Re-encode it, for example: ffmpeg -i ${file.name} -an -c:v libvpx-vp9 video.webm`;
  await inTime(PATIENCE, (done, failed) => {
    player.onloadeddata = done;
    player.onloadedmetadata = () => player.videoWidth || done(); // sound only has no more to load
    player.onerror = () =>
      failed(
        known
          ? `This browser cannot play it: it lacks the codec, or the file is damaged. ${reencode}`
          : "It is no video that a browser knows.",
      );
    player.src = address;
  });
  if (!player.videoWidth) {
    throw new Error(`There is no picture to play: sound alone, or a codec that is lacking. ${reencode}`);
  }
}

/**
 * How many frames there are, and when each is on screen. No browser tells; but after a seek most say
 * when the frame on screen began: later and later ones, the step doubled, give the length of a frame.
 */
async function frameTimes(player, said) {
  const start = await seek(player, 0, said);
  const end = await seek(player, 1e9, said); // the beginning of the last frame
  // where none has begun yet, Firefox says no more than where it was sent
  const began = await seek(player, start + FIRST_STEP, said);
  const tells = Math.abs(began - player.currentTime) > 1e-4;
  // there the end tells: after the last frame, at a whole number of frames a second
  let length = tells ? null : 1 / Math.max(1, Math.round(1 / (player.duration - end)));
  for (let step = 2 * FIRST_STEP; tells && step < end - start; step *= 2) {
    const gone = (await seek(player, start + step, said)) - start;
    if (gone > 0) length = length ? gone / Math.round(gone / length) : gone;
  }
  const steps = end > start ? Math.round((end - start) / (length ?? end - start)) : 0;
  const each = steps ? (end - start) / steps : 0;
  return { count: steps + 1, timeOf: (k) => start + (k + (k < steps ? 0.5 : 0.1)) * each };
}

/** Go there; the second at which the frame on screen began, as far as the browser tells. */
async function seek(player, seconds, said) {
  while (document.hidden) {
    said("Waiting: browsers decode nothing for a tab out of sight. It goes on when you are back.");
    await new Promise((seen) =>
      document.addEventListener("visibilitychange", seen, { once: true }),
    );
  }
  const sent = performance.now();
  let [began, arrived] = [undefined, false];
  const watch = (_, { mediaTime, presentationTime }) => {
    if (arrived) return;
    if (presentationTime >= sent) began = mediaTime; // else a frame from before
    player.requestVideoFrameCallback(watch);
  };
  player.requestVideoFrameCallback(watch);
  await inTime(PATIENCE, (done, failed) => {
    player.onseeked = done;
    player.onerror = () => failed(`It is damaged near second ${player.currentTime.toFixed(1)}.`);
    player.currentTime = seconds;
  });
  // the frame comes a little after; never, where the one that stood there is the right one
  for (let i = 0; i < (began === undefined ? 30 : 2); i++) await new Promise(requestAnimationFrame);
  arrived = true;
  return began ?? player.currentTime;
}

/** A promise that is not waited for in vain, but for as long as nobody looks. */
function inTime(milliseconds, begin) {
  return new Promise((done, refused) => {
    const failed = (words) => refused(new Error(words));
    const late = () => {
      if (document.hidden) setTimeout(late, milliseconds);
      else failed("The browser does not get on with it: is the file damaged?");
    };
    setTimeout(late, milliseconds);
    begin(done, failed);
  });
}
