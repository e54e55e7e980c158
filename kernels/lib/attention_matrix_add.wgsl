    // Adds the products of the subgroup's pairs, a tile loaded by PAIRS from FIRST on, with the tile at AT to SUM0_0 ….
//#for KK in 0..COLUMNS / MATRIX_K
    {
//#for I in 0..EACH / MATRIX_M
      let p${I} = load_${PAIRS}_matrix(${PAIRS}_place(${FIRST}, ${I * MATRIX_M}u, ${KK * MATRIX_K}u));
//#end
//#for J in 0..HEAD_SIZE / MATRIX_N
      {
        let b = load_across_matrix(${AT + KK * MATRIX_K * HEAD_WORDS + J * MATRIX_N / 8}u);
//#for I in 0..EACH / MATRIX_M
        ${SUM}${I}_${J} = multiply_across(p${I}, b, ${SUM}${I}_${J});
//#end
      }
//#end
    }
//#end
