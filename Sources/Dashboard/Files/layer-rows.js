import { causeText } from './causes.js';
import { h, redraw, setText } from './dom.js';
import { count, damping, shape, significant } from './format.js';
import { LayerDetail } from './layer-detail.js';
import { miniLadder } from './layer-ladder.js';

const columns = [
  ['Layer', ''], ['State', ''], ['Method', 'minor nowrap'], ['Attempts', ''], ['Damping', 'number'], ['Relative loss', 'number'],
  ['Shape', 'number minor'], ['Tokens', 'number minor'], ['Dead', 'number minor'], ['Seconds', 'number minor'],
];

/** Rows of layers, kept and changed in place; each opens to the attempts at its layer. */
export class LayerRows {
  #rows = new Map();
  #body = h('tbody');

  table = h('table', { class: 'layers' }, h('caption', { class: 'unseen' }, 'Layers'),
    h('thead', {}, h('tr', {}, columns.map(([name, kind]) => h('th', { scope: 'col', class: kind }, name)))), this.#body);

  constructor(state, signal) {
    this.state = state;
    this.signal = signal;
  }

  show(layers) {
    const wanted = layers.flatMap((layer) => {
      const { row, detail } = this.#row(layer);
      return detail.element ? [row, detail.element] : [row];
    });
    const isSame = wanted.length === this.#body.children.length && wanted.every((row, index) => row === this.#body.children[index]);
    if (!isSame) this.#body.replaceChildren(...wanted);
  }

  /** Opens a layer's attempts and goes there. */
  open(name) {
    const entry = this.#rows.get(name);
    if (!entry) return;
    entry.detail.open();
    entry.button.focus({ preventScroll: true });
    entry.row.scrollIntoView({ block: 'center' });
  }

  #row(layer) {
    const entry = this.#rows.get(layer.name) ?? this.#make(layer);
    const attempts = this.state.attemptsOf(layer.name);
    const isRunning = layer.state === 'pending' && this.state.runningLayer === layer.name;
    // Most rows are as they were the last time.
    if (entry.layer === layer && entry.attempts === attempts && entry.isRunning === isRunning) return entry;
    Object.assign(entry, { layer, attempts, isRunning });
    const [, state, method, ladder, dampingCell, loss, , tokens, dead, seconds] = entry.row.children;
    redraw(state, [layer.state, layer.degraded, isRunning], () => stateBadge(layer, isRunning));
    setText(method, methodText(layer));
    redraw(ladder, attempts, () => (attempts.length > 0 ? miniLadder(attempts) : '–'));
    setText(dampingCell, damping(layer.damping));
    setText(loss, significant(layer.relative_loss));
    setText(tokens, count(layer.tokens));
    setText(dead, count(layer.dead_columns));
    setText(seconds, layer.seconds === undefined ? '–' : layer.seconds.toFixed(2));
    entry.detail.update(attempts);
    return entry;
  }

  #make(layer) {
    const button = h('button', { type: 'button', class: 'layer-name', 'aria-expanded': 'false' }, layer.name);
    const row = h('tr', { 'data-layer': layer.name }, h('th', { scope: 'row' }, button),
      columns.slice(1).map(([, kind]) => h('td', { class: kind })));
    row.children[6].textContent = shape(layer.shape);
    const entry = { row, button, detail: new LayerDetail(this.state, layer.name, row, button, columns.length, this.signal) };
    this.#rows.set(layer.name, entry);
    return entry;
  }
}

function methodText({ method, bits }) {
  if (!method) return '–';
  return method === 'keep' || !bits ? method : `${method}, ${bits} bits`;
}

function stateBadge(layer, isRunning) {
  if (layer.degraded) return h('span', { class: 'badge degraded', title: causeText(layer.cause) }, `degraded: ${causeText(layer.cause)}`);
  return h('span', { class: `badge ${isRunning ? 'running' : layer.state}` }, isRunning ? 'running' : layer.state);
}
