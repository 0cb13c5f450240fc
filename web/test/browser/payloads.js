/**
 * A hundred texts that try to become a script, a style or a formula: tags, handlers, addresses, templates,
 * entities, characters that hide or turn others. Each calls `pwned` in its own way, should it ever run.
 */

const CALLS = ["pwned(1)", "alert(1)", "top.pwned(1)", "window['pwned'](1)", "pwned`1`"];

/** @param {string} call */
const SHAPES = (call) => [
  `<script>${call}</script>`,
  `</title><script>${call}</script>`,
  `</textarea><script>${call}</script>`,
  `<img src=x onerror=${call}>`,
  `"><img src=x onerror="${call}">`,
  `'><svg onload=${call}>`,
  `<svg><script>${call}</script></svg>`,
  `<body onload=${call}>`,
  `<iframe srcdoc="<script>parent.${call}</script>">`,
  `<iframe src="javascript:parent.${call}">`,
  `<a href="javascript:${call}" autofocus onfocus=${call}>x</a>`,
  `<details open ontoggle=${call}>`,
  `<video><source onerror=${call}></video>`,
  `<input autofocus onfocus=${call}>`,
  `<math><mtext><style><img src=x onerror=${call}></style></mtext></math>`,
  `javascript:${call}`,
  `{{constructor.constructor('${call}')()}}`,
  `\${${call}}`,
  `&lt;script&gt;${call}&lt;/script&gt;&#60;img src=x onerror=${call}&#62;`,
  `\u202e<img src=x onerror=${call}>\u2066`,
];

export const PAYLOADS = CALLS.flatMap(SHAPES);
