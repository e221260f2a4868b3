// The page shows what /events says once a second, and /history at the start
// and once a minute; page.h of the gateway says what is in them. What clients
// say reaches the document through textContent alone.

const byId = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const NARROW = '\u202f'; // between groups of digits, and before a unit

function element(name, properties, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// ---- Words and figures

// A client may say octets that are no letters, or that turn the line around.
const printable = (text) => String(text ?? '').replace(/[^\x20-\x7e]/g,
    (c) => '\\x' + c.codePointAt(0).toString(16).padStart(2, '0'));

const count = (n) => n == null ? '–' :
    String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, NARROW);

// Three digits and a letter.
function scaled(n) {
  if (n == null) return '–';
  let unit = 0;
  while (n >= 999.5 && unit < 5) {
    n /= 1000;
    unit++;
  }
  const digits = unit === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;
  return unit ? n.toFixed(digits) + NARROW + 'kMGTP'[unit - 1] : n.toFixed(digits);
}

function duration(s) {
  if (s == null) return '–';
  if (s < 0.9995) return (s * 1000).toFixed(s < 0.00995 ? 1 : 0) + NARROW + 'ms';
  return s.toFixed(s < 9.95 ? 2 : 1) + NARROW + 's';
}

const two = (n) => String(Math.floor(n)).padStart(2, '0');

function age(s) {
  const clock = `${two(s / 60 % 60)}:${two(s % 60)}`;
  if (s < 3600) return clock.replace(/^0/, '');
  if (s < 86400) return `${Math.floor(s / 3600)}:${clock}`;
  return `${Math.floor(s / 86400)}${NARROW}d ${two(s / 3600 % 24)}:${two(s / 60 % 60)}`;
}

function clock(time) {
  const d = new Date(time * 1000);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

// ---- Shapes: a state is told by its word and by what stands before it

const SHAPES = {
  ring: [['circle', {cx: 5, cy: 5, r: 3.7, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4}]],
  half: [['circle', {cx: 5, cy: 5, r: 3.7, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4}],
         ['path', {d: 'M5 1.3a3.7 3.7 0 0 1 0 7.4z', fill: 'currentColor'}]],
  low: [['circle', {cx: 5, cy: 5, r: 3.7, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4}],
        ['path', {d: 'M1.3 5a3.7 3.7 0 0 0 7.4 0z', fill: 'currentColor'}]],
  disc: [['circle', {cx: 5, cy: 5, r: 4.4, fill: 'currentColor'}]],
  square: [['rect', {x: 1.2, y: 1.2, width: 7.6, height: 7.6, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4}]],
  bars: [['path', {d: 'M3 1.2v7.6M7 1.2v7.6', stroke: 'currentColor', 'stroke-width': 2}]],
  cross: [['path', {d: 'M1.5 1.5l7 7m0-7l-7 7', stroke: 'currentColor', 'stroke-width': 1.7}]],
  alert: [['path', {d: 'M5 .6L9.8 9.2H.2z', fill: 'currentColor'}]],
};

const STATES = {
  proxy: 'ring', tls: 'ring', request: 'ring',
  resolve: 'half', ident: 'half', connect: 'half', primary: 'half', parent: 'half', 'parent-name': 'half',
  listen: 'square', relay: 'disc', 'half-closed': 'low', refuse: 'cross', end: 'cross',
  serving: 'disc', accepting: 'disc', up: 'disc', ready: 'disc', granted: 'disc', valid: 'disc',
  starting: 'ring', unused: 'ring', connecting: 'ring', draining: 'low', paused: 'bars',
  down: 'cross', near: 'alert', soon: 'alert', full: 'cross', expired: 'cross', lost: 'cross',
  'no worker': 'cross', absent: 'cross',
};

function shape(name) {
  const svg = drawn('svg', {class: 'shape', viewBox: '0 0 10 10', 'aria-hidden': 'true'});
  svg.append(...SHAPES[name].map(([kind, attributes]) => drawn(kind, attributes)));
  return svg;
}

// Sets the word of a state, and its shape, in an element; both only if changed.
function word(into, state, text = state, otherwise = 'ring') {
  const said = printable(text);
  const key = `${state} ${said}`;
  if (into.dataset.state === key) return;
  into.dataset.state = key;
  const drawing = Object.hasOwn(STATES, state) ? STATES[state] : otherwise;
  into.replaceChildren(element('span', {className: 'word'}, shape(drawing), said));
}

function text(into, value) {
  if (into.textContent !== value) into.textContent = value;
}

// ---- Tables: columns are {name, title, number, value(row), show(cell, row)}

class Table {
  constructor(node, columns, {caption, empty, key, wide}) {
    this.node = node;
    this.columns = columns;
    this.empty = empty;
    this.key = key;
    this.rows = new Map();
    this.body = element('tbody', {});
    this.body.setAttribute('role', 'rowgroup');
    const head = element('tr', {});
    head.setAttribute('role', 'row');
    for (const column of columns) {
      const cell = element('th', {scope: 'col', className: column.number ? 'number' : ''});
      cell.setAttribute('role', 'columnheader');
      cell.append(wide && column.sort !== false ? this.sorter(column, cell) : column.title);
      head.append(cell);
    }
    const group = element('colgroup', {}, ...columns.map((c) => element('col', {className: c.name})));
    const top = element('thead', {}, head);
    top.setAttribute('role', 'rowgroup');
    node.setAttribute('aria-label', caption);
    node.append(group, top, this.body);
  }

  sorter(column, cell) {
    column.head = cell;
    const button = element('button', {type: 'button', textContent: column.title});
    button.addEventListener('click', () => {
      if (this.by === column) this.descending = !this.descending;
      else this.sort(column.name, column.number);
      this.mark();
      this.show(this.last ?? []);
    });
    return button;
  }

  sort(name, descending) {
    this.by = this.columns.find((c) => c.name === name);
    this.descending = Boolean(descending);
    this.mark();
  }

  mark() {
    for (const column of this.columns) column.head?.removeAttribute('aria-sort');
    this.by.head.setAttribute('aria-sort', this.descending ? 'descending' : 'ascending');
  }

  show(list) {
    this.last = list;
    let rows = list;
    if (this.by) {
      const by = this.by.order ?? this.by.value;
      const sign = this.descending ? -1 : 1;
      rows = [...list].sort((a, b) => {
        const [x, y] = [by(a), by(b)];
        return sign * (x < y ? -1 : x > y ? 1 : 0) || a.id - b.id;
      });
    }
    const seen = new Set();
    let place = this.body.firstChild;
    for (const row of rows) {
      const key = this.key(row);
      if (seen.has(key)) continue;
      seen.add(key);
      let line = this.rows.get(key);
      if (!line) this.rows.set(key, line = this.line());
      this.fill(line, row);
      if (line === place) place = place.nextSibling;
      else this.body.insertBefore(line, place);
    }
    for (const [key, line] of this.rows)
      if (!seen.has(key)) {
        line.remove();
        this.rows.delete(key);
      }
    this.sayEmpty(seen.size === 0);
  }

  line() {
    const line = element('tr', {});
    line.setAttribute('role', 'row');
    for (const column of this.columns) {
      const cell = element('td', {className: column.number ? 'number' : column.class ?? 'text'});
      cell.setAttribute('role', 'cell');
      cell.dataset.column = column.name;
      line.append(cell);
    }
    return line;
  }

  fill(line, row) {
    this.columns.forEach((column, i) => {
      const cell = line.children[i];
      if (column.show) column.show(cell, row);
      else if (column.octets) octets(cell, column.value(row));
      else if (column.number) text(cell, column.format(column.value(row)));
      else {
        const value = column.value(row);
        const said = value == null || value === '' || value === '-' ? '–' : printable(value);
        text(cell, said);
        if (cell.title !== said) cell.title = said;
      }
    });
  }

  sayEmpty(yes) {
    this.node.classList.toggle('blank', yes);
    if (yes && !this.blank) {
      const cell = element('td', {className: 'empty', colSpan: this.columns.length});
      cell.setAttribute('role', 'cell');
      this.blank = element('tr', {}, cell);
      this.blank.setAttribute('role', 'row');
    }
    if (!yes) this.blank?.remove();
    else {
      text(this.blank.firstChild, typeof this.empty === 'function' ? this.empty() : this.empty);
      if (!this.blank.isConnected) this.body.append(this.blank);
    }
  }
}

function bar(cell, share, label) {
  let node = cell.querySelector('.bar');
  if (!node) {
    node = element('span', {className: 'bar'}, element('span', {}));
    node.setAttribute('role', 'meter');
    node.setAttribute('aria-valuemin', '0');
    node.setAttribute('aria-valuemax', '100');
    cell.append(node);
  }
  const percent = Math.max(0, Math.min(100, share * 100));
  node.setAttribute('aria-valuenow', percent.toFixed(0));
  node.setAttribute('aria-label', label);
  node.firstChild.style.width = `${percent.toFixed(1)}%`;
}

// Digits and letters in columns of their own.
function octets(cell, n) {
  if (!cell.firstChild) cell.append(element('span', {}), element('span', {className: 'unit'}));
  cell.classList.toggle('soft', n === 0);
  const [digits, unit = ''] = scaled(n).split(NARROW);
  text(cell.firstChild, digits);
  text(cell.children[1], unit);
}

// A cell with a line, and a soft one below it.
function lines(cell, above, below) {
  if (!cell.firstChild) cell.append(element('span', {}), element('span', {className: 'sub'}));
  text(cell.firstChild, printable(above));
  text(cell.children[1], printable(below));
  cell.title = printable(above);
}

const where = (row) => row.name && row.name !== '-' ?
    `${row.name}:${String(row.dest ?? '').replace(/^.*:/, '')}` : row.dest ?? '';

let filter = '';
let filterError = null; // what the gateway says of it
const sessions = new Table(byId('sessions-table'), [
  {name: 'id', title: 'Id', class: 'soft', value: (r) => r.id},
  {name: 'client', title: 'Client', value: (r) => r.client},
  {name: 'userid', title: 'User', value: (r) => r.certificate && r.certificate !== '-' ? r.certificate : r.userid},
  {name: 'dest', title: 'Destination', value: where},
  {name: 'rule', title: 'Rule', value: (r) => r.rule},
  {name: 'state', title: 'State', value: (r) => r.state, show: (cell, r) => word(cell, r.state)},
  {name: 'age', title: 'Age', number: true, value: (r) => r.age, format: age},
  {name: 'up', title: 'Up', number: true, octets: true, value: (r) => r.up},
  {name: 'down', title: 'Down', number: true, octets: true, value: (r) => r.down},
  {name: 'rate', title: 'Rate/s', number: true, octets: true, value: (r) => r.rate_up + r.rate_down},
], {
  caption: 'Sessions now', wide: true, key: (r) => r.id,
  empty: () => filterError ? 'The filter has an error, so no session is shown.' : filter ? 'No session matches the filter.' :
      'No session now. A client that connects is here within a second.',
});
sessions.sort('age', false);

const lately = new Table(byId('lately-table'), [
  {name: 'time', title: 'Time', class: 'soft', value: (r) => clock(r.time)},
  {name: 'client', title: 'Client', value: (r) => r.client},
  {name: 'dest', title: 'Destination', value: where},
  {name: 'verdict', title: 'Verdict', show: (cell, r) => {
    if (cell.firstChild) return;
    const line = element('span', {});
    word(line, r.verdict, r.verdict + (r.verdict === 'granted' && r.end !== 'fin' ? `, ${r.end}` : ''), 'cross');
    cell.append(line);
    if (r.hint && r.hint !== '-') cell.append(element('span', {className: 'hint', textContent: printable(r.hint)}));
  }},
  {name: 'total', title: 'Octets', number: true, octets: true, value: (r) => r.up + r.down},
], {
  caption: 'Sessions that ended lately', key: (r) => r.id,
  empty: 'No session has ended since this page was opened.',
});

const refusals = new Table(byId('refusals-table'), [
  {name: 'wide', title: 'Reason', show: (cell, r) => {
    if (!cell.firstChild) cell.append(element('span', {textContent: printable(r.verdict), className: 'word'}));
    bar(cell, r.share, `${printable(r.verdict)}: share of the refusals of the last ten minutes`);
  }},
  {name: 'recent', title: '10 min', number: true, value: (r) => r.recent, format: count},
  {name: 'ever', title: 'All', number: true, value: (r) => r.total, format: count},
], {caption: 'Refusals by reason', key: (r) => r.verdict, empty: 'Nothing was refused.'});

const limits = new Table(byId('limits-table'), [
  {name: 'half', title: 'Limit', show: (cell, r) => {
    if (!cell.firstChild) cell.append(element('span', {}));
    const share = r.most ? r.used / r.most : 0;
    const state = share >= 1 ? 'full' : share >= .8 ? 'near' : '';
    const name = printable(r.limit);
    if (state) word(cell.firstChild, state, `${name}: ${state}`);
    else if (cell.firstChild.dataset.state !== name) {
      cell.firstChild.dataset.state = name;
      cell.firstChild.textContent = name;
    }
    bar(cell, share, `${name}: share of the limit in use`);
  }},
  {name: 'used', title: 'In use of', number: true, show: (cell, r) => {
    const said = r.octets ? `${scaled(r.used)} / ${scaled(r.most)}` : `${count(r.used)} / ${count(r.most)}`;
    text(cell, said);
  }},
], {caption: 'Limits', key: (r) => r.limit, empty: 'No limit is set.'});

const workers = new Table(byId('workers-table'), [
  {name: 'wide', title: 'Worker', show: (cell, r) => word(cell, r.state, `${r.worker} ${r.state}`)},
  {name: 'number', title: 'Sessions', number: true, value: (r) => r.sessions, format: count},
  {name: 'number', title: 'Restarts', number: true, value: (r) => r.restarts, format: count},
], {caption: 'Workers', key: (r) => r.worker, empty: 'No worker runs: nothing is served.'});

const parents = new Table(byId('parents-table'), [
  {name: 'half', title: 'Parent', show: (cell, r) => lines(cell, r.parent, r.address)},
  {name: 'state', title: 'State', show: (cell, r) => word(cell, r.state)},
], {caption: 'Parents', key: (r) => `${r.parent} ${r.address}`, empty: 'None: the gateway connects to servers itself.'});

const certificates = new Table(byId('certificates-table'), [
  {name: 'half', title: 'Of', show: (cell, r) => lines(cell, r.of, r.file)},
  {name: 'days', title: 'Ends', show: (cell, r) => {
    const state = r.days < 0 ? 'expired' : r.days < 14 ? 'soon' : 'valid';
    const n = Math.abs(r.days);
    const days = `${count(n)} day${n === 1 ? '' : 's'}`;
    word(cell, state, r.days < 0 ? `expired ${days} ago` : `in ${days}`);
  }},
], {caption: 'Certificates', key: (r) => `${r.of} ${r.file}`, empty: 'None: no listener and no parent has TLS.'});

// ---- Plots

const SPANS = {
  seconds: {points: 600, step: 1, from: '10 minutes ago'},
  minutes: {points: 1440, step: 60, from: '24 hours ago'},
};
const HEIGHT = 84;
let span = 'seconds';
let past = {seconds: [], minutes: [], second: -2, end: 0}; // points, the newest last
let cursor = null; // the point that is looked at, from the left; null: the newest

const PLOTS = [
  {title: 'Sessions', format: count, lines: [{at: 0, label: ''}]},
  {title: 'Connections a second', format: (n) => n != null && n < 9.95 && n % 1 ? n.toFixed(1) : count(n), lines: [{at: 1, label: ''}]},
  {title: 'Octets a second', format: scaled, lines: [{at: 3, label: 'down'}, {at: 2, label: 'up'}]},
  {title: 'Time to connect', format: duration, lines: [{at: 4, label: 'p50'}, {at: 5, label: 'p99'}]},
];

function plotMake(plot) {
  const figures = element('div', {className: 'figures'});
  plot.figures = plot.lines.map(({label}) => {
    const value = element('b', {textContent: '–'});
    figures.append(element('span', {className: 'figure'}, value, element('i', {textContent: label})));
    return value;
  });
  const svg = drawn('svg', {viewBox: `0 0 600 ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'});
  svg.append(drawn('path', {class: 'rule', d: `M0 .5H600M0 ${HEIGHT - .5}H600`}));
  plot.area = drawn('path', {class: 'area'});
  plot.paths = plot.lines.map((_, i) => drawn('path', {class: i ? 'second' : 'first'}));
  plot.cursor = drawn('path', {class: 'cursor'});
  svg.append(plot.area, ...plot.paths.toReversed(), plot.cursor);
  plot.top = element('span', {className: 'top'});
  plot.canvas = element('div', {className: 'canvas', tabIndex: 0}, svg, plot.top);
  plot.canvas.setAttribute('role', 'slider');
  plot.canvas.setAttribute('aria-label', `${plot.title}: point in time`);
  plot.canvas.addEventListener('pointermove', (event) => {
    const box = plot.canvas.getBoundingClientRect();
    look(Math.round((event.clientX - box.left) / box.width * (SPANS[span].points - 1)));
  });
  plot.canvas.addEventListener('pointerleave', () => look(null));
  plot.canvas.addEventListener('blur', () => look(null));
  plot.canvas.addEventListener('keydown', (event) => {
    const last = SPANS[span].points - 1;
    const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -60, PageDown: 60, Home: -last, End: last}[event.key];
    if (step === undefined) return;
    event.preventDefault();
    look((cursor ?? last) + step);
  });
  plot.from = element('span', {});
  plot.until = element('span', {textContent: 'now'});
  byId('plot-row').append(element('div', {className: 'plot'}, element('h3', {textContent: plot.title}),
      figures, plot.canvas, element('div', {className: 'span'}, plot.from, plot.until)));
}

function look(at) {
  const last = SPANS[span].points - 1;
  cursor = at == null || at >= last ? null : Math.max(0, at);
  plotsDraw();
}

// The next of 1, 2, 5, 10, …
function roundUp(most) {
  if (!(most > 0)) return 1;
  const ten = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10, 20].find((n) => n * ten >= most * 1.04) * ten;
}

function path(points, at, left, most) {
  let d = '';
  let from = null;
  let area = '';
  points.forEach((point, i) => {
    const x = (left + i).toFixed(2);
    const value = point[at];
    if (value == null) {
      if (from !== null) area += `V${HEIGHT}H${from}Z`;
      from = null;
      return;
    }
    const y = (HEIGHT - .5 - value / most * (HEIGHT - 1)).toFixed(1);
    if (from === null) {
      d += `M${x} ${y}h.01`;
      area += `M${x} ${HEIGHT}V${y}`;
      from = x;
    } else {
      d += `L${x} ${y}`;
      area += `L${x} ${y}`;
    }
  });
  if (from !== null) area += `V${HEIGHT}H${from}Z`;
  return [d, area];
}

function plotsDraw() {
  const {points: room, step, from} = SPANS[span];
  const points = past[span].slice(-room);
  const left = room - points.length;
  const looked = cursor === null ? points.length - 1 : cursor - left;
  for (const plot of PLOTS) {
    let greatest = 0;
    for (const point of points)
      for (const {at} of plot.lines) if (point[at] > greatest) greatest = point[at];
    const most = roundUp(greatest);
    plot.canvas.querySelector('svg').setAttribute('viewBox', `0 0 ${room - 1} ${HEIGHT}`);
    plot.canvas.querySelector('.rule').setAttribute('d', `M0 .5H${room}M0 ${HEIGHT - .5}H${room}`);
    plot.lines.forEach(({at}, i) => {
      const [line, area] = path(points, at, left, most);
      plot.paths[i].setAttribute('d', line);
      if (i === 0) plot.area.setAttribute('d', area);
    });
    plot.cursor.setAttribute('d', cursor === null ? '' : `M${cursor} 0V${HEIGHT}`);
    text(plot.top, greatest ? plot.format(most) : '');
    const shown = cursor === null ? past.seconds.at(-1) : points[looked];
    const values = plot.lines.map(({at}) => plot.format(shown?.[at]));
    values.forEach((value, i) => text(plot.figures[i], value));
    const when = past.end ? clock(past.end - (room - 1 - (looked + left)) * step) : '–';
    text(plot.from, from);
    text(plot.until, cursor === null ? 'now' : when);
    plot.canvas.setAttribute('aria-valuemin', '0');
    plot.canvas.setAttribute('aria-valuemax', String(room - 1));
    plot.canvas.setAttribute('aria-valuenow', String(looked + left));
    plot.canvas.setAttribute('aria-valuetext',
        `${when}: ${plot.lines.map(({label}, i) => `${values[i]} ${label}`.trim()).join(', ')}`);
  }
}

let asked = -1; // the second in which /history was
async function historyAsk(second) {
  asked = second;
  try {
    const answer = await fetch('history');
    if (!answer.ok) return;
    past = await answer.json();
    plotsDraw();
  } catch { /* the next event asks again */ }
}

// The next point; whatever else came between, and each minute, is asked for.
function historyAdd(event) {
  if (event.second === past.second) return;
  if (event.second !== past.second + 1 || event.second >= asked + 60) {
    historyAsk(event.second);
    return;
  }
  past.second = event.second;
  past.end = event.time;
  past.seconds.push(event.point);
  if (past.seconds.length > SPANS.seconds.points) past.seconds.shift();
  plotsDraw();
}

// ---- What an event says

const HELD = new Set();
let ended = []; // the newest first
const ENDED_MOST = 100;

function stateSay(state) {
  const into = byId('state');
  word(into, state);
  into.classList.toggle('alarm', state !== 'serving' && state !== 'connecting');
  document.title = state === 'serving' ? `socks4d ${byId('host').textContent}` : `${state} – socks4d`;
}

function show(event) {
  text(byId('host'), printable(event.host));
  text(byId('version'), printable(event.version));
  text(byId('config'), printable(event.config).slice(0, 10));
  byId('config').title = printable(event.config);
  text(byId('uptime'), age(event.uptime));
  text(byId('clock'), clock(event.time));
  stateSay(event.state);

  text(byId('sessions-count'), count(event.sessions.live));
  text(byId('sessions-states'), Object.entries(event.sessions.states).filter(([, n]) => n > 0)
      .sort((a, b) => b[1] - a[1]).map(([s, n]) => `${count(n)} ${printable(s)}`).join(' · '));

  const error = byId('filter-error');
  if (filterError !== event.error) {
    filterError = event.error;
    error.replaceChildren(shape('alert'), printable(filterError));
    error.hidden = !filterError;
    byId('filter').setAttribute('aria-invalid', String(Boolean(filterError)));
  }

  ended = [...event.ended.toReversed(), ...ended].slice(0, ENDED_MOST);
  if (!HELD.size) {
    sessions.show(event.rows);
    const many = event.more > 0 ? `${count(event.rows.length)} of ${count(event.total)} shown, ${count(event.more)} more: filter to see them.` :
        filter && !filterError ? `${count(event.total)} match.` : '';
    text(byId('sessions-more'), many);
    lately.show(ended);
    text(byId('lately-note'), event.missed ? `${count(event.missed)} more in the last second` : '');
  }

  const recent = Math.max(1, ...event.refusals.map((r) => r.recent));
  refusals.show(event.refusals.map((r) => ({...r, share: r.recent / recent}))
      .sort((a, b) => b.recent - a.recent || b.total - a.total));
  limits.show(event.limits);
  workers.show(event.workers);
  parents.show(event.parents);
  certificates.show(event.certificates.sort((a, b) => a.days - b.days));
  historyAdd(event);
}

// ---- The stream of events

let source = null;
let heard = 0;      // when an event came, by our clock
let shown = '';     // the gateway's clock then
const SILENT = 4000; // the gateway speaks once a second

function listen() {
  source?.close();
  source = new EventSource(`events?filter=${encodeURIComponent(filter)}`);
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    heard = Date.now();
    shown = clock(event.time);
    document.body.classList.remove('stale');
    byId('notice').hidden = true;
    show(event);
  };
}

function watch() {
  const silent = Date.now() - heard;
  if (silent < SILENT) return;
  const closed = source.readyState === EventSource.CLOSED;
  if (closed) listen(); // refused, or not to be had; the browser does not try again
  if (!heard && silent < SILENT * 2 && !closed) return;
  document.body.classList.add('stale');
  stateSay('lost');
  const notice = byId('notice');
  const said = shown ?
      `Connection to the gateway lost. What is shown is of ${shown}; this page keeps trying.` :
      'The gateway does not answer, or serves as many pages as it may. This page keeps trying.';
  if (notice.hidden || notice.textContent !== said) {
    notice.replaceChildren(shape('cross'), said);
    notice.hidden = false;
  }
}

// ---- What the operator does

function filterSet(value) {
  value = value;
  if (value === filter && source) return;
  filter = value;
  history.replaceState(null, '', filter ? `#${encodeURIComponent(filter)}` : location.pathname);
  listen();
}

let typing = 0;
byId('filter').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => filterSet(byId('filter').value), 300);
});
byId('filter-form').addEventListener('submit', (event) => {
  event.preventDefault();
  clearTimeout(typing);
  filterSet(byId('filter').value);
});
byId('filter').addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  if (byId('filter').value === '') byId('filter').blur();
  byId('filter').value = '';
  filterSet('');
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.matches?.('input[type=text]') || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  byId('filter').focus();
});
byId('hold').addEventListener('click', () => {
  const held = !HELD.delete('hold');
  if (held) HELD.add('hold');
  byId('hold').setAttribute('aria-pressed', String(held));
  text(byId('hold'), held ? 'Held' : 'Hold');
});
for (const radio of document.querySelectorAll('#range input'))
  radio.addEventListener('change', () => {
    span = radio.value;
    cursor = null;
    plotsDraw();
  });

PLOTS.forEach(plotMake);
plotsDraw();
stateSay('connecting');
try {
  filter = decodeURIComponent(location.hash.slice(1));
} catch { /* no filter of ours */ }
byId('filter').value = filter;
heard = Date.now() - SILENT / 2;
listen();
setInterval(watch, 1000);
