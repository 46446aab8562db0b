// Passkeys: asks the browser to make or show one, and sends what it says with the form whose button was pressed.
import { say } from "./say.js";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const PARTS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

// By hand and not by toJSON(), which older browsers lack and some password stores break.
const shown = async (asked) => {
  const publicKey = { ...asked, challenge: bytes(asked.challenge) };
  if (asked.user) {
    publicKey.user = { ...asked.user, id: bytes(asked.user.id) };
    publicKey.excludeCredentials = (asked.excludeCredentials ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  }
  const { rawId, type, response } = await navigator.credentials[asked.user ? "create" : "get"]({ publicKey });
  const parts = PARTS.filter((name) => response[name]).map((name) => [name, text(response[name])]);
  return { id: text(rawId), rawId: text(rawId), type, response: Object.fromEntries(parts), clientExtensionResults: {} };
};

const WHY = {
  NotAllowedError: () => say("No passkey was used."),
  InvalidStateError: () => say("This device has a passkey of yours already."),
  Offline: () => say("Too many attempts, or no connection. Wait a little."),
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !window.PublicKeyCredential;
  const problem = form.querySelector("[role=alert]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      const answer = await fetch(form.dataset.passkey, { method: "POST", body: new FormData(form) }).catch(() => null);
      if (answer?.redirected) return location.reload(); // The password is asked for again, or nobody is signed in any more.
      if (!answer?.ok) throw new DOMException("", "Offline");
      form.elements.credential.value = JSON.stringify(await shown((await answer.json()).publicKey));
      form.submit();
    } catch ({ name }) {
      problem.textContent = (WHY[name] ?? (() => say("Passkeys do not work here.")))();
      problem.hidden = false;
    }
  });
}
