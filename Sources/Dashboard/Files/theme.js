// Runs before the page is drawn, so that no other theme flashes up. "" follows the system.
const theme = {
  get chosen() {
    try {
      return localStorage.getItem('gptqd.theme') ?? '';
    } catch {
      return '';
    }
  },
  set chosen(name) {
    try {
      localStorage.setItem('gptqd.theme', name);
    } catch {
      // A browser that keeps nothing: the theme holds for this page.
    }
    this.show(name);
  },
  show(name) {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
  },
};
theme.show(theme.chosen);
document.addEventListener('DOMContentLoaded', () => {
  const control = document.getElementById('theme');
  control.value = theme.chosen;
  control.addEventListener('change', () => (theme.chosen = control.value));
});
