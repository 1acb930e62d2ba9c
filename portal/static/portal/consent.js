// Tells the container around the consent sheet that the user has decided, and how tall the sheet's content is.
(() => {
  'use strict';

  if (window.parent === window) return;
  const post = (message) => window.parent.postMessage(message, window.location.origin);

  const done = document.querySelector('[data-consent-decided]');
  if (done) post({ type: 'portal.consent.decided', consentId: done.dataset.consentDecided });

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
