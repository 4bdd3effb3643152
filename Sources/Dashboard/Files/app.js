import { jobPage } from './job-page.js';
import { jobsPage } from './jobs-page.js';
import { missingPage } from './missing-page.js';
import { go, startRouter } from './router.js';
import { session } from './session.js';
import { submitPage } from './submit-page.js';
import { tokenPage } from './token-page.js';

const main = document.getElementById('content');

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});

session.addEventListener('locked', () => {
  if (location.hash.startsWith('#/token')) return;
  go(`#/token?then=${encodeURIComponent(location.hash || '#/jobs')}`);
});

startRouter({ jobs: jobsPage, job: jobPage, new: submitPage, token: tokenPage, missing: missingPage }, main);
