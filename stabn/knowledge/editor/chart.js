// All frames in one line: levels, the network's attention, the truth, what is chosen.

import { clamp, preview, range } from "./levels.js";

const chartArea = (width) => ({ left: 30, right: width - 8 });

/** The frame over which something lies that far from the page's left edge. */
export function frameAt({ parts, levels }, clientX) {
  const box = parts.chart.getBoundingClientRect();
  const { left, right } = chartArea(box.width);
  const at = (clientX - box.left - left) / (right - left);
  return clamp(Math.floor(at * levels.length), 0, levels.length - 1);
}

/** All frames in one line: bars for the levels, a stepped line for the network's attention. */
export function drawChart(view) {
  const { chart } = view.parts;
  const { clientWidth: width, clientHeight: height } = chart;
  if (!width || !height) return;
  const scale = devicePixelRatio;
  Object.assign(chart, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const draw = chart.getContext("2d");
  draw.scale(scale, scale);
  const style = getComputedStyle(view.root);
  const colour = (name) => style.getPropertyValue(name).trim();
  const levels = preview(view);
  const n = levels.length;
  const { left, right } = chartArea(width);
  const [top, bottom] = [8, height - 26];
  const x = (frame) => left + ((right - left) * frame) / n;
  const y = (level) => bottom - (bottom - top) * level;
  const unit = x(1) - x(0);

  draw.font = `11px ${style.fontFamily}`;
  draw.fillStyle = colour("--se-soft");
  draw.strokeStyle = colour("--se-rule");
  draw.textAlign = "right";
  draw.textBaseline = "middle";
  for (const level of [0, 0.5, 1]) {
    draw.fillText(String(level), left - 6, y(level));
    draw.beginPath();
    draw.moveTo(left, Math.round(y(level)) + 0.5);
    draw.lineTo(right, Math.round(y(level)) + 0.5);
    draw.stroke();
  }
  const [low, high] = range(view);
  if (high > low) {
    draw.fillStyle = colour("--se-chosen");
    draw.fillRect(x(low), top - 4, x(high + 1) - x(low), bottom - top + 4);
  }
  draw.fillStyle = colour("--se-bar");
  const gap = Math.min(2, unit * 0.15);
  levels.forEach((level, frame) => {
    draw.fillRect(x(frame) + gap / 2, y(level), unit - gap, Math.max(bottom - y(level), 1));
  });
  const steps = (line, stroke, thick) => {
    draw.strokeStyle = colour(stroke);
    draw.lineWidth = thick;
    draw.beginPath();
    line.forEach((level, frame) => {
      draw.lineTo(x(frame), y(level));
      draw.lineTo(x(frame + 1), y(level));
    });
    draw.stroke();
  };
  steps(view.video.attention, "--se-ground", 4.5); // a halo: lines are seen on the bars, too
  steps(view.video.attention, "--se-line", 2);
  const truth = view.model.get("true_levels");
  steps(truth, "--se-ground", 4.5);
  draw.setLineDash([6, 4]);
  steps(truth, "--se-good", 3);
  draw.setLineDash([]);
  drawFeet(view, draw, { x, unit, bottom, colour });
}

/** Under the bars: diamonds at sampled frames, some frame numbers, the current frame's mark. */
function drawFeet(view, draw, { x, unit, bottom, colour }) {
  const size = clamp(unit * 0.4, 2, 4);
  draw.fillStyle = colour("--se-text");
  for (const frame of view.sampled) {
    const centre = x(frame + 0.5);
    draw.beginPath();
    for (const [dx, dy] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) {
      draw.lineTo(centre + dx * size, bottom + 7 + dy * size);
    }
    draw.fill();
  }
  draw.textAlign = "center";
  const n = view.levels.length;
  const every = [1, 2, 5, 10, 20, 50].find((step) => step * unit >= 26) ?? 50;
  draw.fillStyle = colour("--se-soft");
  for (let frame = 0; frame < n; frame += every) {
    if (Math.abs(frame - view.current) * unit > 20) draw.fillText(frame, x(frame + 0.5), bottom + 19);
  }
  draw.strokeStyle = draw.fillStyle = colour("--se-accent");
  draw.lineWidth = 2;
  draw.strokeRect(x(view.current), 4, Math.max(unit, 3), bottom - 4);
  draw.font = `bold ${draw.font}`;
  draw.fillText(view.current, x(view.current + 0.5), bottom + 19);
}
