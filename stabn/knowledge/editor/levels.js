// Arithmetic of levels and of the frames that are chosen; no page in it.

export const STEP = 0.05;
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const onGrid = (level) => clamp(Math.round(Math.round(level / STEP) * STEP * 100) / 100, 0, 1);
export const say = (level) => level.toFixed(2);

/** First and last of the frames that are chosen; often one and the same. */
export function range({ anchor, current }) {
  return [Math.min(anchor, current), Math.max(anchor, current)];
}

/** One level from frame to frame, whichever comes first. */
export function painted(levels, first, last, level) {
  const [low, high] = [Math.min(first, last), Math.max(first, last)];
  return levels.map((old, frame) => (frame >= low && frame <= high ? level : old));
}

/** A straight line between the levels of two frames, which stay as they are. */
export function filled(levels, first, last) {
  const slope = (levels[last] - levels[first]) / (last - first);
  return levels.map((level, frame) =>
    frame > first && frame < last ? levels[first] + slope * (frame - first) : level);
}

/** The level a little up or down, at two decimals. */
export const nudged = (level, by) => clamp(Math.round((level + by) * 100) / 100, 0, 1);

/** Whether a stretch of one level begins or ends between a frame and the frame before it. */
export function isEdge(levels, frame) {
  if (frame < 1 || frame >= levels.length || levels[frame] === levels[frame - 1]) return false;
  return levels[frame - 2] === levels[frame - 1] || levels[frame] === levels[frame + 1];
}

/** What an edge, moved, paints: the frames that it passes, with the level on its other side. */
export function moved(levels, edge, to) {
  if (to > edge) return { first: edge, last: to - 1, level: levels[edge - 1] };
  return { first: to, last: edge - 1, level: levels[edge] }; // none where it has not moved
}

/** The levels as they would be if the drag at hand ended now. */
export function preview({ levels, drag }) {
  if (!drag || ["press", "select"].includes(drag.kind) || (drag.kind === "edge" && drag.to === drag.edge)) return levels;
  return painted(levels, drag.first, drag.last, drag.level);
}
