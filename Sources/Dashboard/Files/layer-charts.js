import { causes, summary } from './causes.js';
import { h, redraw, s, setText } from './dom.js';
import { significant } from './format.js';
import { LayerAxis, moveCursor } from './layer-axis.js';
import { describeLadder, ladderChart, occurring } from './ladder-chart.js';
import { describe, lossChart } from './loss-chart.js';

/** The two charts over all layers, with one cursor that pointer and keyboard move. */
export class LayerCharts {
  #loss = h('div');
  #ladder = h('div');
  #legend = h('ul', { class: 'legend', 'aria-label': 'Colours of attempts' });
  #text = { loss: h('p', { class: 'muted' }), ladder: h('p', { class: 'muted' }) };
  #cursor = null;
  #width = 0;
  #highlight = h('select', { id: 'highlight', onchange: () => this.#draw() }, h('option', { value: '' }, 'none'));
  #range = h('input', { type: 'range', id: 'layer-cursor', min: 0, step: 1, oninput: () => this.#move(Number(this.#range.value)) });
  #reading = h('output', { for: 'layer-cursor' });
  #openButton = h('button', { type: 'button', class: 'small', onclick: () => this.#openLayer() }, 'Show its attempts');

  element = h('div', {},
    h('figure', {}, h('figcaption', {}, h('div', { class: 'toolbar' }, h('h3', {}, 'Relative loss by layer'),
      h('label', { for: 'highlight' }, 'Highlight ', this.#highlight)), this.#text.loss), this.#loss),
    h('figure', {}, h('figcaption', {}, h('h3', {}, 'Attempts by damping'), this.#text.ladder), this.#legend, this.#ladder),
    h('div', { class: 'picker' }, h('label', { for: 'layer-cursor', class: 'unseen' }, 'Layer'), this.#range,
      h('div', { class: 'picker-line' }, this.#reading, this.#openButton)));

  /** @param open Called with the name of a layer that the user wants to see. */
  constructor(state, open, signal) {
    this.state = state;
    this.open = open;
    const observer = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (width !== this.#width) (this.#width = width), this.#draw();
    });
    observer.observe(this.#loss);
    signal.addEventListener('abort', () => observer.disconnect());
    for (const chart of [this.#loss, this.#ladder]) {
      chart.addEventListener('pointermove', (event) => this.#point(event, chart));
      chart.addEventListener('click', (event) => (this.#point(event, chart), this.#openLayer()));
    }
  }

  update() {
    const { layers } = this.state;
    this.#range.max = Math.max(0, layers.length - 1);
    if (this.#cursor === null) this.#range.value = 0;
    redraw(this.#legend, occurring(layers, this.state), () => occurring(layers, this.state).map(legendItem));
    const roles = [...new Set(layers.map((layer) => layer.name.split('.').at(-1)))];
    if (roles.length < layers.length && this.#highlight.options.length !== roles.length + 1) {
      this.#highlight.replaceChildren(h('option', { value: '' }, 'none'), ...roles.map((role) => h('option', { value: role }, role)));
    }
    this.#highlight.parentElement.hidden = this.#highlight.options.length < 2;
    this.#draw();
  }

  #draw() {
    if (this.#width === 0) return;
    const axis = new LayerAxis(this.state.layers, this.#width);
    setText(this.#text.loss, describe(axis.layers));
    setText(this.#text.ladder, describeLadder(axis.layers, this.state));
    this.#loss.replaceChildren(lossChart(axis, this.#highlight.value));
    this.#ladder.replaceChildren(ladderChart(axis, this.state));
    this.#showCursor(axis);
  }

  #point(event, chart) {
    const axis = new LayerAxis(this.state.layers, this.#width);
    this.#move(axis.indexAt(event.clientX - chart.getBoundingClientRect().left));
  }

  #showCursor(axis) {
    if (this.#cursor !== null) for (const chart of [this.#loss, this.#ladder]) moveCursor(axis, this.#cursor, chart.firstChild);
    this.#read();
  }

  #openLayer() {
    if (this.#cursor !== null) this.open(this.state.layers[this.#cursor].name);
  }

  #move(index) {
    if (index === this.#cursor) return;
    this.#cursor = index;
    this.#range.value = index;
    if (this.#width > 0) this.#showCursor(new LayerAxis(this.state.layers, this.#width));
  }

  #read() {
    const layer = this.state.layers[this.#cursor];
    const text = layer
      ? `${layer.name}: relative loss ${significant(layer.relative_loss)}; ${summary(this.state.attemptsOf(layer.name))}`
      : 'Point at a layer, or choose one with the slider.';
    setText(this.#reading, text);
    this.#range.setAttribute('aria-valuetext', layer ? text : 'none');
    this.#openButton.hidden = !layer;
  }
}

const legendItem = (outcome) =>
  h('li', {}, s('svg', { width: 12, height: 12, viewBox: '0 0 12 12', 'aria-hidden': 'true' },
    s('rect', { class: `attempt ${outcome}`, width: 12, height: 12, rx: 2 })), `${causes[outcome].text}: ${causes[outcome].meaning}`);
