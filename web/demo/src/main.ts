import { inputDevices, Interview, type InterviewOptions, type InterviewState } from '../../../clients/typescript/src/audio/index.js';
import type { DirectRenewal, Mode } from '../../../clients/typescript/src/index.js';
import { byId, make, say } from './dom.js';
import { enterRoom, note, showRoom, showTime } from './room.js';
import { place, signIn, signOut, trouble, type Place, type Trouble } from './server.js';
import { showSummary } from './summary.js';
import { alert, show, step } from './views.js';

const MODES: Record<Mode, [name: string, about: string]> = {
  direct: ['Direct', 'The browser speaks with OpenAI itself. A secret that is out can’t be recalled.'],
  relay: ['Relay', 'Sound runs through Hallpass: it can be ended at once, and is measured.'],
  call: ['Call', 'WebRTC to OpenAI, brokered by Hallpass, which can hang up.'],
};

const TROUBLES: Record<Trouble, [name: string, about: string]> = {
  expire: ['Reach the 60 minutes', 'OpenAI ends the session'],
  drop: ['Drop the connection', 'as a failing network does'],
  openai_down: ['OpenAI goes down', 'nothing is minted or connected'],
  openai_up: ['OpenAI comes back', 'service returns by itself'],
  revoke: ['Revoke me', 'as an operator would'],
  lift: ['Lift the revocation', 'and let me in again'],
};

const WORKLET = '../client.worklet.js';

let here: Place;
let interview: Interview | undefined;
let told = { phase: '', renewals: 0, error: '', restored: undefined as InterviewState['restored'] };

const me = (): string => here.people.find(({ id }) => id === here.person)?.name ?? 'You';

async function load(): Promise<void> {
  try {
    here = await place();
  } catch (error) {
    show('sign-in');
    return alert(error instanceof Error ? error.message : String(error));
  }
  const cards = here.people.map(({ id, name, about }, at) => choice('person', id, name, about, at === 0));
  byId('people').append(...cards);
  byId('modes').append(...here.modes.map((mode, at) => choice('mode', mode, ...MODES[mode], at === 0)));
  const sim = here.upstream === 'simulator';
  const kinds = (Object.keys(TROUBLES) as Trouble[]).filter((kind) => sim || kind === 'revoke' || kind === 'lift');
  byId('trouble').append(...kinds.map((kind) => troubleButton(kind)));
  signedIn();
  // In the cache now, so that a start needs one server less.
  void fetch(WORKLET).catch(() => undefined);
}

function choice(group: string, value: string, name: string, about: string, checked: boolean): HTMLElement {
  const input = make('input', { type: 'radio', name: group, value, ...(checked && { checked: '' }) });
  return make('label', { class: 'choice' }, input, make('span', {}, make('b', {}, name), make('small', {}, about)));
}

function troubleButton(kind: Trouble): HTMLElement {
  const [name, about] = TROUBLES[kind];
  const button = make('button', { type: 'button', 'data-trouble': kind }, make('b', {}, name), make('small', {}, about));
  button.addEventListener('click', () => {
    trouble(kind).then(
      (did) => note(did),
      (error: Error) => note(error.message, 'bad'),
    );
  });
  return button;
}

function signedIn(): void {
  byId('who').hidden = !here.person;
  say(byId('who-name'), me());
  show(here.person ? 'lobby' : 'sign-in');
  void fillDevices();
}

async function fillDevices(): Promise<void> {
  const select = byId<HTMLSelectElement>('device');
  const devices = (await inputDevices().catch(() => [])).filter(({ label }) => label);
  const chosen = select.value;
  const options = devices.map(({ id, label }) => make('option', { value: id }, label));
  select.replaceChildren(make('option', { value: '' }, 'The system’s own'), ...options);
  select.value = chosen;
}

function begin(): void {
  const form = new FormData(byId<HTMLFormElement>('begin'));
  const mode = form.get('mode') as Mode;
  const device = byId<HTMLSelectElement>('device').value;
  const options: InterviewOptions = {
    profile: 'demo',
    mode,
    workletUrl: WORKLET,
    secretSeconds: Number(byId<HTMLSelectElement>('life').value),
    directRenewal: byId<HTMLSelectElement>('renewal').value as DirectRenewal,
    ...(device && { deviceId: device }),
  };
  alert(undefined);
  told = { phase: '', renewals: 0, error: '', restored: undefined };
  const mine = new Interview(options);
  interview = mine;
  enterRoom();
  // The simulator hears sound, but not where a turn ends.
  byId('done').hidden = here.upstream !== 'simulator';
  mine.watch(() => interview === mine && follow(mine));
  mine.onLevels(({ input, output }) => {
    byId('voice-input').style.setProperty('--level', input.toFixed(3));
    byId('voice-output').style.setProperty('--level', output.toFixed(3));
    byId<HTMLMeterElement>('meter-input').value = input;
    byId<HTMLMeterElement>('meter-output').value = output;
  });
  void mine.start();
}

/** Shows what changed, and writes down what is worth a line. */
function follow(mine: Interview): void {
  const { state } = mine;
  if (state.phase !== told.phase) entered(mine, state);
  told.phase = state.phase;
  for (; told.renewals < state.renewals.length; told.renewals++) {
    const renewal = state.renewals[told.renewals];
    const moved = renewal?.restored;
    const lost = moved?.inFlight === 'lost' ? ', one reply was cut off' : '';
    if (moved) note(`Moved to a new connection: ${moved.items} turns told again${lost}`, 'good');
    else note(renewal?.kind === 'lease' ? 'Lease renewed' : 'Next secret fetched, connection kept', 'good');
  }
  if (state.restored && state.restored !== told.restored) {
    const { items, inFlight } = state.restored;
    note(`Back: ${items} turns told again, ${inFlight === 'lost' ? 'one reply was lost' : 'nothing was lost'}`, 'good');
  }
  told.restored = state.restored;
  const error = state.error && state.phase !== 'failed' ? state.error.userMessage : '';
  if (error && error !== told.error) note(error, 'bad');
  told.error = error;
  showRoom(mine, me());
  showTime(mine);
}

function entered(mine: Interview, state: InterviewState): void {
  switch (state.phase) {
    case 'microphone':
      return;
    case 'connecting':
      show('live');
      step('connect');
      return note('Microphone ready, asking Hallpass for a secret');
    case 'live':
      show('live');
      step('live');
      void fillDevices();
      if (told.phase === 'connecting') return note(`Connected in ${state.grant?.mode ?? ''} mode`, 'good');
      return;
    case 'reconnecting':
      return note('Connection lost, coming back', 'bad');
    case 'failed':
      alert(state.error?.userMessage);
      if (state.startedAt === undefined) return show('lobby');
      showSummary(state, me());
      return show('summary');
    case 'ended':
      if (state.startedAt === undefined) return show('lobby');
      showSummary(mine.state, me());
      return show('summary');
  }
}

function wire(): void {
  byId('sign-in').addEventListener('submit', (event) => {
    event.preventDefault();
    const person = new FormData(event.target as HTMLFormElement).get('person') as string;
    signIn(person).then(
      () => {
        here = { ...here, person };
        alert(undefined);
        signedIn();
      },
      (error: Error) => alert(error.message),
    );
  });
  byId('sign-out').addEventListener('click', () => {
    interview?.stop();
    void signOut().then(() => {
      here = { ...here, person: null };
      alert(undefined);
      signedIn();
    });
  });
  byId('begin').addEventListener('submit', (event) => {
    event.preventDefault();
    begin();
  });
  byId('type').addEventListener('submit', (event) => {
    event.preventDefault();
    const input = byId<HTMLInputElement>('answer');
    const text = input.value.trim();
    const session = interview?.session;
    if (!text || !session) return;
    try {
      session.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } });
      session.send({ type: 'response.create' });
      input.value = '';
    } catch {
      note('Not connected: your answer is still in the box', 'bad');
    }
  });
  byId('done').addEventListener('click', () => {
    if (interview?.state.status !== 'open') return;
    interview.session?.send({ type: 'input_audio_buffer.commit' });
    interview.session?.send({ type: 'response.create' });
  });
  byId('end').addEventListener('click', () => interview?.stop());
  byId('again').addEventListener('click', () => {
    alert(undefined);
    show('lobby');
  });
  byId('mute').addEventListener('click', () => interview?.mute(!interview.state.muted));
  byId('device').addEventListener('change', (event) => void interview?.useDevice((event.target as HTMLSelectElement).value));
  document.addEventListener('keydown', ({ key, target, ctrlKey, metaKey, altKey }) => {
    const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
    const live = !byId('view-live').hidden;
    if (live && !typing && !ctrlKey && !metaKey && !altKey && key.toLowerCase() === 'm') byId('mute').click();
  });
  setInterval(() => interview && showTime(interview), 500);
}

wire();
void load();
