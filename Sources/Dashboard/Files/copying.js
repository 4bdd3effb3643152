import { announce } from './announcer.js';
import { h } from './dom.js';

/** A command line with a button that copies it. */
export function commandLine(label, text) {
  const code = h('code', { tabindex: '0', role: 'textbox', 'aria-readonly': 'true', 'aria-label': label }, text);
  const button = h('button', { type: 'button', class: 'small', 'aria-label': `Copy: ${label}` }, 'Copy');
  button.addEventListener('click', async () => {
    announce((await copy(text, code)) ? 'Copied.' : 'The line is selected; copy it with the keyboard.');
    button.textContent = 'Copied';
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  });
  return h('div', { class: 'command' }, code, button);
}

/** The clipboard is only there on localhost and under TLS; elsewhere the line is selected. */
async function copy(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand?.('copy') ?? false;
  }
}
