// Words of scripts in the page's language: the page brings a catalogue where it is not English. Listed in accounts/script_words.py.
const source = document.getElementById("words");
const catalogue = source ? JSON.parse(source.textContent) : {};

/** Say an English text in the page's language, `{name}` replaced by values. */
export const say = (text, values = {}) => (catalogue[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => values[name]);
