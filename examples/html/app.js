// A voice interview with no build step: `Hallpass` is what /client.js defines.
const show = (id, text) => {
  document.getElementById(id).textContent = text;
};

const interview = new Hallpass.Interview({ workletUrl: '/client.worklet.js' });

interview.watch(() => {
  const { phase, error, transcript } = interview.state;
  show('phase', phase);
  show('error', error ? error.userMessage : '');
  const lines = transcript.map(({ role, text }) => {
    const line = document.createElement('li');
    line.textContent = `${role}: ${text}`;
    return line;
  });
  document.getElementById('transcript').replaceChildren(...lines);
});

interview.onLevels(({ input, output }) => {
  document.getElementById('input').value = input;
  document.getElementById('output').value = output;
});

document.getElementById('start').addEventListener('click', interview.start);
document.getElementById('stop').addEventListener('click', interview.stop);
