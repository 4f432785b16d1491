// final_answer(value): what a cell that may have one gives as its answer. It is told on the wire,
// apart from all that is printed or shown.
'use strict';

const { encode, inspect } = kernel;
const { defineProperty, getOwnPropertyDescriptor } = Object;
const { stringify } = JSON;
const { pack, send } = part('javascript_wire');

const FINAL = 20; // protocol.h
const SIZE_MAX = 4 << 20; // bytes
const NAME = 'final_answer';

// The last one counts.
function give(value) {
  const text = stringify(value);
  const bytes = text === undefined ? null : encode(text);
  if (bytes === null || bytes.length > SIZE_MAX) {
    throw new TypeError('final_answer: a value that JSON can hold, of at most 4 MiB, expected' +
      (bytes === null ? `, got ${inspect(value)}` : ''));
  }
  const { cell } = kernel;
  if (cell !== null) send(pack(FINAL, cell.request, { __proto__: null, json: bytes }));
}

defineProperty(give, 'name', { __proto__: null, value: NAME });

exports.open = function () {
  defineProperty(globalThis, NAME, {
    __proto__: null, value: give, writable: true, configurable: true, enumerable: false,
  });
};

exports.close = function () {
  const found = getOwnPropertyDescriptor(globalThis, NAME);
  if (found !== undefined && found.value === give && found.configurable) delete globalThis[NAME];
};
