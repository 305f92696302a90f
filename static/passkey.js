// Asks the browser for a passkey and sends its answer with the form. Where this cannot run, the form stays hidden, and
// people sign in with a password and a code.
async function ask(form) {
  if (form.dataset.passkey === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(readOptions());
    return navigator.credentials.create({ publicKey });
  }
  const options = form.dataset.challenge ? await fetchOptions(form.dataset.challenge) : readOptions();
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
}

function readOptions() {
  return JSON.parse(document.getElementById("passkey-options").textContent);
}

async function fetchOptions(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  return (await response.json()).request_options.publicKey;
}

if (window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      const { credential } = form.elements;
      if (credential.value) return;
      event.preventDefault();
      try {
        credential.value = JSON.stringify((await ask(form)).toJSON());
        form.requestSubmit();
      } catch {
        form.querySelector("[role=status]").textContent = form.dataset.failed;
      }
    });
  }
}
