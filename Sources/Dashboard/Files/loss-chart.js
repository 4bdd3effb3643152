import { s } from './dom.js';
import { significant } from './format.js';
import { bands, blockLabels, drawing, rule } from './layer-axis.js';

const height = 210;
const [top, bottom] = [10, height - 24];

/** Relative loss by layer on a logarithmic scale; layers that aren't of `highlight` are faded. */
export function lossChart(axis, highlight) {
  const losses = axis.layers.map((layer) => layer.relative_loss);
  const scale = new LogarithmicScale(losses.filter((loss) => loss > 0));
  const radius = Math.min(3.5, Math.max(1.6, axis.step * 0.4));
  const isFaded = (layer) => highlight && !layer.name.endsWith(`.${highlight}`);
  const marks = axis.layers.flatMap((layer, index) => {
    if (losses[index] === undefined) return [];
    const [x, y] = [axis.x(index), scale.y(losses[index])];
    const faded = isFaded(layer) ? ' faded' : '';
    const state = layer.degraded ? 'degraded' : layer.state;
    return [axis.step > 7 && s('line', { class: `stem${faded}`, x1: x, x2: x, y1: y, y2: bottom }),
      s('circle', { class: `dot ${state}${faded}`, cx: x, cy: y, r: layer.degraded ? radius + 1 : radius })];
  });
  const traced = [...axis.layers.keys()].filter((index) => highlight && !isFaded(axis.layers[index]) && losses[index] !== undefined);
  const points = traced.map((index) => `${axis.x(index)},${scale.y(losses[index])}`).join(' ');
  return drawing(axis, height, describe(axis.layers), bands(axis, top, bottom),
    scale.ticks.map((value) => rule(axis, scale.y(value), tickText(value))), points && s('polyline', { class: 'trace', points }), marks,
    blockLabels(axis, height - 8));
}

/** The chart in a sentence. */
export function describe(layers) {
  const known = layers.filter((layer) => layer.relative_loss !== undefined).sort((a, b) => a.relative_loss - b.relative_loss);
  if (known.length === 0) return 'No relative loss is known yet.';
  const [middle, worst] = [known[Math.floor(known.length / 2)], known.at(-1)];
  const [least, median, most] = [known[0], middle, worst].map((layer) => significant(layer.relative_loss));
  return `Relative loss of ${known.length} of ${layers.length} layers: median ${median}, least ${least}, most ${most} in ${worst.name}.`;
}

class LogarithmicScale {
  constructor(values) {
    const [least, most] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [1e-3, 1e-1];
    this.from = Math.log10(least) - 0.08;
    this.to = Math.max(this.from + 0.3, Math.log10(most) + 0.08);
  }

  y(value) {
    const part = value > 0 ? (Math.log10(value) - this.from) / (this.to - this.from) : 0;
    return bottom - Math.min(1, Math.max(0, part)) * (bottom - top);
  }

  /** Powers of ten, and multiples of them where there is room. */
  get ticks() {
    const decades = this.to - this.from;
    const steps = decades > 2.5 ? [1] : decades > 0.9 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
    const ticks = [];
    for (let power = Math.floor(this.from); power <= this.to; power += 1) {
      for (const step of steps) ticks.push(step * 10 ** power);
    }
    return ticks.filter((value) => Math.log10(value) >= this.from && Math.log10(value) <= this.to);
  }
}

const tickText = (value) => (value >= 0.001 && value < 1000 ? String(Number(value.toPrecision(2))) : value.toExponential(0));
