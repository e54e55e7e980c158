// What `//#tensor NAME ACCESS WIDTH` stands for: a tensor of rows of WIDTH elements of TYPE, read and written by quads of
// four as f32. load_NAME(row, quad) gives elements 4 quad … 4 quad + 3 of a row, 0 past its end; store_NAME writes those
// that are in the row. Only f32 has rows that are not whole quads: no two rows share a word.
// ACCESS uniform: a window of ELEMENTS elements, in whole quads. ACCESS words, update_words: 16-bit elements as they are,
// eight at a time.
//#if ACCESS == "words" || ACCESS == "update_words"
@group(0) @binding(${BINDING}) var<storage, ${ACCESS == "words" ? "read" : "read_write"}> ${NAME}: array<vec4<u32>>;
fn load_${NAME}(row: u32, word: u32) -> vec4<u32> {
  return ${NAME}[row * ${WIDTH / 8}u + word];
}
//#if ACCESS == "update_words"
fn store_${NAME}(row: u32, word: u32, value: vec4<u32>) {
  ${NAME}[row * ${WIDTH / 8}u + word] = value;
}
//#end
//#else
//#if TYPE != "f32"
//#include "lib/half.wgsl"
//#end
//#if ACCESS == "uniform"
//#if TYPE == "f32"
@group(0) @binding(${BINDING}) var<uniform> ${NAME}: array<vec4<f32>, ${ELEMENTS / 4}>;
fn load_${NAME}(row: u32, quad: u32) -> vec4<f32> {
  return ${NAME}[row * ${WIDTH / 4}u + quad];
}
//#else
@group(0) @binding(${BINDING}) var<uniform> ${NAME}: array<vec4<u32>, ${(ELEMENTS + ELEMENTS % 8) / 8}>;
fn load_${NAME}(row: u32, quad: u32) -> vec4<f32> {
  let at = row * ${WIDTH / 4}u + quad;
  let words = ${NAME}[at / 2u];
  return widen_${TYPE}(select(words.xy, words.zw, (at & 1u) != 0u));
}
//#end
//#else
//#if TYPE != "f32"
@group(0) @binding(${BINDING}) var<storage, ${ACCESS == "read" ? "read" : "read_write"}> ${NAME}: array<vec2<u32>>;
//#end
//#if TYPE == "f32" && WIDTH % 4 == 0
@group(0) @binding(${BINDING}) var<storage, ${ACCESS == "read" ? "read" : "read_write"}> ${NAME}: array<vec4<f32>>;
//#end
//#if TYPE == "f32" && WIDTH % 4
@group(0) @binding(${BINDING}) var<storage, ${ACCESS == "read" ? "read" : "read_write"}> ${NAME}: array<f32>;
//#end
//#if ACCESS != "write"
fn load_${NAME}(row: u32, quad: u32) -> vec4<f32> {
//#if WIDTH % 4
  var value = vec4<f32>();
//#for I in 0..4
  if (quad * 4u + ${I}u < ${WIDTH}u) {
    value[${I}] = ${NAME}[row * ${WIDTH}u + quad * 4u + ${I}u];
  }
//#end
  return value;
//#else
//#if TYPE == "f32"
  return ${NAME}[row * ${WIDTH / 4}u + quad];
//#else
  return widen_${TYPE}(${NAME}[row * ${WIDTH / 4}u + quad]);
//#end
//#end
}
//#end
//#if ACCESS != "read"
fn store_${NAME}(row: u32, quad: u32, value: vec4<f32>) {
//#if WIDTH % 4
//#for I in 0..4
  if (quad * 4u + ${I}u < ${WIDTH}u) {
    ${NAME}[row * ${WIDTH}u + quad * 4u + ${I}u] = value[${I}];
  }
//#end
//#else
//#if TYPE == "f32"
  ${NAME}[row * ${WIDTH / 4}u + quad] = value;
//#else
  ${NAME}[row * ${WIDTH / 4}u + quad] = narrow_${TYPE}(value);
//#end
//#end
}
//#end
//#end
//#end
