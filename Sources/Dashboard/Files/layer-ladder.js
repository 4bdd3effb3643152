import { causes, outcomeOf, summary } from './causes.js';
import { s } from './dom.js';
import { damping } from './format.js';

const [cell, rowHeight, cellLimit] = [11, 24, 14];

/** A layer's attempts in a row of its table, from left to right, each as high as its damping. */
export function miniLadder(attempts) {
  const shown = attempts.slice(-cellLimit);
  const steps = [...new Set(shown.map((attempt) => attempt.damping))].sort((a, b) => a - b);
  const rise = steps.length > 1 ? Math.min(4, 16 / (steps.length - 1)) : 0;
  const lowest = rowHeight / 2 - 4 + ((steps.length - 1) * rise) / 2;
  const width = Math.max(1, shown.length) * cell;
  const text = summary(attempts);
  return s('svg', { class: 'mini', width, height: rowHeight, viewBox: `0 0 ${width} ${rowHeight}`, role: 'img', 'aria-label': text },
    s('title', {}, text),
    shown.map((attempt, index) => {
      const y = lowest - steps.indexOf(attempt.damping) * rise;
      return s('rect', { class: `attempt ${outcomeOf(attempt)}`, x: index * cell, y, width: cell - 2, height: 8, rx: 1.5 });
    }));
}

/** The same with names and numbers: a staircase of attempts. */
export function ladder(attempts) {
  const shown = attempts.slice(-40);
  const steps = [...new Set(shown.map((attempt) => attempt.damping))].sort((a, b) => a - b);
  const [left, gap, rise, top] = [64, 44, 26, 16];
  const bottom = top + (steps.length - 1) * rise;
  const [width, height] = [left + shown.length * gap + 10, bottom + 50];
  const points = shown.map((attempt, index) => [left + (index + 0.5) * gap, bottom - steps.indexOf(attempt.damping) * rise]);
  return s('svg', { class: 'chart ladder', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': summary(attempts) },
    steps.map((step, index) => [s('line', { class: 'rule', x1: left, x2: width, y1: bottom - index * rise, y2: bottom - index * rise }),
      s('text', { x: left - 8, y: bottom - index * rise + 4, 'text-anchor': 'end' }, damping(step))]),
    s('text', { x: left - 8, y: bottom + 26, 'text-anchor': 'end' }, 'precision'),
    shown.some((attempt) => attempt.samples > 0) && s('text', { x: left - 8, y: bottom + 42, 'text-anchor': 'end' }, 'samples'),
    s('polyline', { class: 'path', points: points.map((point) => point.join(',')).join(' ') }),
    shown.map((attempt, index) => mark(attempt, points[index], bottom)));
}

function mark(attempt, [x, y], bottom) {
  const outcome = outcomeOf(attempt);
  return s('g', {}, s('title', {}, `attempt ${attempt.number}: ${causes[outcome]?.text ?? outcome}`),
    s('circle', { class: `attempt ${outcome}`, cx: x, cy: y, r: 8 }),
    s('text', { class: 'on-mark', x, y: y + 3.5, 'text-anchor': 'middle' }, causes[outcome]?.letter ?? '?'),
    s('text', { x, y: bottom + 26, 'text-anchor': 'middle' }, attempt.precision === 'float64' ? 'f64' : 'f32'),
    attempt.samples > 0 && s('text', { x, y: bottom + 42, 'text-anchor': 'middle' }, attempt.samples));
}
