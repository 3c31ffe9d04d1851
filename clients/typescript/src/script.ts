/** Everything but React, for `<script src="…/client.js">`: it is `Hallpass` there. */
export * from './index.js';
export * from './audio/index.js';
