/** What <usage-chart> reads from the table inside it, and the table it writes where it got none. */
export const make = (tag, className, ...children) => {
  const node = Object.assign(document.createElement(tag), { className, ...(tag === "button" && { type: "button" }) });
  node.append(...children);
  return node;
};

/** The data of a table, as `load` takes it; the header of usage-chart.js says what its attributes mean. */
export function readTable(table, colours) {
  const heads = [...table.tHead.rows[0].cells];
  const drawn = heads.filter(({ dataset }, i) => i && !("total" in dataset) && !("before" in dataset));
  const before = heads.find(({ dataset }) => "before" in dataset);
  const rows = [...table.tBodies[0].rows];
  const number = (cell) => parseFloat(cell?.querySelector("data")?.value ?? cell?.textContent);
  const moment = (row) => Date.parse(row.cells[0].querySelector("time").dateTime);
  const soft = rows.find((row) => "forecast" in row.dataset);
  return {
    series: drawn.map((head) => head.textContent.trim()),
    colours: drawn.map((head, i) => Number(head.dataset.series) || (i % colours) + 1),
    times: rows.map(moment),
    rows: rows.map((row) => drawn.map((head) => number(row.cells[head.cellIndex]))),
    forecastFrom: soft ? moment(soft) : Infinity,
    before: before && rows.map((row) => number(row.cells[before.cellIndex])),
  };
}

export function writeTable(heads, rows) {
  const line = (tag, texts) => make("tr", "", ...texts.map((text, i) => make(tag, i ? "num" : "", text)));
  const body = make("tbody", "", ...rows.map((texts) => line("td", texts)));
  const table = make("table", "table", make("thead", "", line("th", heads)), body);
  table.dataset.made = "";
  return table;
}
