// Keeps an open page of the console current. Every page can be read without
// this file; it only saves the reload.
import { drawCharts, updateChart } from './charts.js';
import type { Live, State } from './live.js';
import { patch } from './patch.js';

drawCharts();
const main = document.getElementById('main');
const source = main?.dataset['events'];
if (main && source) follow(source);

function follow(address: string): void {
  const events = new EventSource(address);
  events.addEventListener('open', () => pulse('good', 'Live'));
  events.addEventListener('view', (event) => {
    const live = JSON.parse((event as MessageEvent<string>).data) as Live;
    patch(live);
    live.charts.forEach(updateChart);
  });
  events.addEventListener('over', (event) => {
    // A server that restarts is asked again by the browser itself.
    if ((event as MessageEvent<string>).data !== 'signed-out') return;
    events.close();
    pulse('bad', 'Not live: your session is over. Reload to sign in again.');
  });
  events.addEventListener('error', () => {
    if (events.readyState === EventSource.CLOSED) pulse('bad', 'Not live: reload the page.');
    else pulse('warn', 'Connecting again …');
  });
}

function pulse(state: State, text: string): void {
  const shown = document.getElementById('pulse');
  if (!shown || shown.textContent === text) return;
  shown.dataset['state'] = state;
  shown.textContent = text;
}
