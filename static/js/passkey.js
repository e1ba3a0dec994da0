// Passkeys: asks the browser for one, or to sign with one, and sends its answer with the form.

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const status = form.querySelector("[data-passkey-status]");
  const field = form.querySelector("[name=credential]");
  form.addEventListener("submit", async (event) => {
    if (field.value) return; // the second submission, with the answer
    event.preventDefault();
    event.stopPropagation(); // it is not on its way yet: nothing may disable its button
    if (!form.reportValidity()) return;
    status.textContent = "";
    try {
      const options = JSON.parse(form.dataset.options);
      const credential = form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      field.value = JSON.stringify(credential.toJSON());
    } catch {
      status.textContent = status.dataset.failed;
      return;
    }
    form.requestSubmit();
  });
}
