// Inside the container: tells it that the user has decided and how tall the content is; focus and Escape as elsewhere.
(() => {
  'use strict';

  if (window.parent === window) return;
  // A browser minds `autofocus` in the window's own page alone.
  const first = document.querySelector('[autofocus]');
  if (first) first.focus();

  const post = (message) => window.parent.postMessage(message, window.location.origin);

  const done = document.querySelector('[data-consent-decided]');
  if (done) post({ type: 'portal.consent.decided', consentId: done.dataset.consentDecided });

  // Escape closes the container's sheet; out of a form beside the question it leads back to the question.
  const back = document.querySelector('[data-consent-back]');
  if (back) window.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    back.click();
  });

  const content = document.querySelector('[data-consent-content]');
  if (!content) return;
  // What a scrolling part hides counts too: else a layout bound to the window's height would shrink with each answer.
  const hidden = (element) =>
    (/auto|scroll/.test(getComputedStyle(element).overflowY) ? element.scrollHeight - element.clientHeight : 0);
  const measure = () => {
    const overflow = [...content.querySelectorAll('*')].reduce((sum, element) => sum + hidden(element), 0);
    post({ type: 'portal.consent.height', height: Math.ceil(content.getBoundingClientRect().height + overflow) });
  };
  new ResizeObserver(measure).observe(content);
})();
