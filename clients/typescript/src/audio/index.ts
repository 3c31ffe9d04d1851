export { CallVoice } from './call.js';
export { inputDevices, openMicrophone, type InputDevice } from './devices.js';
export { Interview, type InterviewOptions, type InterviewState, type Phase } from './interview.js';
export { toBase64, toSamples } from './pcm.js';
export { Voice, type Levels, type VoiceEvents, type VoiceOptions } from './voice.js';
