// The token: kept by this tab until it is closed, and sent nowhere but to the daemon that the page came from.

const key = 'gptqd.token';

/** What the browser keeps for the tab; where it keeps nothing, the page does until it is left. */
const storage = (() => {
  try {
    return window.sessionStorage;
  } catch {
    const values = new Map();
    return { getItem: (key) => values.get(key), setItem: (key, value) => values.set(key, value), removeItem: (key) => values.delete(key) };
  }
})();

/** Tells of `locked`: the daemon wants a token, or another one. */
export const session = new (class extends EventTarget {
  get token() {
    return storage.getItem(key) ?? '';
  }

  set token(text) {
    if (text) storage.setItem(key, text);
    else storage.removeItem(key);
    this.dispatchEvent(new Event('change'));
  }

  lock(problem) {
    this.dispatchEvent(new CustomEvent('locked', { detail: problem }));
  }
})();
