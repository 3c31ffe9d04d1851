// Puts what the server says where its name is. Text stays text: nothing here
// makes markup of it, and the page's policy would not let it.
import type { CellData, Live, RowData, TableData } from './live.js';

export function patch(live: Live): void {
  for (const [name, text] of Object.entries(live.texts)) for (const at of named('text', name)) write(at, text);
  for (const [name, state] of Object.entries(live.states)) for (const at of named('judged', name)) at.dataset['state'] = state;
  live.tables.forEach(patchTable);
}

function named(what: string, name: string): NodeListOf<HTMLElement> {
  return document.querySelectorAll<HTMLElement>(`[data-${what}="${CSS.escape(name)}"]`);
}

/** Only what differs is touched, so that a reader's place and selection stay. */
function write(at: Element, text: string): void {
  if (at.textContent !== text) at.textContent = text;
}

function patchTable(table: TableData): void {
  for (const sheet of named('table', table.name)) patchSheet(sheet, table.rows);
}

function patchSheet(sheet: HTMLElement, rows: RowData[]): void {
  const body = sheet.querySelector('tbody');
  const template = sheet.querySelector('template');
  if (!body || !template) return;
  const known = new Map(Array.from(body.rows, (row) => [row.dataset['key'] ?? '', row]));
  rows.forEach((row, place) => {
    const shown = known.get(row.key) ?? begin(template, row);
    known.delete(row.key);
    row.cells.forEach((cell, column) => patchCell(shown.cells[column], cell));
    put(body, shown, place);
  });
  for (const gone of known.values()) leave(gone);
  sheet.toggleAttribute('data-empty', rows.length === 0);
}

/** A new row, its form made to be about it. */
function begin(template: HTMLTemplateElement, row: RowData): HTMLTableRowElement {
  const copy = document.importNode(template.content, true);
  const shown = copy.querySelector('tr') ?? document.createElement('tr');
  shown.dataset['key'] = row.key;
  const act = shown.querySelector('.act');
  const ask = act?.querySelector('.ask');
  if (!act || !ask) return shown;
  const form = ask.querySelector('form');
  if (row.action === undefined || !form) {
    act.replaceChildren();
    return shown;
  }
  form.action = row.action;
  ask.id += row.key;
  const subject = row.cells[0]?.text ?? '';
  for (const button of act.querySelectorAll('[popovertarget]')) button.setAttribute('popovertarget', ask.id);
  act.querySelector('button')?.setAttribute('aria-label', `${act.querySelector('button')?.textContent ?? ''} ${subject}`);
  const field = ask.querySelector('input:not([type="hidden"])');
  if (field) field.id = `${ask.id}-reason`;
  ask.querySelector('label')?.setAttribute('for', `${ask.id}-reason`);
  const named = ask.querySelector('.subject');
  if (named) named.textContent = subject;
  return shown;
}

function patchCell(shown: HTMLTableCellElement | undefined, cell: CellData): void {
  if (!shown) return;
  const link = shown.querySelector('a');
  const text = shown.querySelector('bdi');
  if (!link || !text) return;
  write(text, cell.text);
  set(shown, 'title', cell.whole);
  set(link, 'href', cell.href);
  set(shown, 'data-state', cell.state ?? 'none');
  const meter = shown.querySelector('meter') ?? (cell.percent === undefined ? null : newMeter(shown));
  if (!meter) return;
  if (cell.percent === undefined) return meter.remove();
  meter.value = cell.percent;
  set(meter, 'aria-label', `${shown.dataset['label'] ?? ''}: ${cell.percent} %`);
}

function newMeter(shown: HTMLElement): HTMLMeterElement {
  const meter = document.createElement('meter');
  [meter.min, meter.max, meter.low, meter.high, meter.optimum] = [0, 100, 80, 99, 0];
  shown.append(meter);
  return meter;
}

function set(at: Element, name: string, value: string | undefined): void {
  if (value === undefined) at.removeAttribute(name);
  else if (at.getAttribute(name) !== value) at.setAttribute(name, value);
}

/** Moved without losing focus or an open form, where the browser can. */
function put(body: HTMLTableSectionElement & { moveBefore?(row: Node, before: Node | null): void }, row: Element, place: number): void {
  const before = body.rows[place] ?? null;
  if (before === row) return;
  if (row.isConnected && body.moveBefore) body.moveBefore(row, before);
  else body.insertBefore(row, before);
}

function leave(row: HTMLElement): void {
  const hadFocus = row.contains(document.activeElement);
  row.remove();
  if (hadFocus) document.getElementById('main')?.focus();
}
