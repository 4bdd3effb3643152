import { s } from './dom.js';

/** The horizontal axis that the charts share: layers in the order of work, with their blocks. */
export class LayerAxis {
  static left = 58;
  static right = 8;

  constructor(layers, width) {
    this.layers = layers;
    this.width = width;
    this.step = (width - LayerAxis.left - LayerAxis.right) / Math.max(1, layers.length);
  }

  /** The middle of a layer. */
  x(index) {
    return LayerAxis.left + (index + 0.5) * this.step;
  }

  indexAt(x) {
    return Math.min(this.layers.length - 1, Math.max(0, Math.floor((x - LayerAxis.left) / this.step)));
  }

  /** Whether a block has several layers, as those of a model have. */
  get isOfBlocks() {
    return this.blocks.length < this.layers.length;
  }

  /** Runs of layers of one block: `{block, from, to}` with pixels. */
  get blocks() {
    const blocks = [];
    for (const [index, { block }] of this.layers.entries()) {
      const from = LayerAxis.left + index * this.step;
      if (blocks.at(-1)?.block === block) blocks.at(-1).to = from + this.step;
      else blocks.push({ block, from, to: from + this.step });
    }
    return blocks;
  }
}

/** A picture with a text for those who don't see it. */
export const drawing = (axis, height, text, ...parts) =>
  s('svg', { class: 'chart', width: axis.width, height, viewBox: `0 0 ${axis.width} ${height}`, role: 'img', 'aria-label': text }, parts);

/** Every other block has a shade, unless all are single layers. */
export const bands = (axis, top, bottom) =>
  (axis.isOfBlocks ? axis.blocks : []).filter((_, index) => index % 2 === 1)
    .map(({ from, to }) => s('rect', { class: 'band', x: from, y: top, width: to - from, height: bottom - top }));

/** A line across, with a text before it. */
export const rule = (axis, y, text) => [
  s('line', { class: 'rule', x1: LayerAxis.left, x2: axis.width - LayerAxis.right, y1: Math.round(y), y2: Math.round(y) }),
  text && scaleText(y, text),
];

/** A text of the vertical scale. */
export const scaleText = (y, text) => s('text', { x: LayerAxis.left - 8, y: y + 4, 'text-anchor': 'end' }, text);

/** As many block numbers as have room. */
export function blockLabels(axis, y) {
  const blocks = axis.blocks;
  const every = Math.max(1, Math.ceil(blocks.length / (axis.width / 42)));
  const numbers = blocks.filter((_, index) => index % every === 0);
  return [s('text', { x: LayerAxis.left - 8, y, 'text-anchor': 'end' }, axis.isOfBlocks ? 'block' : 'layer'),
    numbers.map(({ block, from, to }) => s('text', { x: (from + to) / 2, y, 'text-anchor': 'middle' }, block))];
}

/** Moves the line at a layer, or draws it, in a picture made with `drawing`. */
export function moveCursor(axis, index, picture) {
  picture.querySelector('.cursor')?.remove();
  const bottom = picture.getAttribute('height') - 24;
  picture.append(s('line', { class: 'cursor', x1: axis.x(index), x2: axis.x(index), y1: 8, y2: bottom }));
}
