// Passkeys of operators: a button with data-passkey asks the browser, puts its answer into the form and sends it.
"use strict";

(() => {
  const options = document.getElementById("passkey-options");
  const named = !/^[\d.]+$|:/.test(window.location.hostname); // there are none for an address of digits
  const able = options && named && window.PublicKeyCredential && window.webauthnJSON;
  if (!able) {
    return;
  }
  const failed = document.querySelector("[data-passkey-failed]");
  const missing = document.querySelector("[data-passkey-missing]");
  if (missing) {
    missing.hidden = true;
  }

  async function use(button) {
    const field = document.getElementById(button.dataset.into);
    failed.hidden = true;
    button.disabled = true;
    try {
      const answer = await window.webauthnJSON[button.dataset.passkey](JSON.parse(options.textContent));
      field.value = JSON.stringify(answer);
      field.form.submit();
    } catch {
      failed.hidden = false;
      button.disabled = false;
    }
  }

  for (const button of document.querySelectorAll("[data-passkey]")) {
    button.hidden = false;
    button.addEventListener("click", () => use(button));
  }
})();
