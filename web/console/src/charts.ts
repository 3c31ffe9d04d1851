// Draws each chart from the table below it, and both anew when numbers come.
import uPlot from 'uplot';
import type { ChartData } from './live.js';

const HEIGHT = 150;
const drawn = new Map<string, Drawn>();

interface Drawn {
  figure: HTMLElement;
  plot: uPlot;
  chart: ChartData;
}

/** Draws every chart of the page, and again when dark becomes light. */
export function drawCharts(): void {
  for (const figure of document.querySelectorAll<HTMLElement>('[data-chart]')) draw(figure, read(figure));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const { figure, plot, chart } of [...drawn.values()]) {
      plot.destroy();
      draw(figure, chart);
    }
  });
}

/** Shows newer numbers in picture, words and table. */
export function updateChart(chart: ChartData): void {
  const shown = drawn.get(chart.name);
  if (!shown) return;
  shown.chart = chart;
  shown.plot.setData(numbers(chart));
  tell(shown.figure, chart);
  writeTable(shown.figure, chart);
}

/** The numbers of the table. */
function read(figure: HTMLElement): ChartData {
  const legend = Array.from(figure.querySelectorAll<HTMLElement>('.legend li'));
  const rows = Array.from(figure.querySelectorAll<HTMLTableRowElement>('tbody tr')).reverse();
  const number = (row: HTMLTableRowElement, column: number): number => Number(row.cells[column + 1]?.textContent ?? 0);
  return {
    name: figure.dataset['chart'] ?? '',
    summary: figure.querySelector('.summary')?.textContent ?? '',
    lines: legend.map((item, column) => ({
      label: item.textContent ?? '',
      tone: item.dataset['tone'] ?? '',
      values: rows.map((row) => number(row, column)),
    })),
    times: rows.map((row) => Number(row.cells[0]?.dataset['time'] ?? 0)),
    labels: rows.map((row) => row.cells[0]?.textContent ?? ''),
  };
}

/** Stacked: each line on those after it, the whole first, so that the others are drawn over it. */
function numbers(chart: ChartData): uPlot.AlignedData {
  const sums = chart.lines.map((_, at) => chart.times.map((__, place) => chart.lines.slice(at).reduce((sum, { values }) => sum + (values[place] ?? 0), 0)));
  return [chart.times, ...sums];
}

function draw(figure: HTMLElement, chart: ChartData): void {
  const place = figure.querySelector<HTMLElement>('.plot');
  if (!place) return;
  const plot = new uPlot(options(figure, chart, place.clientWidth), numbers(chart), place);
  drawn.set(chart.name, { figure, plot, chart });
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
}

function options(figure: HTMLElement, chart: ChartData, width: number): uPlot.Options {
  const soft = getComputedStyle(figure.querySelector('.summary') ?? figure).color;
  const line = getComputedStyle(figure).borderTopColor;
  const axis: uPlot.Axis = { stroke: soft, font: '11px system-ui, sans-serif', grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const colours = Array.from(figure.querySelectorAll('.legend li'), (item) => getComputedStyle(item, '::before').backgroundColor);
  const paths = uPlot.paths.bars?.({ align: 1, size: [0.8, 60] });
  const series = chart.lines.map(({ label }, at): uPlot.Series => {
    const fill = colours[at] ?? soft;
    return { label, fill, width: 0, points: { show: false }, ...(paths ? { paths } : {}) };
  });
  const step = (chart.times[1] ?? 60) - (chart.times[0] ?? 0);
  return {
    width,
    height: HEIGHT,
    series: [{}, ...series],
    // A quiet hour shows as a flat line at the bottom, not as noise.
    scales: { x: { range: (_, first, last) => [first, last + step] }, y: { range: (_, __, most) => [0, Math.max(most * 1.1, 5)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: 60, values: (_, times) => times.map(clock) },
      { ...axis, size: 34, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] },
    ],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    hooks: { setCursor: [(plot) => point(figure, plot.cursor.idx)] },
  };
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 16);
}

/** Says what is under the pointer, and without one what the whole says. */
function point(figure: HTMLElement, at: number | null | undefined): void {
  const chart = drawn.get(figure.dataset['chart'] ?? '')?.chart;
  if (!chart) return;
  if (at === null || at === undefined) return tell(figure, chart);
  const told = chart.lines.map(({ label, values }) => `${values[at] ?? 0} ${label}`);
  write(figure.querySelector('.summary'), `${chart.labels[at] ?? ''}: ${told.join(', ')}`);
}

function tell(figure: HTMLElement, chart: ChartData): void {
  figure.querySelector('.plot')?.setAttribute('aria-label', chart.summary);
  const hovered = figure.querySelector('.u-over:hover') !== null;
  if (!hovered) write(figure.querySelector('.summary'), chart.summary);
}

function writeTable(figure: HTMLElement, chart: ChartData): void {
  const body = figure.querySelector('tbody');
  if (!body) return;
  chart.times.forEach((time, at) => {
    const place = chart.times.length - 1 - at;
    const row = body.rows[place] ?? body.insertRow();
    while (row.cells.length <= chart.lines.length) row.append(document.createElement(row.cells.length === 0 ? 'th' : 'td'));
    const [head] = row.cells;
    if (head) {
      head.dataset['time'] = String(time);
      head.scope = 'row';
      write(head, chart.labels[at] ?? '');
    }
    chart.lines.forEach(({ values }, column) => {
      const cell = row.cells[column + 1];
      cell?.classList.add('number');
      write(cell, String(values[at] ?? 0));
    });
  });
  while (body.rows.length > chart.times.length) body.deleteRow(-1);
}

function write(at: Element | null | undefined, text: string): void {
  if (at && at.textContent !== text) at.textContent = text;
}
