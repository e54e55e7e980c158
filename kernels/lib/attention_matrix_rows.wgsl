    // The subgroup's results SUM0_0 … times the row_values of their rows, through its strip; INTO: the tensor that gets them,
    // else they are results again.
//#for P in 0..HEAD_SIZE / PART
    workgroupBarrier();
//#for I in 0..EACH / MATRIX_M
//#for J in 0..PART / MATRIX_N
    store_result(
      strip + ${I * MATRIX_M * (PART / 4 + 1) + J * MATRIX_N / 4}u,
      ${PART / 4 + 1}u,
      ${SUM}${I}_${P * PART / MATRIX_N + J},
    );
//#end
//#end
    workgroupBarrier();
    for (var i = lane % ${SUBGROUP}u; i < ${EACH * PART / 4}u; i += ${SUBGROUP}u) {
      let own = subgroup * ${EACH}u + i / ${PART / 4}u;
      let at = strip + i / ${PART / 4}u * ${PART / 4 + 1}u + i % ${PART / 4}u;
      let value = bitcast<vec4<f32>>(words[at]) * row_values[own];
//#if INTO == ""
      words[at] = bitcast<vec4<u32>>(value);
//#else
      if (first_row + own < sequence.length) {
        let token = sequence.first + first_row + own;
        store_${INTO}(head_at(token, head), ${P * PART / 4}u + i % ${PART / 4}u, value);
      }
//#end
    }
//#if INTO == ""
    workgroupBarrier();
//#for I in 0..EACH / MATRIX_M
//#for J in 0..PART / MATRIX_N
    ${SUM}${I}_${P * PART / MATRIX_N + J} = load_result(
      strip + ${I * MATRIX_M * (PART / 4 + 1) + J * MATRIX_N / 4}u,
      ${PART / 4 + 1}u,
    );
//#end
//#end
//#end
//#end
