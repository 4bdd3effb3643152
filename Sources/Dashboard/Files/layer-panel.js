import { announce } from './announcer.js';
import { h, redraw } from './dom.js';
import { plural } from './format.js';
import { LayerCharts } from './layer-charts.js';
import { LayerRows } from './layer-rows.js';
import { panel } from './notices.js';

const pageSize = 100;

const orders = {
  position: ['order of work', (a, b) => a.position - b.position],
  loss: ['relative loss', (a, b) => (b.relative_loss ?? -1) - (a.relative_loss ?? -1)],
  attempts: ['attempts', (a, b) => b.attempts - a.attempts],
  seconds: ['time', (a, b) => (b.seconds ?? -1) - (a.seconds ?? -1)],
};

const choices = {
  all: ['all', () => true],
  several: ['with more than one attempt', (layer) => layer.attempts > 1],
  worse: ['degraded or failed', (layer) => layer.degraded || layer.state === 'failed'],
};

/** Charts and table of a job's layers. */
export class LayerPanel {
  #shown = pageSize;
  #order = select('order', orders, () => this.update());
  #choice = select('choice', choices, () => ((this.#shown = pageSize), this.update()));
  #more = h('div');

  constructor(state, signal) {
    this.state = state;
    this.rows = new LayerRows(state, signal);
    this.charts = new LayerCharts(state, (name) => this.open(name), signal);
    const choosing = [h('label', { for: 'choice' }, 'Show ', this.#choice), h('label', { for: 'order' }, 'by ', this.#order)];
    this.element = panel('layers', 'Layers', [this.charts.element, h('div', { class: 'toolbar' }, choosing),
      h('div', { class: 'scroll' }, this.rows.table), this.#more]);
  }

  update() {
    const { layers } = this.state;
    this.element.hidden = layers.length === 0;
    if (this.element.hidden) return;
    this.charts.update();
    const chosen = layers.filter(choices[this.#choice.value][1]).sort(orders[this.#order.value][1]);
    this.rows.show(chosen.slice(0, this.#shown));
    const rest = chosen.length - this.#shown;
    redraw(this.#more, [chosen.length, this.#shown], () => {
      if (chosen.length === 0) return h('p', { class: 'muted' }, 'No such layer.');
      const text = `Show ${Math.min(rest, pageSize)} more of ${plural(rest, 'layer')}`;
      return rest > 0 && h('button', { type: 'button', onclick: () => this.#showMore() }, text);
    });
  }

  #showMore() {
    this.#shown += pageSize;
    this.update();
    announce('More layers are shown.');
    // The button may be gone, and with it the focus.
    this.#more.querySelector('button')?.focus();
  }

  /** Shows a layer's row with its attempts. */
  open(name) {
    this.#choice.value = 'all';
    this.#order.value = 'position';
    this.#shown = Math.max(this.#shown, this.state.layers.findIndex((layer) => layer.name === name) + 1);
    this.update();
    this.rows.open(name);
  }
}

function select(id, options, onchange) {
  return h('select', { id, onchange }, Object.entries(options).map(([value, [text]]) => h('option', { value }, text)));
}
