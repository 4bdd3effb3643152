import { causes, outcomeOf } from './causes.js';
import { s } from './dom.js';
import { damping, plural } from './format.js';
import { bands, blockLabels, drawing, rule, scaleText } from './layer-axis.js';

/** Pixels of an attempt; more at one damping than that are cut to the last ones. */
const [laneHeight, leastBand, laneLimit] = [9, 16, 8];

/** Every attempt at every layer: a layer's column has its attempts at the height of their damping, in the order of time from below. */
export function ladderChart(axis, state) {
  const columns = axis.layers.map((layer) => byDamping(state.attemptsOf(layer.name)));
  const rungs = rungsOf(columns);
  const top = 8;
  const bottom = top + rungs.reduce((sum, rung) => sum + rung.height, 0);
  let y = bottom;
  for (const rung of rungs) {
    y -= rung.height;
    rung.y = y;
  }
  const at = new Map(rungs.map((rung) => [rung.damping, rung]));
  const width = Math.max(1.5, Math.min(26, axis.step * 0.8));
  const marks = columns.flatMap((column, index) =>
    [...column].flatMap(([damping, attempts]) => {
      const { y, height, lanes } = at.get(damping);
      const lane = (height - 4) / lanes;
      return attempts.slice(-laneLimit).map((attempt, order) =>
        s('rect', {
          class: `attempt ${outcomeOf(attempt)}`, x: axis.x(index) - width / 2, y: y + height - 2 - (order + 1) * lane, width,
          height: lane - 1, rx: 1,
        }));
    }));
  const height = bottom + 24;
  return drawing(axis, height, describeLadder(axis.layers, state), bands(axis, top, bottom),
    rungs.map((rung) => [rule(axis, rung.y + rung.height), scaleText(rung.y + rung.height / 2, damping(rung.damping))]), marks,
    blockLabels(axis, height - 8));
}

function byDamping(attempts) {
  const column = new Map();
  for (const attempt of attempts) column.set(attempt.damping, [...(column.get(attempt.damping) ?? []), attempt]);
  return column;
}

function rungsOf(columns) {
  const lanes = new Map();
  for (const column of columns) {
    for (const [damping, attempts] of column) lanes.set(damping, Math.min(laneLimit, Math.max(attempts.length, lanes.get(damping) ?? 1)));
  }
  const rung = ([damping, lanes]) => ({ damping, lanes, height: Math.max(leastBand, lanes * laneHeight + 4) });
  return [...lanes].sort(([a], [b]) => a - b).map(rung);
}

/** The picture in a sentence. */
export function describeLadder(layers, state) {
  const counts = new Map();
  let [total, several] = [0, 0];
  for (const layer of layers) {
    const attempts = state.attemptsOf(layer.name);
    total += attempts.length;
    if (attempts.length > 1) several += 1;
    for (const attempt of attempts) counts.set(outcomeOf(attempt), (counts.get(outcomeOf(attempt)) ?? 0) + 1);
  }
  if (total === 0) return 'No attempt was made yet.';
  const parts = [...counts].map(([outcome, number]) => `${number} ${causes[outcome]?.text ?? outcome}`);
  const layersWithSeveral = several === 0 ? 'no layer' : plural(several, 'layer');
  return `${plural(total, 'attempt')}: ${parts.join(', ')}; ${layersWithSeveral} needed more than one.`;
}

/** Outcomes that occur, with their colours. */
export const occurring = (layers, state) => {
  const seen = new Set(layers.flatMap((layer) => state.attemptsOf(layer.name).map(outcomeOf)));
  return Object.keys(causes).filter((outcome) => seen.has(outcome));
};
