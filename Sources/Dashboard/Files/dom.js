// Builds elements. Text becomes text nodes, so nothing from the server is ever parsed as markup.

const svgNamespace = 'http://www.w3.org/2000/svg';

/** An HTML element: attributes by name, listeners as `onclick: …`; null and false are left out. */
export const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);

/** The same for SVG. */
export const s = (name, attributes, ...children) => fill(document.createElementNS(svgNamespace, name), attributes, children);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replaces an element's children unless the new ones would be made of the same values. */
export function redraw(element, values, draw) {
  const key = JSON.stringify(values) ?? '';
  if (element.drawnFrom === key) return;
  element.drawnFrom = key;
  const content = draw();
  element.replaceChildren(...[content].flat(Infinity).filter(Boolean));
  element.hidden = element.childNodes.length === 0;
}

/** Sets a text only where it differs: what assistive technology watches stays quiet. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let lastID = 0;

/** An id that no other element has. */
export const freshID = (prefix) => `${prefix}-${++lastID}`;
