// What is read out without a move of the focus.

/** Said when there is a pause. */
export const announce = (text) => say('polite', text);

/** Said at once. */
export const alertUser = (text) => say('assertive', text);

function say(id, text) {
  const region = document.getElementById(id);
  region.textContent = '';
  // The same text again is a change only if the region was empty in between.
  setTimeout(() => (region.textContent = text), 50);
}
